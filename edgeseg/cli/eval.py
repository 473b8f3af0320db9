"""``edgeseg eval``: measure masks against true ones, and matches against known items."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli import classes, console, eval_study
from edgeseg.cli.options import (
    BackgroundChoice,
    BundleOption,
    FlipOption,
    JsonOption,
    RefineChoice,
    RefineOption,
    ThreadsOption,
    segmenter_options,
)

if TYPE_CHECKING:
    from edgeseg.evaluation.labelled import Pairing
    from edgeseg.evaluation.segmentation import Predict
    from edgeseg.postprocess import SegmenterOptions

_SEGMENTATION_HELP = """Compare masks with true ones, at each photo's own resolution.

Photos and masks are paired by file stem; a mask is garment where it is 128 or more. With --split
and --split-name only the photos that a CSV (columns `image`, `mask`, `split`, paths relative to it)
puts into that split count, and --images and --masks may be left out.

\b
  iou_mean        intersection over union, the figure to look at first
  iou_p10         its 10th percentile: nine photos of ten are at least this good
  pixel_accuracy  share of pixels that agree; flatters
  boundary_f      F-score of the outlines, within 0.75% of the diagonal

Examples:

\b
  edgeseg eval segmentation --images photos/ --masks masks/
  edgeseg eval segmentation --split split.csv --split-name val --sheet worst.png
  edgeseg eval segmentation --split split.csv --split-name val --refine guided
  edgeseg eval segmentation --split split.csv --split-name val --method grabcut --json
"""

_RETRIEVAL_HELP = """Match photos whose item is known, and count how often it is found.

QUERIES is a CSV with the columns `image` and `sku` (paths relative to the CSV), optionally `mask`,
and any columns to group by. Intervals hold 95% of 1,000 bootstrap resamples of the items.

--background says what becomes of the background before matching: `model` (cut out by the bundle's
segmenter), `none` (left in), `grabcut`, or `mask` (cut out by the true mask). `edgeseg eval study`
compares them, and embedders, in one run.

Examples:

\b
  edgeseg eval retrieval --queries queries.csv --catalogue shop.catalogue
  edgeseg eval retrieval --queries queries.csv --catalogue shop.catalogue --background none
  edgeseg eval retrieval --queries queries.csv --catalogue shop.catalogue --group-by view --json
"""

_MAX_TOLD_FILES = 10


class Method(str, Enum):
    """Ways of segmenting."""

    model = "model"
    grabcut = "grabcut"


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    group = typer.Typer(
        help="Measure masks against true ones, and matches against known items.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("segmentation", help=_SEGMENTATION_HELP, no_args_is_help=True)(segmentation)
    group.command("classes", help=classes.EVAL_HELP, no_args_is_help=True)(classes.eval_classes)
    group.command("retrieval", help=_RETRIEVAL_HELP, no_args_is_help=True)(retrieval)
    group.command("study", help=eval_study.HELP, no_args_is_help=True)(eval_study.study)
    app.add_typer(group, name="eval")


def segmentation(
    images: Annotated[
        Path | None, typer.Option("--images", metavar="DIR", help="Folder of photos.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option("--masks", metavar="DIR", help="Folder of true masks.")
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option("--split", metavar="CSV", help="Only the photos of one split of this CSV."),
    ] = None,
    split_name: Annotated[
        str, typer.Option("--split-name", metavar="NAME", help="Which split of --split.")
    ] = "val",
    method: Annotated[
        Method, typer.Option("--method", help="Segment by the bundle's network, or by GrabCut.")
    ] = Method.model,
    refine: RefineOption = RefineChoice.none,
    flip: FlipOption = False,
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", metavar="PNG", help="Write a contact sheet of the worst ten."),
    ] = None,
    bundle: BundleOption = None,
    threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Evaluate segmentation; see ``_SEGMENTATION_HELP``."""
    console.settings.quiet = as_json
    if (images is None) != (masks is None):
        raise typer.BadParameter("--images and --masks go together")
    if images is None and split is None:
        raise typer.BadParameter("name the photos: --images DIR --masks DIR, or --split CSV")
    if method is Method.grabcut and bundle is not None:
        raise typer.BadParameter("--method grabcut uses no bundle")
    if method is Method.grabcut and (flip or refine is not RefineChoice.none):
        raise typer.BadParameter("--refine and --flip go with --method model")
    if sheet is not None and sheet.suffix.lower() != ".png":
        raise typer.BadParameter(f"--sheet {sheet}: end it in .png")

    from edgeseg.evaluation.segmentation import evaluate_segmentation, worst_sheet

    pairing = pairing_of(images, masks, split, split_name)
    # Told under --json too, on stderr: a figure over a part of the photos must not pass for one
    # over all of them.
    for path in pairing.unmatched[:_MAX_TOLD_FILES]:
        console.print_error(f"{path} has no partner and is left out")
    if len(pairing.unmatched) > _MAX_TOLD_FILES:
        console.print_error(f"... and {len(pairing.unmatched) - _MAX_TOLD_FILES} more")
    predict = _predict(method, bundle, threads, segmenter_options(refine, flip))
    with console.progress_reporter("segmenting") as report:
        scores = evaluate_segmentation(pairing.pairs, predict, on_progress=report)
    if sheet is not None:
        from edgeseg.files import write_atomic
        from edgeseg.imaging import encode_png

        write_atomic(sheet, encode_png(worst_sheet(scores, predict)))
    document = scores.to_dict()
    if as_json:
        console.print_json({**document, "refine": refine.value, "flip": flip})
        return
    rows = [
        (name, str(value) if name == "images" else f"{value:.4f}")
        for name, value in document.items()
    ]
    console.print_table(("figure", method.value), rows)
    if sheet is not None:
        console.print_line(str(sheet))


