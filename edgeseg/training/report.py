"""Pictures of a training run: its curves, and what the network made of validation photographs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.evaluation.metrics import iou
from edgeseg.files import write_atomic
from edgeseg.montage import montage
from edgeseg.training.checkpoint import Checkpoint
from edgeseg.training.dataset import Sample
from edgeseg.training.predictor import CheckpointSegmenter

_TILE_PX = 150
_SHOWN = 10


def write_curves(epochs: Sequence[dict[str, float]], path: Path) -> None:
    """Draws loss, learning rate and validation figures over the epochs, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    numbers = [record["epoch"] for record in epochs]
    upper.plot(numbers, [record["loss"] for record in epochs], color="black", label="training loss")
    upper.set_ylabel("loss")
    rates = upper.twinx()
    rates.plot(numbers, [record["learning_rate"] for record in epochs], color="tab:grey", ls=":")
    rates.set_ylabel("learning rate (dotted)")
    named = [key for key in epochs[0] if "/" in key or "recall" in key]
    for key in named:
        lower.plot(numbers, [record[key] for record in epochs], label=key)
    best = max(epochs, key=lambda record: record["score"])
    lower.axvline(best["epoch"], color="black", lw=0.5)
    lower.set(xlabel="epoch", ylabel="validation", ylim=(None, 1))
    lower.grid(alpha=0.3)
    lower.legend(loc="lower right")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    write_atomic(path, buffer.getvalue())


def write_contact_sheet(
    checkpoint: Checkpoint, samples: Sequence[Sample], framework: Any, path: Path, seed: int = 0
) -> None:
    """Writes the worst ten and ten random photographs: photo, true mask, predicted mask, cutout.

    Args:
        checkpoint: a segmenter.
        samples: validation photographs.
        framework: ``keras``.
        path: the PNG to write.
        seed: of the choice of random ones.
    """
    segmenter = CheckpointSegmenter(checkpoint, framework)
    scored = []
    for sample in samples:
        confidence = segmenter.network_confidence(sample.image)
        height, width = sample.mask.shape
        predicted = imaging.resize_bilinear(confidence, width, height) >= 0.5
        scored.append((iou(predicted, sample.mask > 0), sample, predicted))
    scored.sort(key=lambda entry: entry[0])
    others = np.random.default_rng(seed).permutation(np.arange(_SHOWN, len(scored)))[:_SHOWN]
    tiles = []
    for score, sample, predicted in scored[:_SHOWN] + [scored[i] for i in sorted(others)]:
        cutout = sample.image.copy()
        cutout[~predicted] = 255
        tiles += [
            (sample.image, sample.path.stem[:18]),
            (_picture(sample.mask > 0), "labelled"),
            (_picture(predicted), f"IoU {score:.3f}"),
            (cutout, "cutout"),
        ]
    write_atomic(path, imaging.encode_png(montage(tiles, columns=8, tile_px=_TILE_PX)))


def _picture(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.repeat((mask * np.uint8(255))[..., None], 3, axis=2)
