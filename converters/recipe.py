"""How to compress, declared as data. A new recipe is one JSON file in ``recipes/``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, TypeVar, get_args

from edgeseg.errors import EdgesegError

Quantization = Literal["none", "float16", "dynamic", "static", "aware"]
Activations = Literal["int8", "int16"]
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
class StructuredPruning:
    """Removing whole filters and dense layers, see :mod:`converters.pruning.structured`.

    At least one of ``share``, ``latency_budget`` and ``max_parameters`` says when to stop; where
    there are several, all of them hold at the end.

    Attributes:
        share: share of the network's estimated latency that goes, in (0, 1). Estimated, so that the
            same share is the same network on every machine.
        latency_budget: measured latency that is left, as a share of the int8 network's before, in
            (0, 1).
        max_parameters: the most weights that are left, counted as in ``Model.count_params``.
        rounds: how many times to prune and to fine-tune.
        fine_tuning: after each round but the last; None prunes without learning anything.
        last_fine_tuning: after the last round; None is the same as ``fine_tuning``.
        granularity: filters that go together, so that the widths which stay are whole tiles of the
            int8 kernels.
        importance_pictures: photographs on which the importance of filters is measured.
    """

    share: float | None = None
    latency_budget: float | None = None
    max_parameters: int | None = None
    rounds: int = 4
    fine_tuning: FineTuning | None = FineTuning(epochs=2, learning_rate=5e-4)
    last_fine_tuning: FineTuning | None = FineTuning(epochs=8, learning_rate=5e-4)
    granularity: int = 4
    importance_pictures: int = 256


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
        activations: for ``static``: ``int8``, or ``int16`` with int8 weights (Jacob et al., arXiv
            1712.05877, need 8 bits; 16 are for networks that do not stand 8, and slow).
        float_layers: layers that stay float32 in an otherwise int8 network, by name or by a shell
            pattern such as ``up0_*``; for ``static`` with int8 activations.
        recalibrate: batch-norm statistics are measured anew on the representative pictures before
            anything is folded.
        equalize: channels of following layers are rescaled to like ranges first (Nagel et al.,
            arXiv 1906.04721, section 4.1).
        calibration_pictures: how many representative pictures set the ranges.
        fine_tuning: for ``aware``.
        pruning: prune weights by magnitude first; None leaves every weight.
        structured: remove whole filters and layers, before any other step; None keeps them.
        floor: below it nothing is packed.
        seed: of every random choice.
    """

    name: str
    description: str
    quantization: Quantization
    activations: Activations = "int8"
    float_layers: tuple[str, ...] = ()
    recalibrate: bool = False
    equalize: bool = False
    calibration_pictures: int = 256
    fine_tuning: FineTuning = FineTuning()
    pruning: Pruning | None = None
    structured: StructuredPruning | None = None
    floor: Floor = Floor()
    seed: int = 0

    @property
    def full_int8(self) -> bool:
        """Whether activations are int8 too, so that the input and output are bytes."""
        return self.quantization in ("static", "aware") and self.activations == "int8"

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
            for name, record in (("pruning", Pruning), ("structured", StructuredPruning)):
                if values.get(name) is not None:
                    steps = dict(values[name])
                    _nest(steps, "fine_tuning", FineTuning)
                    _nest(steps, "last_fine_tuning", FineTuning)
                    values[name] = _read(record, steps)
            _nest(values, "fine_tuning", FineTuning)
            _nest(values, "floor", Floor)
            if "float_layers" in values:
                values["float_layers"] = tuple(values["float_layers"])
            recipe = _read(cls, values)
            _check(recipe)
        except (TypeError, ValueError) as error:
            raise EdgesegError(f"{source}: {error}") from error
        return recipe

    def with_overrides(
        self,
        *,
        iou_drop: float | None = None,
        sparsity: float | None = None,
        structured_share: float | None = None,
        latency_budget: float | None = None,
    ) -> Recipe:
        """The recipe with another floor, sparsity or structured pruning.

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
        if structured_share is not None or latency_budget is not None:
            structured = replace(
                recipe.structured or StructuredPruning(),
                share=structured_share,
                latency_budget=latency_budget,
            )
            recipe = replace(recipe, structured=structured)
        try:
            _check(recipe)
        except ValueError as error:
            raise EdgesegError(f"recipe {self.name}: {error}") from error
        return recipe


def _read(record: type[_Record], values: dict[str, Any]) -> _Record:
    unknown = set(values) - {field.name for field in fields(record)}  # type: ignore[arg-type]
    if unknown:
        raise ValueError(f"unknown field {', '.join(sorted(unknown))}")
    return record(**values)


def _nest(values: dict[str, Any], name: str, record: type[Any]) -> None:
    if values.get(name) is not None:
        values[name] = _read(record, dict(values[name]))


def _check(recipe: Recipe) -> None:
    if recipe.quantization not in get_args(Quantization):
        raise ValueError(f"quantization must be one of {', '.join(get_args(Quantization))}")
    if recipe.activations not in get_args(Activations):
        raise ValueError(f"activations must be one of {', '.join(get_args(Activations))}")
    if recipe.activations != "int8" and recipe.quantization != "static":
        raise ValueError(f"{recipe.activations} activations need static quantization")
    if recipe.float_layers and not (recipe.quantization == "static" and recipe.full_int8):
        raise ValueError("float_layers need static quantization with int8 activations")
    if not all(isinstance(pattern, str) for pattern in recipe.float_layers):
        raise ValueError("float_layers must be names of layers")
    if not isinstance(recipe.recalibrate, bool) or not isinstance(recipe.equalize, bool):
        raise ValueError("recalibrate and equalize must be true or false")
    _within("calibration_pictures", recipe.calibration_pictures, 1, 10_000)
    for name in ("iou_drop", "iou_agreement", "embedding_cosine"):
        _within(f"floor.{name}", getattr(recipe.floor, name), 0, 1)
    _check_fine_tuning(recipe.fine_tuning)
    if recipe.pruning is not None:
        _within("pruning.final_sparsity", recipe.pruning.final_sparsity, 0.01, 0.99)
        _within("pruning.initial_sparsity", recipe.pruning.initial_sparsity, 0, 0.99)
        _within("pruning.ramp", recipe.pruning.ramp, 0.01, 1)
        _check_fine_tuning(recipe.pruning.fine_tuning)
    if recipe.structured is not None:
        _check_structured(recipe.structured)


def _check_structured(structured: StructuredPruning) -> None:
    limits = {
        "share": (structured.share, 0.01, 0.95),
        "latency_budget": (structured.latency_budget, 0.05, 0.99),
        "max_parameters": (structured.max_parameters, 1, 10**9),
    }
    if all(value is None for value, _, _ in limits.values()):
        raise ValueError(f"structured needs one of {', '.join(limits)}")
    for name, (value, low, high) in limits.items():
        if value is not None:
            _within(f"structured.{name}", value, low, high)
    _within("structured.rounds", structured.rounds, 1, 1000)
    _within("structured.granularity", structured.granularity, 1, 64)
    _within("structured.importance_pictures", structured.importance_pictures, 1, 10_000)
    for fine_tuning in (structured.fine_tuning, structured.last_fine_tuning):
        if fine_tuning is not None:
            _check_fine_tuning(fine_tuning)


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
