"""Trains a segmenter from labelled folders: recipe in, run folder with the best checkpoint out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.evaluation.metrics import iou
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.augment import augment
from edgeseg.training.checkpoint import (
    Checkpoint,
    Weights,
    get_weights,
    set_weights,
    weights_digest,
)
from edgeseg.training.dataset import Dataset, digest
from edgeseg.training.devices import over_devices, shared
from edgeseg.training.fit import Batch, History, compiled, fit
from edgeseg.training.losses import BceSoftIou
from edgeseg.training.networks import SEGMENTERS, SegmenterNetwork
from edgeseg.training.recipe import SegmenterRecipe
from edgeseg.training.sampling import sampling_of

CHECKPOINT_FILE = "segmenter.safetensors"
# Photographs are kept this much larger than the network's input, so that a zoom has pixels to show.
OVERSAMPLING = 1.5
_THRESHOLD = 0.5


@dataclass(frozen=True)
class SegmenterRun:
    """Everything that a run is made of.

    Attributes:
        recipe: how to train.
        dataset: what to train and to validate on.
        folder_weights: how often a folder's photographs are drawn, against the other folders'.
        backgrounds: pictures free of garments.
        seed: of the weights and of every random choice.
        precision: ``float32``, or ``bfloat16`` for the layers' arithmetic (weights stay float32).
        network: another network than the recipe names.
        start: weights to start from; None draws them from the seed.
        teacher: what the targets come from, see ``teacher.Teacher.describe``; None without one.
        replayed: folders, by index, that the start weights have learnt already; see
            :mod:`edgeseg.training.sampling`.
    """

    recipe: SegmenterRecipe
    dataset: Dataset
    folder_weights: Sequence[float]
    backgrounds: Sequence[NDArray[np.uint8]]
    seed: int = 0
    precision: str = "float32"
    network: SegmenterNetwork | None = None
    start: Weights | None = None
    teacher: dict[str, Any] | None = None
    replayed: frozenset[int] = frozenset()

    @property
    def trained_network(self) -> SegmenterNetwork:
        """The network that is trained."""
        return SEGMENTERS[self.recipe.network] if self.network is None else self.network

    def describe(self) -> dict[str, Any]:
        """What must be the same for a run to be continued; JSON types."""
        return {
            "recipe": self.recipe.to_dict(),
            "network": self.trained_network.to_dict(),
            "start_digest": None if self.start is None else weights_digest(self.start),
            "teacher": self.teacher,
            "folders": list(self.dataset.names),
            "folder_weights": list(self.folder_weights),
            "replayed": sorted(self.dataset.names[folder] for folder in self.replayed),
            "train_photographs": len(self.dataset.train),
            "train_digest": digest(self.dataset.train),
            "val_digest": digest(self.dataset.val),
            "backgrounds": len(self.backgrounds),
            "seed": self.seed,
            "precision": self.precision,
        }


def train_segmenter(
    run: SegmenterRun,
    run_folder: Path,
    *,
    devices: int = 1,
    on_step: Callable[[int, int, float], None] | None = None,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
) -> History:
    """Trains, keeping the best checkpoint in ``run_folder / CHECKPOINT_FILE``.

    A state of the same run in ``run_folder`` is continued, on whatever devices it was written.

    Args:
        run: what to do.
        run_folder: made where it is not there.
        devices: how many share each step; see :mod:`edgeseg.training.devices`.
        on_step: called with (epoch, step, mean loss so far).
        on_epoch: called with the epoch's record.

    Raises:
        DevicesError: they are not to be had, or cannot share the recipe's batch.
        DatasetError: the folders and their weights leave nothing to train on, see ``sampling_of``.
        FormatError: ``run_folder`` holds another run.
        ModelContractError: the start weights are of another network.
    """
    recipe = run.recipe
    with over_devices(devices, {"the recipe": recipe.batch}):
        model = compiled(
            run.trained_network.build,
            BceSoftIou(recipe.iou_weight),
            recipe,
            run.seed,
            run.precision,
        )
        if run.start is not None:
            set_weights(model, run.start)
        return fit(
            model,
            _SegmenterTask(run, model, run_folder / CHECKPOINT_FILE),
            run_folder,
            run.describe(),
            recipe,
            on_step=on_step,
            on_epoch=on_epoch,
        )


class _SegmenterTask:
    """Batches, validation and checkpoint of a segmenter; see ``fit.Task``."""

    def __init__(self, run: SegmenterRun, model: Any, checkpoint: Path) -> None:
        recipe = run.recipe
        self.run = run
        self.model = model
        self.checkpoint = checkpoint
        self.preprocessing = Preprocessing(
            input_px=recipe.input_px, resize="stretch", scale=recipe.scale, offset=recipe.offset
        )
        self.sampling = sampling_of(
            run.dataset,
            run.folder_weights,
            run.replayed,
            recipe.batch,
            recipe.epoch_samples,
            recipe.replay_share,
        )
        self.epoch_steps = self.sampling.steps
        self.val_inputs = self.preprocessing.normalized(
            np.stack([self.preprocessing.resized(s.image) for s in run.dataset.val])
        )

    def batches(self, epoch: int) -> Iterator[Batch]:
        recipe, size = self.run.recipe, self.run.recipe.input_px
        order = self.sampling.order(np.random.default_rng([self.run.seed, epoch]))
        for step in range(self.epoch_steps):
            images = np.empty((recipe.batch, size, size, 3), np.uint8)
            masks = np.empty((recipe.batch, size, size, 1), np.float32)
            for slot in range(recipe.batch):
                place = step * recipe.batch + slot
                sample = self.run.dataset.train[order[place]]
                rng = np.random.default_rng([self.run.seed, epoch, place])
                image, soft = augment(
                    sample.image,
                    sample.mask,
                    size,
                    recipe.augmentation,
                    self.run.backgrounds,
                    rng,
                    sample.target,
                )
                images[slot], masks[slot, ..., 0] = image, soft.astype(np.float32) / 255
            yield self.preprocessing.normalized(images), masks

    def evaluate(self) -> dict[str, float]:
        """IoU by folder; ``score`` is their mean, so that a large folder does not outvote one."""
        logits = np.concatenate(
            [
                np.asarray(self.model.predict_on_batch(shared(self.val_inputs[i : i + 16])))
                for i in range(0, len(self.val_inputs), 16)
            ]
        )
        scores: dict[int, list[float]] = {}
        for sample, logit in zip(self.run.dataset.val, logits, strict=True):
            height, width = sample.mask.shape
            # As a tanh, for exp overflows on logits of a network that has gone astray.
            confidence = 0.5 + 0.5 * np.tanh(0.5 * np.asarray(logit[..., 0], dtype=np.float32))
            predicted = imaging.resize(confidence, width, height) >= _THRESHOLD
            scores.setdefault(sample.folder, []).append(iou(predicted, sample.mask > 0))
        figures: dict[str, float] = {}
        for folder, values in sorted(scores.items()):
            name = self.run.dataset.names[folder]
            figures[f"iou_mean/{name}"] = float(np.mean(values))
            figures[f"iou_p10/{name}"] = float(np.percentile(values, 10))
        means = [value for key, value in figures.items() if key.startswith("iou_mean/")]
        return {"score": float(np.mean(means)), **figures}

    def keep(self, figures: dict[str, float]) -> None:
        recipe = self.run.recipe
        Checkpoint(
            kind="segmenter",
            network=self.run.trained_network,
            preprocessing=self.preprocessing,
            weights=get_weights(self.model),
            evaluation=figures,
            run=self.run.describe(),
            model_version=f"{recipe.network}-{recipe.input_px}",
        ).save(self.checkpoint)