def pairing_of(
    images: Path | None, masks: Path | None, split: Path | None, split_name: str
) -> Pairing:
    """The labelled photos that the options of these names stand for."""
    from edgeseg.evaluation.labelled import pair_by_stem, pairs_of_split, restrict

    if images is not None and masks is not None:
        pairing = pair_by_stem(images, masks)
        return restrict(pairing, split, split_name) if split is not None else pairing
    if split is None:
        raise typer.BadParameter("name the photos: --images DIR --masks DIR, or --split CSV")
    return pairs_of_split(split, split_name)


def _predict(
    method: Method, bundle: Path | None, threads: int, options: SegmenterOptions
) -> Predict:
    if method is Method.grabcut:
        from edgeseg.grabcut import grabcut_mask

        return grabcut_mask
    from edgeseg.segmenter import Segmenter

    segmenter = Segmenter(bundle, threads, options)
    return lambda photo: segmenter.segment(photo).category_mask != 0


def retrieval(
    queries: Annotated[
        Path, typer.Option("--queries", metavar="CSV", help="Photos and the items they show.")
    ],
    catalogue: Annotated[
        Path, typer.Option("--catalogue", metavar="CATALOGUE", help="The catalogue to search.")
    ],
    background: Annotated[
        BackgroundChoice, typer.Option("--background", help="What becomes of the background.")
    ] = BackgroundChoice.model,
    group_by: Annotated[
        str | None,
        typer.Option("--group-by", metavar="COLUMN", help="Report each value of a column too."),
    ] = None,
    bundle: BundleOption = None,
    threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Evaluate retrieval; see ``_RETRIEVAL_HELP``."""
    console.settings.quiet = as_json
    from edgeseg.catalogue import Catalogue
    from edgeseg.evaluation.retrieval import evaluate_retrieval, read_queries
    from edgeseg.matcher import Matcher

    asked = read_queries(queries, group_by, masks=background is BackgroundChoice.mask)
    matcher = Matcher(Catalogue.open(catalogue), bundle, threads=threads)
    with console.progress_reporter("matching") as report:
        scores = evaluate_retrieval(asked, matcher, background.value, on_progress=report)
    if scores.not_in_catalogue:
        console.print_error(
            f"{len(scores.not_in_catalogue)} of the items asked for are not in {catalogue} and "
            f"count as missed; the first is {scores.not_in_catalogue[0]}"
        )
    document = scores.to_dict()
    if as_json:
        console.print_json(document)
        return
    named = [("all", document), *document.get("groups", {}).items()]
    console.print_table(
        ("queries of", "count", "recall@1", "recall@5", "recall@10", "MRR"),
        [_row(name, figures) for name, figures in named],
    )
    if scores.no_garment:
        console.print_line(f"no garment found in {scores.no_garment}: matched as whole photos")


def _row(name: str, figures: dict[str, Any]) -> list[str]:
    cells = [name, str(figures["queries"])]
    for figure in ("recall_at_1", "recall_at_5", "recall_at_10", "mrr"):
        low, high = figures["intervals"][figure]
        cells.append(f"{figures[figure]:.3f} ({low:.3f} to {high:.3f})")
    return cells
