"""``edgeseg compare``: what changes, photo by photo, from one network to another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeseg.cli import console
from edgeseg.cli.options import JsonOption, ThreadsOption

if TYPE_CHECKING:
    from edgeseg.evaluation.comparison import Comparison, MaskOf

_HELP = """Compare two ways of segmenting on labelled photos: who gains where, and beyond noise?

A and B are each a bundle (a file, or nano, small, base), a checkpoint (.safetensors, which needs
the train extra) or a folder of masks named like the photos. A data folder is one that `edgeseg
train segmenter --data` takes; its split `val` counts unless --split-name names another.

The change is B's IoU less A's on each photo. Its interval holds 95% of 4,000 resamples of the
photos, those of one group drawn together; B is better or worse only when all of it says so.

Examples:

\b
  edgeseg compare small new.bundle --data snapshots/
  edgeseg compare old.safetensors new.safetensors --data snapshots/ --html page.html
  edgeseg compare masks-before/ masks-after/ --data labels/ --split-name train --json
"""

_SHOWN = 5


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("compare", help=_HELP, no_args_is_help=True)(compare)


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="The old one.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="The new one.")],
    data: Annotated[
        list[Path], typer.Option(metavar="DIR", help="Labelled photos to judge by. Repeatable.")
    ],
    split_name: Annotated[
        str, typer.Option("--split-name", metavar="NAME", help="Which split of the data.")
    ] = "val",
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page with pictures of losses and gains."),
    ] = None,
    threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Compare; see ``_HELP``."""
    console.settings.quiet = as_json
    from edgeseg.evaluation import comparison
    from edgeseg.training.dataset import held_out

    photos = held_out(data, split_name)
    sides = mask_source(first, threads), mask_source(second, threads)
    with console.progress_reporter("comparing") as report:
        found = comparison.compare(photos, *sides, report)
    names = _names(first, second)
    if html is not None:
        from edgeseg.evaluation.comparison_page import comparison_page
        from edgeseg.files import write_atomic

        write_atomic(html, comparison_page(found, names, *sides).encode())
    if as_json:
        console.print_json({"first": str(first), "second": str(second), **found.to_dict()})
        return
    print_comparison(found, names)
    if html is not None:
        console.print_line(str(html))


def mask_source(source: Path, threads: int) -> MaskOf:
    """A bundle, a checkpoint or a folder of masks, as something that gives a photo's mask.

    Raises:
        EdgesegError: it cannot be opened.
        MissingExtraError: it is a checkpoint, and the ``train`` extra is absent.
    """
    if source.is_dir():
        from edgeseg.evaluation.labelled import mask_folder

        return mask_folder(source)
    if source.suffix == ".safetensors":
        from edgeseg.cli.training_options import quiet_tensorflow

        quiet_tensorflow()
        with console.needs_extra("train"):
            import keras

            from edgeseg.training.checkpoint import load_checkpoint
            from edgeseg.training.predictor import CheckpointSegmenter
        floating = CheckpointSegmenter(load_checkpoint(source), keras)
        return lambda _, photo: floating.mask(photo)
    from edgeseg.presets import bundle_path
    from edgeseg.segmenter import Segmenter

    segmenter = Segmenter(bundle_path(source), threads)
    return lambda _, photo: segmenter.segment(photo).category_mask != 0


def print_comparison(found: Comparison, names: tuple[str, str]) -> None:
    """Print the parts, the photos that changed most, and the verdict."""
    from edgeseg.evaluation.comparison_page import told

    rows = []
    parts = found.parts
    for name, part in parts.items() if len(parts) == 1 else [("all", found.whole), *parts.items()]:
        interval = f"{part.iou_change:+.4f} ({part.low:+.4f} to {part.high:+.4f})"
        first, second = f"{part.first_iou:.4f}", f"{part.second_iou:.4f}"
        rows.append((name, part.photos, first, second, interval, part.verdict))
    console.print_table(("photos of", "photos", *names, "change", "verdict"), rows)
    ordered = found.worst_first()
    shown = ordered if len(ordered) <= 2 * _SHOWN else ordered[:_SHOWN] + ordered[-_SHOWN:]
    console.print_table(
        ("most lost and most gained", *names, "change"),
        [
            (
                change.judged.photo.name,
                f"{change.first_iou:.4f}",
                f"{change.second_iou:.4f}",
                f"{change.iou_change:+.4f}",
            )
            for change in shown
        ],
    )
    console.print_line(told(found.whole, names))


def _names(first: Path, second: Path) -> tuple[str, str]:
    """Short names that differ: a run's checkpoint is always called the same."""
    if first.name != second.name:
        return first.name, second.name
    return str(first), str(second)
