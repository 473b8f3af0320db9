"""What workers confirmed, as commands take it: the option, and what is told of what was read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli import console

if TYPE_CHECKING:
    from edgeseg.sync.gathered import Gathering

ConfirmationsOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE_OR_DIR",
        help="What workers confirmed: a file of JSON lines, or a fleet's folder of reports. "
        "Repeatable.",
    ),
]


def tell(gathering: Gathering, *notes: str) -> None:
    """Tell what was passed over of a gathering that was read, and further notes; a line each."""
    for note in (*gathering.problems(), *notes):
        console.print_note(note)


def passed_over(gathering: Gathering) -> dict[str, Any]:
    """What was passed over of a gathering that was read, for JSON."""
    return {
        "damaged_lines": gathering.damaged,
        "unread_files": gathering.unread,
        "files_left_out": gathering.beyond,
    }
