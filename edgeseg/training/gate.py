"""Whether a retrained network may take the old one's place.

Retraining is only to help: the new network must be better than the old one on the photographs held
out, by more than chance would give, and must be worse in none of the folders, also those of old
photographs. Otherwise the old one stays. Both are left on the disk either way.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from edgeseg.evaluation.comparison import Comparison, JudgedPhoto, MaskOf, compare
from edgeseg.files import write_atomic
from edgeseg.training.checkpoint import Checkpoint
from edgeseg.training.predictor import CheckpointSegmenter

KEPT_FILE = "kept.safetensors"
VERDICT_FILE = "gate.json"


@dataclass(frozen=True)
class Gate:
    """What was decided.

    Attributes:
        passed: whether the new network takes the old one's place.
        reason: why, in one line.
        comparison: what the decision rests on.
    """

    passed: bool
    reason: str
    comparison: Comparison

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"passed": self.passed, "reason": self.reason, **self.comparison.to_dict()}


def judge(
    old: Checkpoint,
    new: Checkpoint,
    photos: list[JudgedPhoto],
    framework: ModuleType,
    on_progress: Callable[[int, int], None] | None = None,
) -> Gate:
    """Compare two segmenters on photographs that neither was trained on.

    Args:
        old: what is in use.
        new: what was trained from it.
        photos: held out, of all data folders.
        framework: ``keras``.
        on_progress: called with (done, total) after each photograph.

    Raises:
        DatasetError: there are none.
        PhotoError: one cannot be read.
    """
    return decide(compare(photos, _masks(old, framework), _masks(new, framework), on_progress))


def decide(comparison: Comparison) -> Gate:
    """The rule of the gate, on figures alone."""
    whole = comparison.whole
    told = (
        f"IoU {whole.first_iou:.4f} before, {whole.second_iou:.4f} after: {whole.iou_change:+.4f} "
        f"({whole.low:+.4f} to {whole.high:+.4f}) on {whole.photos} photographs held out"
    )
    worse = [name for name, part in comparison.parts.items() if part.verdict == "worse"]
    if worse:
        lost = comparison.parts[worse[0]]
        return Gate(
            False,
            f"worse on {worse[0]} by {-lost.iou_change:.4f} "
            f"({-lost.high:.4f} to {-lost.low:.4f}); {told}",
            comparison,
        )
    if whole.verdict == "better":
        return Gate(True, f"better beyond noise; {told}", comparison)
    return Gate(False, f"not better beyond noise; {told}", comparison)


def settle(gate: Gate, old: Path, new: Path, run_folder: Path) -> Path:
    """Write the decision down, and the checkpoint to go on with under one name.

    Args:
        gate: the decision.
        old: checkpoint that the run started from; it stays where it is.
        new: the run's own; it stays where it is.
        run_folder: gets ``gate.json`` and ``kept.safetensors``.

    Returns:
        The path of ``kept.safetensors``: a copy of one of the two, whole at any time.

    Raises:
        EdgesegError: one of them cannot be written.
    """
    kept = run_folder / KEPT_FILE
    write_atomic(kept, (new if gate.passed else old).read_bytes())
    text = json.dumps(gate.to_dict(), indent=1)
    write_atomic(run_folder / VERDICT_FILE, text.encode())
    return kept


def _masks(checkpoint: Checkpoint, framework: ModuleType) -> MaskOf:
    segmenter = CheckpointSegmenter(checkpoint, framework)
    return lambda _, photo: segmenter.mask(photo)
