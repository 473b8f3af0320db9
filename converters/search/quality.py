"""What a candidate can do: validation IoU after a short training, the same for every candidate.

The same photographs in the same order, the same seed and schedule, so that what differs is the
network. A short training ranks networks; it does not say how good each becomes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from converters.search.records import Record, WorkFolder, machine
from converters.search.space import Candidate
from edgeseg.errors import EdgesegError
from edgeseg.files import sha256_hex
from edgeseg.imaging import MASK_THRESHOLD
from edgeseg.training.dataset import Dataset, Sample, shrunk
from edgeseg.training.recipe import Schedule, SegmenterRecipe
from edgeseg.training.segmenter import OVERSAMPLING, SegmenterRun, train_segmenter

# Validated this often; the best of them counts, as in any training.
_EPOCHS = 4
# The learning rate has risen after this share of the first of them.
_WARM_UP_EPOCHS = 0.5

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ShortTraining:
    """What every candidate is trained with.

    Attributes:
        recipe: loss, optimizer, batch and augmentation; its network, input size and length are
            replaced.
        photographs: how many are shown, each changed anew every time; rounded down to whole
            batches.
        dataset: what to train and to validate on.
        folder_weights: how often each folder's photographs are drawn.
        backgrounds: pictures free of garments.
        seed: of the weights and of every random choice.
        precision: ``float32`` or ``bfloat16``.
        teacher: whose confidence the data set's targets hold, see ``Teacher.describe``; None where
            they are the labels alone.
    """

    recipe: SegmenterRecipe
    photographs: int
    dataset: Dataset
    folder_weights: Sequence[float]
    backgrounds: Sequence[NDArray[np.uint8]]
    seed: int = 0
    precision: str = "float32"
    teacher: dict[str, Any] | None = None

    @property
    def epoch_samples(self) -> int:
        """Photographs between two validations."""
        batch = self.recipe.batch
        return max(1, self.photographs // batch // _EPOCHS) * batch

    def run(self, candidate: Candidate) -> SegmenterRun:
        """A candidate's run."""
        recipe = replace(
            self.recipe,
            input_px=candidate.input_px,
            epochs=_EPOCHS,
            epoch_samples=self.epoch_samples,
            schedule=Schedule("cosine", warmup_epochs=_WARM_UP_EPOCHS),
            early_stopping_patience=_EPOCHS,
        )
        side = round(candidate.input_px * OVERSAMPLING)
        train = tuple(_shrunk(sample, side) for sample in self.dataset.train)
        return SegmenterRun(
            recipe=recipe,
            # The validation photographs stay as they are: every candidate is judged on the same.
            dataset=replace(self.dataset, train=train),
            folder_weights=self.folder_weights,
            backgrounds=self.backgrounds,
            seed=self.seed,
            precision=self.precision,
            network=candidate.network,
            teacher=self.teacher,
        )

    def set_up(self) -> Record:
        """What must be the same for two candidates to be compared; JSON types."""
        whole = SegmenterRun(
            self.recipe, self.dataset, self.folder_weights, self.backgrounds, self.seed,
            self.precision, teacher=self.teacher,
        )  # fmt: skip
        text = json.dumps([whole.describe(), self.epoch_samples, _EPOCHS], sort_keys=True)
        return {
            "folders": list(self.dataset.names),
            "folder_weights": list(self.folder_weights),
            "train_photographs": len(self.dataset.train),
            "photographs": _EPOCHS * self.epoch_samples,
            "seed": self.seed,
            "precision": self.precision,
            "teacher": None if self.teacher is None else self.teacher["model_version"],
            "digest": sha256_hex(text.encode()),
        }


def _shrunk(sample: Sample, side_px: int) -> Sample:
    """A sample as small as a network of that input would be trained on: no pixel is skipped."""
    mask = shrunk(sample.mask * np.uint8(255), side_px)
    return replace(
        sample,
        image=shrunk(sample.image, side_px),
        mask=(mask >= MASK_THRESHOLD).astype(np.uint8),
        target=None if sample.target is None else shrunk(sample.target, side_px),
    )


def train_candidates(
    candidates: Sequence[Candidate],
    folder: WorkFolder,
    training: ShortTraining,
    on_progress: OnProgress | None = None,
) -> list[Record]:
    """Trains each candidate that has no record of this training yet.

    Args:
        candidates: what to train; float32 peers are refused.
        folder: keeps records and training states: a run that was killed goes on from its last
            validation.
        training: the same for all.
        on_progress: called with (step, steps done, steps in all).

    Returns:
        The candidates' records: ``training`` with ``iou`` (mean by folder; of a folder without
        validation photographs there is none), ``score`` (their mean), ``seconds`` and ``machine``,
        and ``set_up``, which tells one training from another.

    Raises:
        EdgesegError: a candidate is a peer, or the work folder cannot be used.
        DatasetError: a folder with a weight has nothing to train on.
    """
    tell: OnProgress = on_progress or (lambda _step, _done, _total: None)
    set_up = training.set_up()
    if peers := [c.name for c in candidates if c.quantization == "none"]:
        raise EdgesegError(f"{peers[0]} is a peer to measure, not a candidate to train")
    records = []
    for candidate in candidates:
        record = folder.read("training", candidate)
        if record is None or record["set_up"] != set_up:
            found = _trained(candidate, training.run(candidate), folder, set_up, tell)
            record = folder.write("training", candidate, {"set_up": set_up, "training": found})
        records.append(record)
    return records


def _trained(
    candidate: Candidate,
    run: SegmenterRun,
    folder: WorkFolder,
    set_up: Record,
    tell: OnProgress,
) -> Record:
    steps = (run.recipe.epoch_samples or 0) // run.recipe.batch
    label = f"{set_up['photographs']}-{set_up['seed']}-{set_up['digest'][:8]}"

    def on_step(epoch: int, step: int, _loss: float) -> None:
        tell(f"training {candidate.name}", epoch * steps + step, _EPOCHS * steps)

    history = train_segmenter(run, folder.run_folder(candidate, label), on_step=on_step)
    # A network and its optimizer stay in Keras's global state otherwise.
    keras.backend.clear_session()
    best = history.epochs[history.best_epoch]
    return {
        "iou": {
            name: best[f"iou_mean/{name}"]
            for name in run.dataset.names
            if f"iou_mean/{name}" in best
        },
        "score": best["score"],
        "seconds": sum(epoch["seconds"] for epoch in history.epochs),
        "machine": machine(),
    }
