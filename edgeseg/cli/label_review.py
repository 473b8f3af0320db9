"""``edgeseg label review``: labels that deserve a second look."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgeseg.cli import console
from edgeseg.cli.options import BundleOption, JsonOption, ThreadsOption

_HELP = """List labels that the network confidently contradicts, worst first.

LABELS is a label set, of which the accepted labels are taken, or a training folder. What counts is
how much of a photo the network is surely of another mind about, by confident learning; strips as
thin as two people's outlines differ by do not count, nor does what the network is unsure of. --html
writes a page with both masks side by side.

A network that learnt from these very labels has learnt some of their errors: --bundle names another
one, trained on other labels, where you have it.

Examples:

\b
  edgeseg label review labels --html second-look.html
  edgeseg label review training/ -n 50 --bundle other.bundle
  edgeseg label review labels --json
"""


def register(group: typer.Typer) -> None:
    """Add the command to the group ``label``."""
    group.command("review", help=_HELP, no_args_is_help=True)(review)


def review(
    labels: Annotated[
        Path, typer.Argument(metavar="LABELS", help="A label set, or a training folder.")
    ],
    count: Annotated[
        int, typer.Option("-n", "--count", min=1, help="How many labels to show.")
    ] = 20,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with both masks of each.")
    ] = None,
    bundle: BundleOption = None,
    threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Look a second time; see ``_HELP``."""
    console.settings.quiet = as_json
    from edgeseg.cli.label_sources import labelled_photos
    from edgeseg.labelling.review import review_labels
    from edgeseg.postprocess import SegmenterOptions
    from edgeseg.presets import bundle_path
    from edgeseg.segmenter import Segmenter

    photos = labelled_photos(labels)
    segmenter = Segmenter(bundle_path(bundle), threads, SegmenterOptions(flip=True))
    with console.progress_reporter("looking again") as report:
        reviewed = review_labels(photos, segmenter, report)
    shown = list(enumerate(reviewed.worst_first[:count], start=1))
    if html is not None:
        from edgeseg.files import write_atomic
        from edgeseg.labelling.review_page import review_page

        write_atomic(html, review_page(reviewed, segmenter, count).encode())
    if as_json:
        console.print_json(
            {
                "labels": len(photos),
                "suspected": reviewed.suspected,
                "photos": [{"place": place, **each.to_dict()} for place, each in shown],
            }
        )
        return
    console.print_table(
        ("", "photo", "contradicted", "IoU", "why"),
        [
            (
                place,
                each.photo.name,
                f"{each.suspicion.score:.1%}",
                f"{each.suspicion.iou:.3f}",
                each.suspicion.reason,
            )
            for place, each in shown
        ],
    )
    console.print_line(
        f"{reviewed.suspected} of {len(photos)} labels are contradicted somewhere"
        + (f"; {html}" if html is not None else "")
    )
