"""The report of a conversion: what is kept in the bundle and what the command prints."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from converters.evaluation.latency import Latency
from converters.evaluation.layers import LayerError
from converters.evaluation.size import Size
from converters.recipe import Recipe
from converters.tflite.conversion import anatomy
from converters.tflite.delegation import Delegation, delegation
from converters.tflite.joints import Joints, joints
from converters.trials import Trial
from edgeseg.preprocessing import Preprocessing

_WORST_LAYERS = 10
_TOOLS = (
    "tensorflow",
    "tf_keras",
    "tensorflow-model-optimization",
    "ai-edge-litert",
    "tflite-runtime",
    "numpy",
)


@dataclass(frozen=True)
class Bought:
    """What a pruning bought.

    Attributes:
        kind: ``structured`` or ``magnitude``.
        removed: what went, in words.
        measured_as: the quantization of the models that were timed and weighed; for ``aware`` that
            is ``static``, which is as fast and as large.
        parameters: weights before and after, zeros included.
        latency: median milliseconds, before and after.
        size_before, size_after: of the TFLite models.
        iou_before, iou_after: mean IoU against labels, as float32; None without labels.
        iou_agreement: mean IoU between the masks of the trained and of the pruned network, as
            float32.
    """

    kind: str
    removed: str
    measured_as: str
    parameters: tuple[int, int]
    latency: Latency
    size_before: Size
    size_after: Size
    iou_before: float | None
    iou_after: float | None
    iou_agreement: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {**asdict(self), "latency": self.latency.to_dict()}


@dataclass(frozen=True)
class NetworkReport:
    """One network, before (float32, as trained) and after.

    Attributes:
        recipe: the name of the recipe that made it.
        quantization: what was done to this network.
        ranges: of int8 activations, see :class:`converters.compress.Compressed`.
        parameters: weights of the float network as it was trained.
        parameters_after: the same, once pruned.
        size_before, size_after: of the TFLite models.
        sparsity_before, sparsity_after: share of zeros among the weights.
        latency: median milliseconds on the machine that converted.
        operations: of the converted graph, by name.
        direct_input: whether a photo's bytes are the model's input as they are.
        parity: see :mod:`converters.evaluation.parity`.
        joints: concatenations and conversions of the converted graph.
        delegation: who runs the converted graph's operators.
        worst_layers: those that add the most error, the worst first.
    """

    recipe: str
    quantization: str
    ranges: str | None
    parameters: int
    parameters_after: int
    size_before: Size
    size_after: Size
    sparsity_before: float
    sparsity_after: float
    latency: Latency
    operations: dict[str, int]
    direct_input: bool
    parity: dict[str, Any]
    joints: Joints
    delegation: Delegation
    worst_layers: tuple[LayerError, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            **asdict(self),
            "latency": self.latency.to_dict(),
            "joints": self.joints.to_dict(),
            "delegation": self.delegation.to_dict(),
        }


@dataclass(frozen=True)
class Report:
    """A conversion.

    Attributes:
        recipe: as it was used, overrides included.
        representative: the calibration pictures, in words.
        tuning: the data of pruning or simulated quantization, in words; None without either.
        networks: by ``segmenter`` and ``embedder``.
        bought: what each pruning bought.
        trials: every recipe and peer that was tried, where the recipe was not given.
        tools: versions by name.
    """

    recipe: dict[str, Any]
    representative: str
    tuning: str | None
    networks: dict[str, NetworkReport]
    bought: tuple[Bought, ...] = ()
    trials: tuple[Trial, ...] = ()
    tools: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "recipe": self.recipe,
            "representative": self.representative,
            "tuning": self.tuning,
            "networks": {name: network.to_dict() for name, network in self.networks.items()},
            "bought": [bought.to_dict() for bought in self.bought],
            "trials": [trial.to_dict() for trial in self.trials],
            "tools": self.tools,
        }


def network_report(
    recipe: Recipe,
    *,
    quantization: str,
    ranges: str | None,
    parameters: tuple[int, int],
    float_model: bytes,
    converted_model: bytes,
    latency: Latency,
    preprocessing: Preprocessing,
    parity: dict[str, Any],
    errors: Sequence[LayerError],
) -> NetworkReport:
    """Takes two TFLite models apart, see :class:`NetworkReport` for the rest.

    Args:
        recipe: that made the converted model.
        quantization: of this network.
        ranges: of int8 activations.
        parameters: weights as trained, and as converted.
        float_model: TFLite bytes.
        converted_model: TFLite bytes.
        latency: of the two.
        preprocessing: the network's.
        parity: of the two.
        errors: of every layer, the worst first.
    """
    before, after = anatomy(float_model), anatomy(converted_model)
    return NetworkReport(
        recipe=recipe.name,
        quantization=quantization,
        ranges=ranges,
        parameters=parameters[0],
        parameters_after=parameters[1],
        size_before=Size.of(float_model),
        size_after=Size.of(converted_model),
        sparsity_before=before.sparsity,
        sparsity_after=after.sparsity,
        latency=latency,
        operations=after.operations,
        direct_input=after.takes_bytes(preprocessing),
        parity=parity,
        joints=joints(converted_model),
        delegation=delegation(converted_model),
        worst_layers=tuple(errors[:_WORST_LAYERS]),
    )


def tool_versions() -> dict[str, str]:
    """Versions of what made the bundle."""
    versions = {"python": platform.python_version(), "platform": sys.platform}
    for name in _TOOLS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            # Only one of the two TFLite runtimes is installed.
            continue
    return versions
