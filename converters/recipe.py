"""Recipes: how to compress, declared as data. A new one is one JSON file in ``recipes/``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from edgeseg.errors import EdgesegError
from edgeseg.files import read_bounded

Quantization = Literal["none", "float16", "dynamic", "static", "aware"]
MAX_RECIPE_BYTES = 64 * 1024
_Record = TypeVar("_Record")


@dataclass(frozen=True)
class FineTuning:
    """How long and how hard a network learns after it was changed.

    Attributes:
        epochs: passes over the data.
        batch: pictures in a step.
        learning_rate: Adam's, at the start; it falls to zero along a cosine.
        steps_per_epoch: bound on the steps of an epoch; None takes the whole data.
    """

    epochs: int = 4
    batch: int = 16
    learning_rate: float = 2e-4
    steps_per_epoch: int | None = None


@dataclass(frozen=True)
class Pruning:
    """Magnitude pruning, with the polynomial schedule of Zhu and Gupta (arXiv 1710.01878, eq. 1).

    Attributes:
        final_sparsity: share of each pruned kernel's weights that end at zero, in (0, 1).
        initial_sparsity: share at the first step.
        ramp: share of the fine-tuning steps in which the sparsity grows; the rest recovers.
        fine_tuning: the steps in which both happen.
    """

    final_sparsity: float
    initial_sparsity: float = 0.1
    ramp: float = 0.6
    fine_tuning: FineTuning = FineTuning(epochs=6, learning_rate=5e-4)


@dataclass(frozen=True)
class Floor:
    """The least agreement with the float network that a conversion may have.

    Attributes:
        iou_drop: largest fall of the mean IoU against labels, where there are labels.
        iou_agreement: least mean IoU between the two networks' masks, where there are none.
        embedding_cosine: least mean cosine between the two embeddings of a picture.
    """

    iou_drop: float = 0.01
    iou_agreement: float = 0.95
    embedding_cosine: float = 0.98


@dataclass(frozen=True)
class Recipe:
    """Declarative compression settings.

    Attributes:
        name: as in the file's name; goes into the manifest.
        description: one line for people.
        quantization: ``none``; ``float16`` weights; ``dynamic`` int8 weights; ``static`` int8
            weights and activations after calibration; ``aware``: the same after fine-tuning with
            simulated quantization.
        calibration_pictures: how many representative pictures set the ranges.
        fine_tuning: for ``aware``.
        pruning: prune first; None leaves every weight.
        floor: below it nothing is packed.
        seed: of every random choice.
    """

    name: str
    description: str
    quantization: Quantization
    calibration_pictures: int = 256
    fine_tuning: FineTuning = FineTuning()
    pruning: Pruning | None = None
    floor: Floor = Floor()
    seed: int = 0

    @property
    def full_int8(self) -> bool:
        """Whether activations are int8 too, so that the input and output are bytes."""
        return self.quantization in ("static", "aware")

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, for the report."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any, source: str = "recipe") -> Recipe:
        """Reads a recipe, strictly: an unknown field is a mistake, not a wish to ignore.

        Raises:
            EdgesegError: a field is unknown, missing, of a wrong type or out of its range.
        """
        try:
            values = dict(values)
            if values.get("pruning") is not None:
                pruning = dict(values["pruning"])
                _nest(pruning, "fine_tuning", FineTuning)
                values["pruning"] = _read(Pruning, pruning)
            _nest(values, "fine_tuning", FineTuning)
            _nest(values, "floor", Floor)
            recipe = _read(cls, values)
            _check(recipe)
        except (TypeError, ValueError) as error:
            raise EdgesegError(f"{source}: {error}") from error
        return recipe

    def with_overrides(
        self, *, iou_drop: float | None = None, sparsity: float | None = None
    ) -> Recipe:
        """The recipe with another floor or sparsity.

        Raises:
            EdgesegError: a value is out of its range.
        """
        recipe = self
        if iou_drop is not None:
            recipe = replace(recipe, floor=replace(recipe.floor, iou_drop=iou_drop))
        if sparsity is not None:
            pruning = recipe.pruning or Pruning(final_sparsity=sparsity)
            initial = min(pruning.initial_sparsity, sparsity)
            pruning = replace(pruning, final_sparsity=sparsity, initial_sparsity=initial)
            recipe = replace(recipe, pruning=pruning)
        try:
            _check(recipe)
        except ValueError as error:
            raise EdgesegError(f"recipe {self.name}: {error}") from error
        return recipe


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("converters") / "recipes"
    return sorted(
        entry.name.removesuffix(".json")
        for entry in folder.iterdir()
        if entry.name.endswith(".json")
    )


def load_recipe(name: str) -> Recipe:
    """A recipe of the package by its name, or one's own by the path of its JSON file.

    Raises:
        EdgesegError: there is none of that name, or it cannot be read.
    """
    if name in recipe_names():
        text = (resources.files("converters") / "recipes" / f"{name}.json").read_text("utf-8")
    elif name.endswith(".json"):
        data = read_bounded(Path(name), MAX_RECIPE_BYTES, "recipe")
        text = data.decode("utf-8", errors="replace")
    else:
        raise EdgesegError(f"no recipe {name!r}: take one of {', '.join(recipe_names())}")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EdgesegError(f"recipe {name}: not JSON ({error})") from error
    if not isinstance(values, dict):
        raise EdgesegError(f"recipe {name}: must be a JSON object")
    return Recipe.from_dict(values, f"recipe {name}")


def _read(record: type[_Record], values: dict[str, Any]) -> _Record:
    unknown = set(values) - {field.name for field in fields(record)}  # type: ignore[arg-type]
    if unknown:
        raise ValueError(f"unknown field {', '.join(sorted(unknown))}")
    return record(**values)


def _nest(values: dict[str, Any], name: str, record: type[Any]) -> None:
    if name in values:
        values[name] = _read(record, dict(values[name]))


def _check(recipe: Recipe) -> None:
    if recipe.quantization not in get_args(Quantization):
        raise ValueError(f"quantization must be one of {', '.join(get_args(Quantization))}")
    _within("calibration_pictures", recipe.calibration_pictures, 1, 10_000)
    for name in ("iou_drop", "iou_agreement", "embedding_cosine"):
        _within(f"floor.{name}", getattr(recipe.floor, name), 0, 1)
    _check_fine_tuning(recipe.fine_tuning)
    if recipe.pruning is not None:
        _within("pruning.final_sparsity", recipe.pruning.final_sparsity, 0.01, 0.99)
        _within("pruning.initial_sparsity", recipe.pruning.initial_sparsity, 0, 0.99)
        _within("pruning.ramp", recipe.pruning.ramp, 0.01, 1)
        _check_fine_tuning(recipe.pruning.fine_tuning)


def _check_fine_tuning(fine_tuning: FineTuning) -> None:
    _within("fine_tuning.epochs", fine_tuning.epochs, 1, 10_000)
    _within("fine_tuning.batch", fine_tuning.batch, 1, 4096)
    _within("fine_tuning.learning_rate", fine_tuning.learning_rate, 1e-9, 1)
    if fine_tuning.steps_per_epoch is not None:
        _within("fine_tuning.steps_per_epoch", fine_tuning.steps_per_epoch, 1, 1_000_000)


def _within(name: str, value: float, low: float, high: float) -> None:
    # Written so that NaN fails too.
    if not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} must be between {low} and {high}, not {value!r}")
