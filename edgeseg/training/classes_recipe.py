"""Recipes that train a network to tell classes apart (``recipes/classes/*.json``)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from edgeseg.errors import DatasetError
from edgeseg.limits import MAX_CLASS_NAME_CHARS, MAX_CLASSES
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.networks.tiramisu import TIRAMISUS, Tiramisu
from edgeseg.training.recipe import (
    OPTIMIZERS,
    SCHEDULES,
    Schedule,
    TrainingRecipe,
    read_recipe,
)

FOLDER = "classes"

Statistics = Literal["moving", "batch"]
STATISTICS: tuple[Statistics, ...] = get_args(Statistics)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One part of a run; the next one starts from its best weights.

    Attributes:
        name: of its folder in the run's.
        crop_px: side of the random square crops that it trains on; None is whole photographs.
        flip: probability of a horizontal flip.
        batch: photographs in a step.
        epochs: the most epochs.
        optimizer: ``name``, ``learning_rate`` and ``weight_decay``, as for ``optimizer_from``.
        schedule: how the learning rate moves.
        early_stopping_patience: epochs without a better validation score after which it ends.
    """

    name: str
    crop_px: int | None
    flip: float
    batch: int
    epochs: int
    optimizer: dict[str, Any]
    schedule: Schedule
    early_stopping_patience: int


