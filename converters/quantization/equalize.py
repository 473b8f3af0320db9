"""Cross-layer equalization: the channels between two layers are brought to like ranges.

Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (arXiv
1906.04721, section 4.1). Where ``f(s x) = s f(x)`` for positive ``s``, a channel may be multiplied
by any gain behind one layer and divided by it in the layers that read it. Their equation 11 is the
gain that makes the largest weight before and the largest weight behind alike, so that a single
scale for the whole tensor serves every channel.

What that means for these networks:

* A channel may have many readers, for its features are concatenated, pooled and resized on their
  way: all of these pass a gain on. A channel that is added to another or is an output stays.
* ReLU6 is not homogeneous at its ceiling. The ceiling would have to be scaled channel by channel,
  which is no ReLU6 any more but an operator that XNNPACK does not run in int8. So a channel of a
  ReLU with a ceiling is rescaled only if it stays below it on given pictures, and never past it;
  the others keep their gain of one. On those pictures the network's output stays the same; on
  another, a channel that goes higher than it ever did there may be cut at another height.
* Weights with a scale for each output channel have no use for a gain in the layer before, and the
  layer behind trades the rounding of its weights for that of its inputs: there it may help or harm,
  which is to be measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tf_keras
from numpy.typing import NDArray

from converters.quantization.layer_graph import in_order, sources
from edgeseg.errors import ModelContractError

layers = tf_keras.layers
Values = NDArray[np.float64]

# Over several sweeps, since a gain changes the ranges that its neighbours see.
_MAX_SWEEPS = 30
_SETTLED = 0.01
_BATCH = 16
_PASSING = (
    layers.Dropout,
    layers.MaxPooling2D,
    layers.AveragePooling2D,
    layers.GlobalAveragePooling2D,
    layers.UpSampling2D,
)
_WEIGHTED = (layers.Conv2D, layers.Conv2DTranspose, layers.DepthwiseConv2D, layers.Dense)


@dataclass
class _Unit:
    """A layer with weights whose output passes a ReLU: its channels may have gains.

    Attributes:
        layer: the one with the weights.
        normalization: between the two; None without.
        ceiling: of the ReLU; infinite if it has none.
        activation: the ReLU's name.
        readers: layers with weights that take its channels, and where among each one's input
            channels they begin.
        fixed: whether something else takes its channels too.
        room: by channel, the largest gain that keeps it below the ceiling.
    """

    layer: Any
    normalization: Any
    ceiling: float
    activation: str
    readers: list[tuple[Any, int]] = field(default_factory=list)
    fixed: bool = False
    room: Values = field(default_factory=lambda: np.empty(0))

    @property
    def width(self) -> int:
        """Its channels."""
        return int(self.layer.output_shape[-1])


def equalize(model: Any, pictures: NDArray[np.float32] | None = None) -> Any:
    """A copy of a network whose neighbouring layers have channels of like ranges.

    Args:
        model: a ``tf_keras`` functional model whose layers are each used once.
        pictures: ``(N, S, S, 3)`` float32 scaled pictures that show which channels stay below a
            ReLU's ceiling; without them only ReLUs without a ceiling are taken.

    Returns:
        A model of the same layers. Its output differs by rounding only, as long as no channel of a
        ReLU with a ceiling goes higher than on ``pictures``.

    Raises:
        ModelContractError: there is no channel that may be rescaled.
    """
    copy = tf_keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    ordered = in_order(copy)
    followers = _followers(ordered)
    units = [unit for unit in _units(ordered, followers) if not unit.fixed and unit.readers]
    _find_room(copy, units, pictures)
    movable = [~np.isnan(unit.room) for unit in units]
    if not any(mask.any() for mask in movable):
        raise ModelContractError(
            "no channel may be rescaled: each one is added to another, leaves the network, or "
            "reaches its ceiling"
        )
    for _ in range(_MAX_SWEEPS):
        largest = 0.0
        for unit, mask in zip(units, movable, strict=True):
            gains = np.where(mask, np.minimum(_wanted_gains(unit, followers), unit.room), 1.0)
            _apply(unit, gains)
            unit.room = unit.room / gains
            largest = max(largest, float(np.abs(np.log(gains)).max()))
        if largest < _SETTLED:
            break
    return copy


def _wanted_gains(unit: _Unit, followers: dict[str, list[Any]]) -> Values:
    """Equation 11: what makes the ranges before and behind each channel alike."""
    _, out_axis = _axes(unit.layer)
    before = _largest(_folded(unit.layer, followers), out_axis)
    behind = np.zeros(unit.width)
    for reader, first in unit.readers:
        in_axis, _ = _axes(reader)
        ranges = _largest(_folded(reader, followers), in_axis)
        behind = np.maximum(behind, ranges[first : first + unit.width])
    used = (before > 0) & (behind > 0)
    return np.sqrt(np.where(used, behind, 1.0) / np.where(used, before, 1.0))


def _apply(unit: _Unit, gains: Values) -> None:
    if unit.normalization is not None:
        unit.normalization.gamma.assign(unit.normalization.gamma.numpy() * gains)
        unit.normalization.beta.assign(unit.normalization.beta.numpy() * gains)
    else:
        _, out_axis = _axes(unit.layer)
        _scale(unit.layer, out_axis, gains)
        if unit.layer.use_bias:
            unit.layer.bias.assign(unit.layer.bias.numpy() * gains)
    for reader, first in unit.readers:
        in_axis, _ = _axes(reader)
        factors = np.ones(_kernel(reader).shape[in_axis])
        factors[first : first + unit.width] = 1 / gains
        _scale(reader, in_axis, factors)


def _find_room(model: Any, units: list[_Unit], pictures: NDArray[np.float32] | None) -> None:
    """Fills in the units' ``room``; NaN is a channel that has to stay as it is."""
    for unit in units:
        unit.room = np.full(unit.width, np.inf if np.isinf(unit.ceiling) else np.nan)
    bounded = [unit for unit in units if np.isfinite(unit.ceiling)]
    if pictures is None or not bounded:
        return
    tapped = tf_keras.Model(
        model.input, {u.activation: model.get_layer(u.activation).output for u in bounded}
    )
    highest = {unit.activation: np.zeros(unit.width) for unit in bounded}
    for start in range(0, len(pictures), _BATCH):
        outputs = tapped(pictures[start : start + _BATCH], training=False)
        for name, output in outputs.items():
            values = np.asarray(output).reshape(-1, output.shape[-1])
            highest[name] = np.maximum(highest[name], values.max(axis=0))
    for unit in bounded:
        seen = highest[unit.activation]
        below = seen < unit.ceiling
        # A channel that is zero on every picture shows nothing of its height.
        unit.room = np.where(below & (seen > 0), unit.ceiling / np.where(seen > 0, seen, 1), np.nan)


