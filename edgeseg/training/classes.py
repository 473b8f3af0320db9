"""Trains a network to tell classes apart: recipe in, run folder with the best checkpoint out.

A run has stages (random crops, then whole photographs), each with a folder and a state of its own
inside the run's folder; a stage starts from the best weights of the one before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from edgeseg.errors import DatasetError
from edgeseg.evaluation.classes import evaluate_samples
from edgeseg.files import read_bounded, write_atomic
from edgeseg.limits import MAX_CHECKPOINT_BYTES
from edgeseg.training.checkpoint import Checkpoint, get_weights, load_checkpoint, set_weights
from edgeseg.training.class_predictor import ClassPredictor
from edgeseg.training.classes_data import ClassDataset, digest, random_crop
from edgeseg.training.classes_recipe import ClassesRecipe, Stage
from edgeseg.training.devices import over_devices
from edgeseg.training.fit import Batch, History, compiled, fit
from edgeseg.training.losses import VoidCrossEntropy

CHECKPOINT_FILE = "segmenter.safetensors"


@dataclass(frozen=True, eq=False)
class ClassesRun:
    """Everything that a run is made of.

    Attributes:
        recipe: how to train.
        dataset: what to train and to validate on.
        seed: of the weights and of every random choice.
        precision: ``float32``, or ``bfloat16`` for the layers' arithmetic (weights stay float32).
    """

    recipe: ClassesRecipe
    dataset: ClassDataset
    seed: int = 0
    precision: str = "float32"

    def describe(self) -> dict[str, Any]:
        """What must be the same for a run to be continued; JSON types."""
        return {
            "recipe": self.recipe.to_dict(),
            "train_photographs": len(self.dataset.train),
            "train_digest": digest(self.dataset.train),
            "val_digest": digest(self.dataset.val),
            "seed": self.seed,
            "precision": self.precision,
        }


def train_classes(
    run: ClassesRun,
    run_folder: Path,
    *,
    devices: int = 1,
    on_step: Callable[[int, int, float], None] | None = None,
    on_epoch: Callable[[str, Mapping[str, float]], None] | None = None,
) -> dict[str, History]:
    """Trains, leaving the best checkpoint of all stages in ``run_folder / CHECKPOINT_FILE``.

    A state of the same run in ``run_folder`` is continued, on whatever devices it was written.

    Args:
        run: what to do.
        run_folder: made where it is not there.
        devices: how many share each step; see :mod:`edgeseg.training.devices`.
        on_step: called with (epoch, step, mean loss so far).
        on_epoch: called with the stage's name and the epoch's record.

    Returns:
        What happened in each stage, by its name.

    Raises:
        DevicesError: they are not to be had, or cannot share a stage's batch.
        DatasetError: photographs of several sizes would have to go into one step.
        FormatError: ``run_folder`` holds another run.
    """
    with over_devices(devices, run.recipe.batches):
        return _train_stages(run, run_folder, on_step, on_epoch)


def _train_stages(
    run: ClassesRun,
    run_folder: Path,
    on_step: Callable[[int, int, float], None] | None,
    on_epoch: Callable[[str, Mapping[str, float]], None] | None,
) -> dict[str, History]:
    described, recipe = run.describe(), run.recipe
    predictor = ClassPredictor(
        recipe.architecture, recipe.preprocessing, recipe.validation_statistics
    )
    histories: dict[str, History] = {}
    start, best_score = None, -np.inf
    for number, stage in enumerate(recipe.stages):
        _check_sizes(run.dataset, stage)
        folder = run_folder / stage.name
        training = recipe.training(stage)
        model = compiled(
            partial(_build, recipe, stage), VoidCrossEntropy(), training, run.seed, run.precision
        )
        if start is not None:
            set_weights(model, load_checkpoint(start).weights)
        task = _StageTask(run, described, number, model, predictor, folder / CHECKPOINT_FILE)
        history = fit(
            model,
            task,
            folder,
            {**described, "stage": stage.name},
            training,
            on_step=on_step,
            on_epoch=None if on_epoch is None else _named(on_epoch, stage.name),
        )
        histories[stage.name] = history
        start = task.checkpoint
        score = history.epochs[history.best_epoch]["score"]
        if score > best_score:
            best_score = score
            data = read_bounded(start, MAX_CHECKPOINT_BYTES, "checkpoint")
            write_atomic(run_folder / CHECKPOINT_FILE, data)
    return histories


class _StageTask:
    """Batches, validation and checkpoint of a stage; see ``fit.Task``."""

    def __init__(
        self,
        run: ClassesRun,
        described: dict[str, Any],
        number: int,
        model: Any,
        predictor: ClassPredictor,
        checkpoint: Path,
    ) -> None:
        self.run = run
        self.described = described
        self.number = number
        self.stage = run.recipe.stages[number]
        self.model = model
        self.predictor = predictor
        self.checkpoint = checkpoint
        self.epoch_steps = max(1, len(run.dataset.train) // self.stage.batch)

    def batches(self, epoch: int) -> Iterator[Batch]:
        stage, train, seed = self.stage, self.run.dataset.train, self.run.seed
        stride = self.run.recipe.architecture.total_stride
        rng = np.random.default_rng([seed, self.number, epoch])
        order = np.resize(rng.permutation(len(train)), self.epoch_steps * stage.batch)
        for step in range(self.epoch_steps):
            images, ids = [], []
            for place in range(step * stage.batch, (step + 1) * stage.batch):
                rng = np.random.default_rng([seed, self.number, epoch, place])
                image, labels = random_crop(
                    train[order[place]], stage.crop_px, stage.flip, stride, rng
                )
                images.append(image)
                ids.append(labels)
            yield self.predictor.preprocessing.normalized(np.stack(images)), np.stack(ids)

    def evaluate(self) -> dict[str, float]:
        """Mean IoU, which is the ``score``, and accuracy, on whole photographs."""
        self.predictor.load(get_weights(self.model))
        recipe = self.run.recipe
        scores = evaluate_samples(
            ((s.pair, s.image, s.ids) for s in self.run.dataset.val),
            self.predictor,
            recipe.classes,
            recipe.validation_batch,
        )
        return {
            "score": scores.mean_iou,
            "val/mean_iou": scores.mean_iou,
            "val/accuracy": scores.accuracy,
        }

    def keep(self, figures: dict[str, float]) -> None:
        recipe = self.run.recipe
        statistics = recipe.validation_statistics
        Checkpoint(
            kind="segmenter",
            network=recipe.architecture,
            preprocessing=recipe.preprocessing,
            weights=get_weights(self.model),
            classes=recipe.classes,
            evaluation={**figures, "stage": self.stage.name, "statistics": statistics},
            run=self.described,
            model_version=f"{recipe.network}-{len(recipe.classes)}-classes",
        ).save(self.checkpoint)


def _build(recipe: ClassesRecipe, stage: Stage, framework: ModuleType, _input_px: int) -> Any:
    """The network at the stage's own input size, open where it trains on whole photographs."""
    return recipe.architecture.build(framework, stage.crop_px)


def _check_sizes(dataset: ClassDataset, stage: Stage) -> None:
    sizes = {sample.ids.shape for sample in dataset.train}
    if stage.crop_px is None and stage.batch > 1 and len(sizes) > 1:
        raise DatasetError(
            f"the stage {stage.name} puts {stage.batch} whole photographs into a step, and they "
            f"have {len(sizes)} sizes: use a batch of 1, or crops"
        )


def _named(
    on_epoch: Callable[[str, Mapping[str, float]], None], name: str
) -> Callable[[dict[str, float]], None]:
    return lambda record: on_epoch(name, record)
