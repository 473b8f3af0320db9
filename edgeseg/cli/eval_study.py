"""``edgeseg eval study``: embedders, backgrounds and gallery sizes compared in one run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeseg.cli import console
from edgeseg.cli.options import BackgroundChoice, JsonOption

if TYPE_CHECKING:
    from edgeseg.evaluation.entrants import Entrant
    from edgeseg.evaluation.retrieval import Background, Figures, Query
    from edgeseg.evaluation.retrieval_study import Study

HELP = """Compare embedders, backgrounds and gallery sizes on photos whose item is known.

Unlike `eval retrieval`, which measures one bundle on a catalogue that is already built, this
embeds the gallery itself, by each embedder in turn: those of one or more bundles, a colour
histogram, and with --peer any TFLite feature extractor, as it is and brought to the first bundle's
length by PCA. Each is told with the gallery's pictures as they are ("picture") and as edgeseg
describes them ("two_views"). Networks run on one thread, so that the milliseconds compare.

QUERIES is a CSV with the columns `image` and `sku`, optionally `mask`, and any columns to group by;
ITEMS is as for `index build`. Without --background all are compared: `none` (left in), `grabcut`,
`model` (by each bundle's own segmenter) and, if every query has a mask, `mask`.

--sweep repeats the search among 100 to 100,000 items. Beyond the real number there are perturbed
copies of the gallery's embeddings, which is said wherever they count.

Examples:

\b
  edgeseg eval study --queries queries.csv --gallery items.csv --report study.html
  edgeseg eval study --queries queries.csv --gallery items.csv --group-by view --sweep \\
      --peer mobilenet.tflite --report study.html
  edgeseg eval study --queries queries.csv --gallery items.csv --background model \\
      --bundle int8.bundle --bundle float32.bundle --json
"""

_FIGURES = (("recall@1", "recall_at_1"), ("recall@5", "recall_at_5"), ("recall@10", "recall_at_10"))


def study(
    queries: Annotated[
        Path, typer.Option("--queries", metavar="CSV", help="Photos and the items they show.")
    ],
    gallery: Annotated[
        Path, typer.Option("--gallery", metavar="ITEMS", help="ITEMS.csv, or a folder.")
    ],
    bundle: Annotated[
        list[str] | None,
        typer.Option(
            "--bundle",
            metavar="BUNDLE",
            help="A file, or nano, small or base; repeat to compare with the first.",
        ),
    ] = None,
    peer: Annotated[
        list[Path] | None,
        typer.Option("--peer", metavar="TFLITE", help="A feature extractor; repeatable."),
    ] = None,
    background: Annotated[
        list[BackgroundChoice] | None,
        typer.Option("--background", help="What becomes of the background; repeatable."),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option("--group-by", metavar="COLUMN", help="Report each value of a column too."),
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Search among 100 to 100,000 items as well.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="HTML", help="Write a page with the worst misses."),
    ] = None,
    worst: Annotated[
        int, typer.Option("--worst", min=0, max=200, help="How many misses the page shows.")
    ] = 12,
    as_json: JsonOption = False,
) -> None:
    """Compare; see ``HELP``."""
    console.settings.quiet = as_json
    if report is not None and report.suffix.lower() != ".html":
        raise typer.BadParameter(f"--report {report}: end it in .html")
    if report is not None and not report.absolute().parent.is_dir():
        # Told now, and not after minutes of work.
        raise typer.BadParameter(f"--report {report}: its folder does not exist")
    for option, named in (("--bundle", bundle or []), ("--peer", peer or [])):
        if len({Path(each) for each in named}) < len(named):
            raise typer.BadParameter(f"{option}: the same one is named twice")
    from edgeseg.evaluation.gallery_sweep import SIZES
    from edgeseg.evaluation.retrieval_report import write_report
    from edgeseg.evaluation.retrieval_study import run_study
    from edgeseg.items import read_items

    asked, backgrounds = _queries(queries, group_by, background)
    items = read_items(gallery)
    entrants = _entrants(bundle, peer or [])
    with _stages() as on_progress:
        done = run_study(
            items,
            asked,
            entrants,
            backgrounds,
            sizes=SIZES if sweep else (),
            on_progress=on_progress,
        )
    if report is not None:
        write_report(report, done, entrants[0], worst)
    if done.not_in_gallery:
        console.print_error(
            f"{len(done.not_in_gallery)} of the items asked for are not in {gallery} and count as "
            f"missed; the first is {done.not_in_gallery[0]}"
        )
    if as_json:
        told = None if report is None else str(report)
        console.print_json({**done.to_dict(), "report": told})
        return
    _print_results(done)
    _print_sweep(done)
    if report is not None:
        console.print_line(str(report))


def _queries(
    table: Path, group_by: str | None, chosen: Sequence[BackgroundChoice] | None
) -> tuple[list[Query], list[Background]]:
    from edgeseg.evaluation.retrieval import BACKGROUNDS, read_queries

    asked = read_queries(table, group_by)
    if chosen is None:
        masked = all(query.mask is not None for query in asked)
        names = {name for name in BACKGROUNDS if masked or name != "mask"}
    else:
        names = {choice.value for choice in chosen}
    if "mask" in names:
        # Once more, so that a mask whose file is missing is told now.
        asked = read_queries(table, group_by, masks=True)
    return asked, [name for name in BACKGROUNDS if name in names]


def _entrants(bundles: Sequence[str] | None, peers: Sequence[Path]) -> list[Entrant]:
    """Bundles, then peers, then the histogram; the last two use the first bundle's cutouts."""
    from edgeseg.embedder import Embedder
    from edgeseg.evaluation.entrants import Entrant
    from edgeseg.evaluation.peers import HistogramPeer, TflitePeer
    from edgeseg.presets import DEFAULT_PRESET, open_bundle
    from edgeseg.segmenter import Segmenter

    sources = bundles or [DEFAULT_PRESET]
    named = [*map(Path, sources), *peers]
    short = {path.name for path in named}
    names = {path: path.name if len(short) == len(named) else str(path) for path in named}
    entrants: list[Entrant] = []
    segmenters: dict[tuple[bytes, object], Segmenter] = {}
    for source in sources:
        opened = open_bundle(source)
        # Bundles with one and the same segmenter share its cutouts, and the time that they take.
        key = (opened.segmenter_model, opened.manifest.segmenter)
        if key not in segmenters:
            segmenters[key] = Segmenter(opened)
        enough_px = opened.manifest.segmenter.preprocessing.input_px
        entrants.append(
            Entrant(names[Path(source)], Embedder(opened), segmenters[key], enough_px=enough_px)
        )
    first = entrants[0]
    for path in peers:
        entrants.append(Entrant(names[path], TflitePeer(path), first.segmenter, first.embedder.dim))
    return [*entrants, Entrant("colour histogram", HistogramPeer(), first.segmenter)]


@contextlib.contextmanager
def _stages() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar that starts anew with each stage."""
    with contextlib.ExitStack() as bar:
        shown: dict[str, Callable[[int, int], None]] = {}

        def on_progress(stage: str, done: int, total: int) -> None:
            if stage not in shown:
                bar.close()
                shown[stage] = bar.enter_context(console.progress_reporter(stage))
            shown[stage](done, total)

        yield on_progress


def _print_results(done: Study) -> None:
    groups = list(done.product.groups)
    ms = {method.name: method.embed_p50_ms for method in done.methods}
    columns = ["embedder", "gallery", *(name for name, _ in _FIGURES)]
    columns += [f"{group}: recall@10" for group in groups] + ["p50 ms"]
    for background in done.backgrounds:
        console.print_line(f"background: {background}")
        console.print_table(
            columns,
            [
                [
                    each.method,
                    each.gallery_views,
                    *(_cell(each.overall, key) for _, key in _FIGURES),
                    *(_cell(each.groups[group], "recall_at_10") for group in groups),
                    f"{ms[each.method]:.2f}",
                ]
                for each in done.results
                if each.background == background
            ],
        )


def _cell(figures: Figures, key: str) -> str:
    low, high = figures.intervals[key]
    return f"{getattr(figures, key):.3f} ({low:.2f} to {high:.2f})"


def _print_sweep(done: Study) -> None:
    swept = [(each, each.sweep) for each in done.results if each.sweep is not None]
    if not swept:
        return
    real = len(done.items)
    sizes = [point.items for point in swept[0][1].points]
    columns = [f"recall@10, {done.product.background}, among"]
    columns += [f"{size:,}{'*' if size > real else ''}" for size in sizes]
    rows = [
        [
            f"{each.method}, {each.gallery_views}",
            *(f"{point.recall['recall_at_10']:.3f}" for point in sweep.points),
            "-" if sweep.check is None else f"{sweep.check.recall['recall_at_10']:.3f}",
        ]
        for each, sweep in swept
    ]
    console.print_table([*columns, f"{real:,}, a third real*"], rows)
    console.print_line(
        "* filled up with perturbed copies of real embeddings: a projection, which flatters where "
        f"the last column is above that of {real:,}"
    )
