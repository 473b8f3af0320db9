"""``edgeseg train segmenter --gate``: a run judged against the checkpoint that it started from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edgeseg.cli import console

if TYPE_CHECKING:
    from edgeseg.training.gate import Gate


@dataclass(frozen=True)
class JudgedRun:
    """The gate's decision, and what to go on with.

    Attributes:
        gate: the decision.
        old: checkpoint that the run started from.
        kept: copy of the one to go on with.
    """

    gate: Gate
    old: Path
    kept: Path

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"kept": str(self.kept), **self.gate.to_dict()}

    def tell(self, as_json: bool) -> None:
        """Say what was decided.

        Raises:
            typer.Exit: with the code of a failure, where the old network stays.
        """
        if not self.gate.passed:
            console.print_error(f"{self.old} stays, as {self.kept}: {self.gate.reason}")
            raise typer.Exit(console.EXIT_FAILURE)
        if not as_json:
            console.print_line(f"{self.kept}: {self.gate.reason}")


def judge_run(old: Path, new: Path, folders: Sequence[Path], run_folder: Path) -> JudgedRun:
    """Compare a run's checkpoint with its start, and settle which one to go on with.

    Args:
        old: checkpoint that the run started from.
        new: the run's own.
        folders: the labelled ones, new and old.
        run_folder: gets the decision.

    Raises:
        EdgesegError: a photograph cannot be read, or a file cannot be written.
    """
    with console.needs_extra("train"):
        import keras

        from edgeseg.training import gate
        from edgeseg.training.checkpoint import load_checkpoint
        from edgeseg.training.dataset import held_out

    photos = held_out(folders, "val")
    with console.progress_reporter("judging") as on_progress:
        decided = gate.judge(load_checkpoint(old), load_checkpoint(new), photos, keras, on_progress)
    return JudgedRun(decided, old, gate.settle(decided, old, new, run_folder))
