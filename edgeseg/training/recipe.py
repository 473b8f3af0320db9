"""Training recipes: how a network is trained, as data (``recipes/*/*.json``)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import MISSING, asdict, dataclass, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from edgeseg.colour_descriptor import HISTOGRAM_LENGTH
from edgeseg.errors import DatasetError
from edgeseg.files import read_bounded
from edgeseg.limits import MAX_MANIFEST_BYTES
from edgeseg.training.augment import Augmentation
from edgeseg.training.networks import SEGMENTERS
from edgeseg.training.networks.embedder import EMBEDDERS

OPTIMIZERS = ("adamw", "adam_amsgrad", "rmsprop")
SCHEDULES = ("cosine", "plateau", "exponential")
_POSITIVE: tuple[str, ...] = ("input_px", "batch", "epochs", "early_stopping_patience")
# What JSON gives for each type of a recipe's field.
_TYPES: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": (int, float),
    "int | None": (int, type(None)),
    "dict[str, Any]": dict,
}


@dataclass(frozen=True)
class Schedule:
    """How the learning rate moves over a run.

    Attributes:
        name: ``cosine`` (Loshchilov and Hutter, arXiv 1608.03983, without restarts, after a linear
            warm-up), ``plateau`` (multiplied by ``factor`` after ``patience`` epochs without a
            better validation score) or ``exponential`` (multiplied by ``factor`` after each epoch).
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
        if self.name == "exponential":
            return peak * self.factor ** (step // epoch_steps)
        warmup = self.warmup_epochs * epoch_steps
        if step < warmup:
            return peak * (step + 1) / warmup
        done = (step - warmup) / max(1.0, epochs * epoch_steps - warmup)
        return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


@dataclass(frozen=True, kw_only=True)
class TrainingRecipe:
    """What every recipe says.

    Attributes:
        network: the network's name.
        input_px: side of the network's square input.
        scale, offset: input = pixel * scale + offset, for pixels of 0 to 255.
        batch: samples in a step.
        epochs: the most epochs.
        epoch_samples: samples in an epoch; None is each training sample once.
        optimizer: ``name`` (``adamw`` or ``adam_amsgrad``), ``learning_rate``, ``weight_decay``,
            and, on request, ``ema_momentum``: the validated and kept weights are then a moving
            average of those at each step (Polyak and Juditsky, 1992).
        schedule: how the learning rate moves.
        early_stopping_patience: epochs without a better validation score after which a run ends.
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
    early_stopping_patience: int

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON types."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class SegmenterRecipe(TrainingRecipe):
    """How a segmenter is trained; ``network`` is a name in ``SEGMENTERS``.

    Attributes:
        iou_weight: weight of the soft IoU beside cross-entropy.
        teacher_share: weight of a teacher's confidence against a label, given a teacher.
        confidence_floor: least certainty of the teacher about a photograph without a label.
        replay_share: share of each batch that is drawn from the replayed folders, given any.
        photo_px: longer side that photographs are kept at in memory; None is half as much again as
            the input, so that a zoom has pixels to show.
        augmentation: how photographs are changed.
    """

    iou_weight: float
    teacher_share: float = 0.5
    confidence_floor: float = 0.9
    replay_share: float = 0.5
    photo_px: int | None = None
    augmentation: Augmentation


@dataclass(frozen=True, kw_only=True)
class EmbedderRecipe(TrainingRecipe):
    """How an embedder is trained; ``network`` is a name in ``EMBEDDERS``.

    A sample is an item, seen twice in a step: as a query and as a catalogue picture.

    Attributes:
        colour_dim: numbers of the embedding that describe colours, beside the network's.
        colour_share: of the colours in the joint similarity of two pictures, in (0, 1).
        temperature: of the contrastive loss.
        teacher_share: weight of the teacher's similarities in the targets, given a teacher.
        teacher_temperature: sharpness of the teacher's similarities.
        hard_group: how many items that look alike stand together in a batch; 1 draws all at random.
        scenes: snapshots composed of each picture.
        p_true_mask: probability that a scene is cut out by its true mask, not by the segmenter.
        p_recolour: probability that an instance is recoloured, which makes it another item.
        validation_share: share of the instances held out, by a hash of their names.
        scene: how a scene is composed.
        query_view, studio_view: how each side is changed at each step.
    """

    colour_dim: int
    colour_share: float
    temperature: float
    teacher_share: float
    teacher_temperature: float
    hard_group: int = 1
    scenes: int
    p_true_mask: float
    p_recolour: float
    validation_share: float
    scene: Augmentation
    query_view: Augmentation
    studio_view: Augmentation


Recipe = TypeVar("Recipe", SegmenterRecipe, EmbedderRecipe)
_RECIPES = resources.files("edgeseg.training") / "recipes"
_FOLDERS = {SegmenterRecipe: "segmenter", EmbedderRecipe: "embedder"}


def recipe_names(kind: type[SegmenterRecipe] | type[EmbedderRecipe]) -> list[str]:
    """The recipes of a kind that come with the toolkit."""
    return _names(_FOLDERS[kind])


def read_recipe(folder: str, name: str) -> str:
    """The JSON of a recipe, by its name in a folder of ``recipes/`` or by the path of a file.

    Raises:
        DatasetError: there is none.
        EdgesegError: the file cannot be read.
    """
    names = _names(folder)
    if name in names:
        return (_RECIPES / folder / f"{name}.json").read_text(encoding="utf-8")
    if Path(name).is_file():
        return read_bounded(name, MAX_MANIFEST_BYTES, "training recipe").decode(errors="replace")
    raise DatasetError(f"no training recipe {name!r}: use {', '.join(names)}, or a JSON file")


def load_recipe(kind: type[Recipe], name: str) -> Recipe:
    """Reads a recipe by its name, or from a JSON file by its path.

    Raises:
        DatasetError: no such recipe, or one that cannot be read.
    """
    text = read_recipe(_FOLDERS[kind], name)
    try:
        return _from_dict(kind, json.loads(text))
    except (ValueError, TypeError, RecursionError) as error:
        raise DatasetError(f"training recipe {name}: {error}") from error


def with_epochs(recipe: Recipe, epochs: int | None) -> Recipe:
    """The recipe with another number of epochs; None leaves it alone."""
    return recipe if epochs is None else replace(recipe, epochs=epochs)


def _from_dict(kind: type[Recipe], values: object) -> Recipe:
    if not isinstance(values, dict):
        raise ValueError("must be an object")
    known = {field.name: str(field.type) for field in fields(kind)}
    optional = {field.name for field in fields(kind) if field.default is not MISSING}
    if odd := (known.keys() ^ values.keys()) - (optional - values.keys()):
        raise ValueError(f"missing or unknown: {', '.join(sorted(odd))}")
    readers: dict[str, Callable[[Any], Any]] = {
        "Schedule": lambda value: Schedule(**value),
        "Augmentation": Augmentation.from_dict,
    }
    read = {
        name: readers[known[name]](value) if known[name] in readers else value
        for name, value in values.items()
    }
    for name, value in read.items():
        types = _TYPES.get(known[name])
        if types and (not isinstance(value, types) or isinstance(value, bool)):
            raise ValueError(f"{name} must be of type {known[name]}")
    recipe = kind(**read)
    _check(recipe)
    return recipe


def _check(recipe: SegmenterRecipe | EmbedderRecipe) -> None:
    """Values that would end a run late, or be taken for others, are refused before it starts."""
    if isinstance(recipe, SegmenterRecipe):
        _one_of("network", recipe.network, SEGMENTERS)
        stride = SEGMENTERS[recipe.network].total_stride
        if recipe.input_px % stride:
            raise ValueError(f"input_px must be a multiple of {stride} for {recipe.network}")
        if recipe.photo_px is not None and recipe.photo_px < 1:
            raise ValueError("photo_px must be above 0, or null")
        for name in ("teacher_share", "confidence_floor", "replay_share"):
            if not 0 <= getattr(recipe, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1")
        positive = _POSITIVE
    else:
        _one_of("network", recipe.network, EMBEDDERS)
        if not 0 < recipe.validation_share < 1:
            raise ValueError("validation_share must be between 0 and 1")
        if not 0 < recipe.colour_share < 1:
            raise ValueError("colour_share must be between 0 and 1")
        if not 0 < recipe.colour_dim <= HISTOGRAM_LENGTH:
            raise ValueError(f"colour_dim must be between 1 and {HISTOGRAM_LENGTH}")
        positive = (*_POSITIVE, "scenes", "hard_group", "temperature", "teacher_temperature")
    for name in positive:
        if not 0 < getattr(recipe, name) < math.inf:
            raise ValueError(f"{name} must be above 0")
    if recipe.epoch_samples is not None and recipe.epoch_samples < 1:
        raise ValueError("epoch_samples must be above 0, or null")
    if recipe.optimizer.keys() - {"ema_momentum"} != {"name", "learning_rate", "weight_decay"}:
        raise ValueError(
            "optimizer needs name, learning_rate and weight_decay, may have ema_momentum, and "
            "nothing else"
        )
    if not 0 <= float(recipe.optimizer.get("ema_momentum", 0)) < 1:
        raise ValueError("ema_momentum must be at least 0 and below 1")
    _one_of("optimizer", recipe.optimizer["name"], OPTIMIZERS)
    if not 0 < float(recipe.optimizer["learning_rate"]) < math.inf:
        raise ValueError("learning_rate must be above 0")
    _one_of("schedule", recipe.schedule.name, SCHEDULES)


def _one_of(what: str, value: Any, names: Iterable[str]) -> None:
    if value not in list(names):
        raise ValueError(f"{what} {value!r}: use one of {', '.join(names)}")


def _names(folder: str) -> list[str]:
    names = (file.name for file in (_RECIPES / folder).iterdir())
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))
