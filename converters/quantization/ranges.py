"""Ranges of int8 activations that tensors share where a concatenation joins them.

TFLite gives every tensor the range that it showed in calibration. Tensors that meet in a
concatenation then have to be rescaled to one range: QUANTIZE operators that cost time and a
rounding each, and in a densely connected network every tensor meets the others. Here the tensors
that concatenation, pooling and resizing tie together have one range from the start: the widest
that any of them showed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from edgeseg.errors import ModelContractError

HEAD = "head_conv"
# Layers whose int8 output has the scale of their inputs.
_PASSING_LAYERS = (
    tf_keras.layers.Concatenate,
    tf_keras.layers.MaxPooling2D,
    tf_keras.layers.UpSampling2D,
    tf_keras.layers.Dropout,
)
# In Keras 2 a depthwise convolution is no kind of Conv2D.
CONVOLUTIONS = (tf_keras.layers.Conv2D, tf_keras.layers.DepthwiseConv2D)
_BATCH = 16
# (low, high) in real values, by the name of the layer whose output has them.
Ranges = dict[str, tuple[float, float]]


def check_foldable(model: Any) -> None:
    """Whether every range of a network can be stated beforehand.

    Raises:
        ModelContractError: it has a batch normalization that does not follow a convolution (the
            BN-ReLU-Conv order) or a transposed convolution.
    """
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.Conv2DTranspose):
            raise ModelContractError(
                f"int8 cannot be simulated in the transposed convolution {layer.name}: take "
                "static_wi8_ai8, or a network that upsamples by resizing"
            )
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            before = layer.inbound_nodes[0].inbound_layers
            if not isinstance(before, CONVOLUTIONS):
                raise ModelContractError(
                    f"int8 can be simulated only where each batch normalization follows a "
                    f"convolution, and {layer.name} does not: take static_wi8_ai8, or a network of "
                    "the conv_bn_relu order"
                )


def shared_ranges(
    model: Any, calibration: NDArray[np.float32], *, to_ceiling: bool = False
) -> Ranges:
    """The range of each activation and of the logits.

    Args:
        model: a ``tf_keras`` Tiramisu of Conv-BN-ReLU layers.
        calibration: ``(N, S, S, 3)`` float32 scaled pictures.
        to_ceiling: whether a ReLU with a ceiling has all of the range up to it, seen or not: right
            for a network that goes on learning.

    Returns:
        A range for each ReLU and for the convolution of the logits.

    Raises:
        ModelContractError: see :func:`check_foldable`.
    """
    check_foldable(model)
    relus = [layer for layer in model.layers if isinstance(layer, tf_keras.layers.ReLU)]
    head = model.get_layer(HEAD)
    lows, highs = _observed(model, [*relus, head], calibration)
    groups = _groups(model)
    widest: dict[str, float] = {}
    for relu, high in zip(relus, highs[:-1], strict=True):
        if to_ceiling and relu.max_value is not None:
            high = float(relu.max_value)
        group = groups[relu.name]
        widest[group] = max(widest.get(group, 0.0), float(high))
    # A group that is dead on all the pictures still needs a scale above zero.
    ranges = {relu.name: (0.0, widest[groups[relu.name]] or 1.0) for relu in relus}
    # Zero must be in the range, and a margin keeps a nearly constant head's scale sane.
    ranges[HEAD] = (float(min(lows[-1], -1.0)), float(max(highs[-1], 1.0)))
    return ranges


def _observed(
    model: Any, layers: Sequence[Any], calibration: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The least and the largest value of each layer's output over the pictures."""
    probe = tf_keras.Model(model.input, [layer.output for layer in layers])

    def ends(batch: Any) -> Any:
        outputs = probe(batch, training=False)
        return [
            tf.stack([tf.reduce_min(output) for output in outputs]),
            tf.stack([tf.reduce_max(output) for output in outputs]),
        ]

    compiled: Any = tf.function(ends)
    found = [
        compiled(tf.constant(calibration[start : start + _BATCH]))
        for start in range(0, len(calibration), _BATCH)
    ]
    lows = np.min([low.numpy() for low, _ in found], axis=0)
    return lows, np.max([high.numpy() for _, high in found], axis=0)


def _groups(model: Any) -> dict[str, str]:
    """By layer's name, the name of one layer of the group whose tensors share a scale."""
    parent = {layer.name: layer.name for layer in model.layers}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for layer in model.layers:
        if isinstance(layer, _PASSING_LAYERS):
            for before in _inbound(layer):
                parent[root(before.name)] = root(layer.name)
    return {name: root(name) for name in parent}


def _inbound(layer: Any) -> Iterable[Any]:
    before = layer.inbound_nodes[0].inbound_layers
    return before if isinstance(before, list) else [before]
