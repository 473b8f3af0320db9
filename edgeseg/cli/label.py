"""``edgeseg label``: automatic labels, how far a label set is, and the training folder of it."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeseg.cli import console, label_next, label_review, label_serve
from edgeseg.cli.options import BundleOption, JsonOption, ThreadsOption

if TYPE_CHECKING:
    from edgeseg.labelling.automatic import Network
    from edgeseg.labelling.records import Progress

_AUTO_HELP = """Give each photo a first mask, for a person to accept or to correct.

PHOTOS is a folder, or a CSV with the column `image` (a path relative to the CSV) and, where known,
`group` or `sender`: photos of one group never come apart in a split. LABELS is the label set, a
folder. A run that was cut off goes on where it was, and new photos are added to a set by the same
command; what a person did to a photo stays.

Methods: `segmenter` takes a bundle's confidence mask, with its edge moved onto the photo's own;
`grabcut` tells garment and background apart by colour, from a rectangle just inside the frame;
`otsu` is for studio shots on a plain ground.

Examples:

\b
  edgeseg label auto photos/ -o labels
  edgeseg label auto photos/items.csv -o labels
  edgeseg label auto studio/ -o labels --method otsu --json
"""

_STATUS_HELP = """Say how far a label set is: the states of its photos, for each group.

Photos that cannot be read are listed with the reason.

Examples:

\b
  edgeseg label status labels
  edgeseg label status labels --json
"""

_EXPORT_HELP = """Write the accepted labels as a training folder for `edgeseg train segmenter`.

Photos and masks are copied, and split.csv says of each whose label it is and how it was made. No
group stands on both sides of the split; a group's side is drawn from its name, so it stays where
it is as the set grows. The same command brings an exported folder up to date.

Examples:

\b
  edgeseg label export labels -o training/
  edgeseg label export labels -o training/ --val-share 0.1 --json
"""

LabelsArgument = Annotated[
    Path, typer.Argument(metavar="LABELS", help="The label set: a folder of `edgeseg label auto`.")
]


class MethodChoice(str, Enum):
    """How the first masks are made; the values of `labelling.records.Method`."""

    segmenter = "segmenter"
    grabcut = "grabcut"
    otsu = "otsu"


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    group = typer.Typer(
        help="Label photos: automatic masks, how far a set is, and the training folder of it.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("auto", help=_AUTO_HELP, no_args_is_help=True)(auto)
    group.command("status", help=_STATUS_HELP, no_args_is_help=True)(status)
    group.command("export", help=_EXPORT_HELP, no_args_is_help=True)(export)
    label_next.register(group)
    label_review.register(group)
    label_serve.register(group)
    app.add_typer(group, name="label")


def auto(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="A folder of photos, or a CSV.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="LABELS", help="The label set to write.")
    ],
    method: Annotated[
        MethodChoice, typer.Option("--method", help="How the first masks are made.")
    ] = MethodChoice.segmenter,
    bundle: BundleOption = None,
    threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Label a folder of photos automatically; see ``_AUTO_HELP``."""
    console.settings.quiet = as_json
    if bundle is not None and method is not MethodChoice.segmenter:
        raise typer.BadParameter(f"--bundle has no use with --method {method.value}")
    from edgeseg.labelling.automatic import label_photos, list_photos
    from edgeseg.labelling.filling import create_label_set, sweep
    from edgeseg.labelling.label_set import LabelSet

    root, listed = list_photos(photos, output)
    network = _network(bundle, threads) if method is MethodChoice.segmenter else None
    create_label_set(output, root)
    labels = LabelSet(output)
    sweep(labels)
    outcomes = label_photos(labels, listed, method.value, network)
    done = list(console.progress(outcomes, len(listed), "labelling"))
    counts = {
        outcome: sum(each.outcome == outcome for each in done)
        for outcome in ("labelled", "known", "unreadable")
    }
    problems = [each for each in done if each.problem]
    if as_json:
        told = [{"photo": each.path, "error": each.problem} for each in problems]
        console.print_json({"labels": output, "method": method.value, **counts, "problems": told})
    else:
        known = f", {counts['known']} were there" if counts["known"] else ""
        console.print_line(f"{output}: {counts['labelled']} photos labelled{known}")
    for each in problems:
        console.print_error(each.problem)
    if problems:
        raise typer.Exit(console.EXIT_FAILURE)


def status(labels: LabelsArgument, as_json: JsonOption = False) -> None:
    """Count a label set's photos; see ``_STATUS_HELP``."""
    from edgeseg.labelling.label_set import LabelSet

    opened = LabelSet(labels)
    whole, groups = opened.progress(), opened.progress_by_group()
    unreadable = opened.records("unreadable")
    if as_json:
        console.print_json(
            {
                **whole.to_dict(),
                "groups": [group.to_dict() for group in groups],
                "problems": [{"photo": each.path, "error": each.note} for each in unreadable],
            }
        )
        return
    states = ("todo", "accepted", "rejected", "skipped", "unreadable")
    rows = [_row(group.group, group) for group in groups] if len(groups) < whole.total else []
    console.print_table(
        ("group", *("to do" if state == "todo" else state for state in states), "covered"),
        [*rows, _row("all", whole)],
    )
    for each in unreadable:
        console.print_line(each.note)


def export(
    labels: LabelsArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="The training folder to write.")
    ],
    val_share: Annotated[
        float,
        typer.Option("--val-share", min=0.0, max=1.0, help="Share of the groups to validate on."),
    ] = 0.2,
    as_json: JsonOption = False,
) -> None:
    """Write a training folder; see ``_EXPORT_HELP``."""
    console.settings.quiet = as_json
    from edgeseg.labelling.export import export_labels
    from edgeseg.labelling.label_set import LabelSet

    with console.progress_reporter("exporting") as on_progress:
        done = export_labels(LabelSet(labels), output, val_share, on_progress)
    if as_json:
        console.print_json(
            {"folder": output, "train": done.train, "val": done.val, "problems": done.failures}
        )
    else:
        console.print_line(f"{output}: {done.train} photos to train, {done.val} to validate")
    for failure in done.failures:
        console.print_error(failure)
    if done.failures:
        raise typer.Exit(console.EXIT_FAILURE)


def _network(bundle: Path | None, threads: int) -> Network:
    from edgeseg.postprocess import SegmenterOptions
    from edgeseg.segmenter import Segmenter

    return Segmenter(bundle, threads, SegmenterOptions(flip=True)).network_confidence


def _row(name: str, progress: Progress) -> tuple[object, ...]:
    return (name, *progress.counts.values(), f"{progress.coverage:.0%}")
