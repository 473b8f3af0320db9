"""Training recipes: how a network is trained, as data (``recipes/*.json``)."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from edgeseg.errors import DatasetError
from edgeseg.training.augment import Augmentation


@dataclass(frozen=True)
class Schedule:
    """How the learning rate moves over a run.

    Attributes:
        name: ``cosine`` (Loshchilov and Hutter, arXiv 1608.03983, without restarts, after a linear
            warm-up) or ``plateau`` (multiplied by ``factor`` after ``patience`` epochs without a
            better validation score).
    """

    name: str
    warmup_epochs: float = 0.0
    factor: float = 0.5
    patience: int = 10

    def rate(self, peak: float, step: int, epoch_steps: int, epochs: int, drops: int) -> float:
        """The learning rate at a step.

        Args:
            peak: the recipe's learning rate.
            step: steps done since the run's start.
            epoch_steps: steps in an epoch.
            epochs: epochs in the run.
            drops: how often the validation score has stood still for ``patience`` epochs.
        """
        if self.name == "plateau":
            return peak * self.factor**drops
        warmup = self.warmup_epochs * epoch_steps
        if step < warmup:
            return peak * (step + 1) / warmup
        done = (step - warmup) / max(1.0, epochs * epoch_steps - warmup)
        return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


@dataclass(frozen=True)
class SegmenterRecipe:
    """How a segmenter is trained.

    Attributes:
        network: a name in ``TIRAMISUS``.
        input_px: side of the network's square input.
        scale, offset: input = pixel * scale + offset, for pixels of 0 to 255.
        batch: photographs in a step.
        epochs: the most epochs.
        epoch_samples: photographs in an epoch, drawn by the folders' weights; None is each
            training photograph once.
        optimizer: ``name`` (``adamw`` or ``adam_amsgrad``), ``learning_rate``, ``weight_decay``.
        schedule: how the learning rate moves.
        iou_weight: weight of the soft IoU beside cross-entropy.
        early_stopping_patience: epochs without a better validation IoU after which a run ends.
        augmentation: how photographs are changed.
    """

    network: str
    input_px: int
    scale: float
    offset: float
    batch: int
    epochs: int
    epoch_samples: int | None
    optimizer: dict[str, Any]
    schedule: Schedule
    iou_weight: float
    early_stopping_patience: int
    augmentation: Augmentation

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SegmenterRecipe:
        """Reads the fields from JSON types.

        Raises:
            ValueError: a field is missing, unknown or of the wrong kind.
        """
        names = {field.name for field in fields(cls)}
        if odd := names ^ set(values):
            raise ValueError(f"missing or unknown: {', '.join(sorted(odd))}")
        try:
            schedule = Schedule(**values["schedule"])
            augmentation = Augmentation.from_dict(values["augmentation"])
        except TypeError as error:
            raise ValueError(str(error)) from error
        return cls(**{**values, "schedule": schedule, "augmentation": augmentation})


def recipe_names() -> list[str]:
    """The recipes that come with the toolkit."""
    folder = resources.files("edgeseg.training") / "recipes"
    return sorted(f.name.removesuffix(".json") for f in folder.iterdir() if f.name.endswith("json"))


def load_recipe(name: str) -> SegmenterRecipe:
    """Reads a recipe by its name, or from a JSON file by its path.

    Raises:
        DatasetError: no such recipe, or one that cannot be read.
    """
    if name in recipe_names():
        text = (resources.files("edgeseg.training") / "recipes" / f"{name}.json").read_text()
    elif Path(name).is_file():
        text = Path(name).read_text(encoding="utf-8")
    else:
        raise DatasetError(f"no training recipe {name!r}: use {', '.join(recipe_names())} or a file")
    try:
        return SegmenterRecipe.from_dict(json.loads(text))
    except ValueError as error:
        raise DatasetError(f"training recipe {name}: {error}") from error