@dataclass(frozen=True, kw_only=True)
class ClassesRecipe:
    """How a Tiramisu learns to tell classes apart.

    Attributes:
        network: a name in ``TIRAMISUS``.
        classes: names of the classes, by id.
        input_px: side of the square that photographs are stretched to on a handheld; training and
            evaluation of the checkpoint work at their own size and ratio.
        scale, offset: input = pixel * scale + offset, for pixels of 0 to 255.
        weight_decay: L2 penalty on convolution kernels.
        validation_statistics: what batch normalization works with on validation photographs:
            ``moving`` averages, or those of the ``batch`` itself.
        validation_batch: validation photographs that go through the network together.
        stages: the run's parts, in order.
    """

    network: str
    classes: tuple[str, ...]
    input_px: int
    scale: float
    offset: float
    weight_decay: float
    validation_statistics: Statistics
    validation_batch: int
    stages: tuple[Stage, ...]

    @property
    def architecture(self) -> Tiramisu:
        """The network, with a channel for each class."""
        return replace(
            TIRAMISUS[self.network], classes=len(self.classes), weight_decay=self.weight_decay
        )

    @property
    def preprocessing(self) -> Preprocessing:
        """From a photograph to the input of the converted network."""
        return Preprocessing(self.input_px, "stretch", self.scale, self.offset)

    @property
    def batches(self) -> dict[str, int]:
        """Photographs in a step, by the stage."""
        return {f"the stage {stage.name}": stage.batch for stage in self.stages}

    def training(self, stage: Stage) -> TrainingRecipe:
        """What the training loop needs to know of a stage."""
        return TrainingRecipe(
            network=self.network,
            input_px=stage.crop_px or self.input_px,
            scale=self.scale,
            offset=self.offset,
            batch=stage.batch,
            epochs=stage.epochs,
            epoch_samples=None,
            optimizer=stage.optimizer,
            schedule=stage.schedule,
            early_stopping_patience=stage.early_stopping_patience,
        )

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON types."""
        return asdict(self)


def load_classes_recipe(name: str) -> ClassesRecipe:
    """Reads a recipe by its name, or from a JSON file by its path.

    Raises:
        DatasetError: no such recipe, or one that cannot be read.
    """
    text = read_recipe(FOLDER, name)
    try:
        recipe = _recipe(json.loads(text))
        _check(recipe)
        return recipe
    except (ValueError, TypeError, RecursionError) as error:
        raise DatasetError(f"training recipe {name}: {error}") from error


def with_stage_epochs(recipe: ClassesRecipe, epochs: int | None) -> ClassesRecipe:
    """The recipe with another number of epochs in each stage; None leaves it alone."""
    if epochs is None:
        return recipe
    return replace(recipe, stages=tuple(replace(stage, epochs=epochs) for stage in recipe.stages))


def _recipe(values: object) -> ClassesRecipe:
    read = _exactly(ClassesRecipe, values, "the recipe")
    for name, kind in (("classes", list), ("stages", list)):
        if not isinstance(read[name], kind):
            raise ValueError(f"{name} must be a list")
    stages = []
    for value in read["stages"]:
        stage = _exactly(Stage, value, "a stage")
        if not isinstance(stage["schedule"], dict):
            raise ValueError("schedule must be an object")
        stages.append(Stage(**{**stage, "schedule": Schedule(**stage["schedule"])}))
    return ClassesRecipe(
        **{**read, "classes": tuple(read["classes"]), "stages": tuple(stages)},
    )


def _exactly(kind: type[Any], values: object, what: str) -> Mapping[str, Any]:
    if not isinstance(values, dict):
        raise ValueError(f"{what} must be an object")
    if odd := {field.name for field in fields(kind)} ^ values.keys():
        raise ValueError(f"{what}: missing or unknown: {', '.join(sorted(odd))}")
    return values


def _check(recipe: ClassesRecipe) -> None:
    """Values that would end a run late, or be taken for others, are refused before it starts."""
    _one_of("network", recipe.network, tuple(TIRAMISUS))
    _one_of("validation_statistics", recipe.validation_statistics, STATISTICS)
    if not 2 <= len(recipe.classes) <= MAX_CLASSES:
        raise ValueError(f"classes: 2 to {MAX_CLASSES} of them")
    for name in recipe.classes:
        if not (isinstance(name, str) and name and name.isprintable()):
            raise ValueError("classes must be names")
        if len(name) > MAX_CLASS_NAME_CHARS:
            raise ValueError(f"classes: a name has at most {MAX_CLASS_NAME_CHARS} characters")
    if len(set(recipe.classes)) != len(recipe.classes):
        raise ValueError("classes: one name for each")
    if not recipe.stages or len({stage.name for stage in recipe.stages}) != len(recipe.stages):
        raise ValueError("stages: one at least, each with a name of its own")
    _whole("validation_batch", recipe.validation_batch)
    stride = recipe.architecture.total_stride
    _whole("input_px", recipe.input_px, stride)
    _number("weight_decay", recipe.weight_decay, 0.0)
    for stage in recipe.stages:
        _check_stage(stage, stride)
    # Refuses a size or a scaling that no picture can be brought to.
    _ = recipe.preprocessing


def _check_stage(stage: Stage, stride: int) -> None:
    if not (isinstance(stage.name, str) and stage.name.isidentifier()):
        raise ValueError("a stage's name has letters, digits and _ alone")
    for name in ("batch", "epochs", "early_stopping_patience"):
        _whole(name, getattr(stage, name))
    if stage.crop_px is not None:
        _whole("crop_px", stage.crop_px, stride)
    _number("flip", stage.flip, 0.0, 1.0)
    if not isinstance(stage.optimizer, dict) or stage.optimizer.keys() != {
        "name",
        "learning_rate",
        "weight_decay",
    }:
        raise ValueError("optimizer needs name, learning_rate and weight_decay, and nothing else")
    _one_of("optimizer", stage.optimizer["name"], OPTIMIZERS)
    _number("learning_rate", stage.optimizer["learning_rate"], 1e-12)
    _number("weight_decay", stage.optimizer["weight_decay"], 0.0)
    _one_of("schedule", stage.schedule.name, SCHEDULES)


def _one_of(what: str, value: object, names: tuple[str, ...]) -> None:
    if value not in names:
        raise ValueError(f"{what} {value!r}: use one of {', '.join(names)}")


def _whole(what: str, value: object, multiple: int = 1) -> None:
    if type(value) is not int or value < 1 or value % multiple:
        raise ValueError(f"{what} must be a whole number above 0, a multiple of {multiple}")


def _number(what: str, value: Any, low: float, high: float = math.inf) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not low <= float(value) <= high:
        raise ValueError(f"{what} must be a number from {low:g} to {high:g}")