def _units(ordered: list[Any], followers: dict[str, list[Any]]) -> list[_Unit]:
    """The units of a network, each with what becomes of its channels."""
    units: dict[str, _Unit] = {}
    # By layer: whose channels its output holds, and how many of each; None are no unit's.
    parts: dict[str, list[tuple[_Unit | None, int]]] = {}
    for layer in ordered:
        given = [part for name in sources(layer) for part in parts[name]]
        parts[layer.name] = [(None, int(layer.output.shape[-1]))]
        if layer.name in units:
            parts[layer.name] = [(units[layer.name], units[layer.name].width)]
        elif isinstance(layer, _WEIGHTED) and getattr(layer, "groups", 1) == 1:
            _read(layer, given)
            unit = _unit_of(layer, followers)
            if unit is not None:
                units[unit.activation] = unit
        elif _passes(layer):
            parts[layer.name] = given
        else:
            _fix(given)
        if not followers[layer.name]:
            _fix(parts[layer.name])
    return list(units.values())


def _unit_of(layer: Any, followers: dict[str, list[Any]]) -> _Unit | None:
    if layer.activation is not tf_keras.activations.linear or getattr(
        layer, "depth_multiplier", 1
    ) not in (1, None):
        return None
    behind = followers[layer.name]
    normalization = None
    if len(behind) == 1 and isinstance(behind[0], layers.BatchNormalization):
        normalization = behind[0]
        if not (normalization.scale and normalization.center):
            return None
        behind = followers[normalization.name]
    if len(behind) != 1 or not isinstance(behind[0], layers.ReLU) or behind[0].threshold:
        return None
    ceiling = np.inf if behind[0].max_value is None else float(behind[0].max_value)
    return _Unit(layer, normalization, ceiling, behind[0].name)


def _passes(layer: Any) -> bool:
    """Whether a layer gives ``f(s x) = s f(x)``, channel by channel."""
    if isinstance(layer, layers.Concatenate):
        return layer.axis in (-1, len(layer.output.shape) - 1)
    return isinstance(layer, _PASSING)


def _read(layer: Any, given: list[tuple[_Unit | None, int]]) -> None:
    first = 0
    for unit, width in given:
        if unit is not None:
            unit.readers.append((layer, first))
        first += width


def _fix(given: list[tuple[_Unit | None, int]]) -> None:
    for unit, _ in given:
        if unit is not None:
            unit.fixed = True


def _followers(ordered: list[Any]) -> dict[str, list[Any]]:
    followers: dict[str, list[Any]] = {layer.name: [] for layer in ordered}
    for layer in ordered:
        for name in sources(layer):
            followers[name].append(layer)
    return followers


def _axes(layer: Any) -> tuple[int, int]:
    """A kernel's axes of input and output channels."""
    if isinstance(layer, layers.DepthwiseConv2D):
        return 2, 2
    if isinstance(layer, layers.Conv2DTranspose):
        return 3, 2
    return (0, 1) if isinstance(layer, layers.Dense) else (2, 3)


def _kernel(layer: Any) -> Any:
    return layer.weights[0]


def _folded(layer: Any, followers: dict[str, list[Any]]) -> Values:
    """A kernel as it will be quantized: times the normalization behind it."""
    kernel = np.asarray(_kernel(layer).numpy(), np.float64)
    behind = followers[layer.name]
    if len(behind) != 1 or not isinstance(behind[0], layers.BatchNormalization):
        return kernel
    normalization = behind[0]
    deviation = np.sqrt(normalization.moving_variance.numpy() + normalization.epsilon)
    factors = (normalization.gamma.numpy() if normalization.scale else 1.0) / deviation
    if isinstance(layer, layers.DepthwiseConv2D):
        return np.asarray(kernel * np.reshape(factors, kernel.shape[2:]))
    _, out_axis = _axes(layer)
    shape = [1] * kernel.ndim
    shape[out_axis] = -1
    return np.asarray(kernel * np.reshape(factors, shape))


def _largest(kernel: Values, axis: int) -> Values:
    others = tuple(each for each in range(kernel.ndim) if each != axis)
    return np.asarray(np.abs(kernel).max(axis=others))


def _scale(layer: Any, axis: int, factors: Values) -> None:
    kernel = _kernel(layer)
    shape = [1] * kernel.shape.rank
    shape[axis] = -1
    kernel.assign(kernel.numpy() * factors.reshape(shape))
