"""Batch normalization's statistics, measured anew before they are folded into the weights.

Training keeps moving averages, which lag behind the weights and have seen augmented pictures in
small batches. Wu and Johnson, "Rethinking 'Batch' in BatchNorm" (arXiv 2105.07576, section 3), take
the statistics of the whole population instead. They estimate them from training-mode batches, in
which each layer's input still depends on how the layers before it normalized that batch. Here the
layers are done one after another, each on what the finished ones before it give, so the result
depends neither on the batch nor on the order of the pictures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tf_keras
from numpy.typing import NDArray

from converters.quantization.layer_graph import in_order, sources
from edgeseg.errors import ModelContractError

# The value of a tensor for some of the pictures.
Lazy = Callable[[slice], Any]
# Their outputs are kept for all pictures; whatever lies between two of them is quickly computed
# again, and a densely connected network has many times as much of it.
_KEPT_LAYERS = (tf_keras.layers.Conv2D, tf_keras.layers.DepthwiseConv2D, tf_keras.layers.Dense)


def recalibrate_batch_norm(model: Any, pictures: NDArray[np.float32], batch: int = 16) -> None:
    """Sets every batch normalization's mean and variance to those of its input, in place.

    Each picture passes each convolution once. Held in memory are the outputs of the convolutions
    that are still needed, for all pictures.

    Args:
        model: a ``tf_keras`` functional model of one input, whose layers are each used once.
        pictures: ``(N, S, S, 3)`` float32 scaled pictures, augmented as in training: the weights
            were fitted to such pictures' statistics, and those of plain photographs, though nearer
            to what the network will see, do not suit them.
        batch: pictures in memory of one layer's work; the result does not depend on it.

    Raises:
        ModelContractError: a layer is used twice, or normalizes another axis than the last.
        ValueError: no pictures, or ``batch`` below 1.
    """
    if not len(pictures) or batch < 1:
        raise ValueError(f"{len(pictures)} pictures in batches of {batch}: one at least of each")
    spans = [slice(start, start + batch) for start in range(0, len(pictures), batch)]
    layers = in_order(model)
    _check(layers)
    waiting = Counter(name for layer in layers for name in sources(layer))
    values: dict[str, Lazy] = {}
    for layer in layers:
        names = sources(layer)
        inputs = [values[name] for name in names]
        if not inputs:
            values[layer.name] = lambda span: pictures[span]
            continue
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            _measure(layer, inputs[0], spans)
        value = _applied(layer, inputs)
        values[layer.name] = _kept(value, spans) if isinstance(layer, _KEPT_LAYERS) else value
        waiting.subtract(names)
        for name in names:
            if not waiting[name]:
                values.pop(name, None)


def _check(layers: list[Any]) -> None:
    for layer in layers:
        is_normalization = isinstance(layer, tf_keras.layers.BatchNormalization)
        if is_normalization and list(layer.axis) != [len(layer.input_shape) - 1]:
            raise ModelContractError(f"{layer.name} normalizes another axis than the last")


def _measure(layer: Any, value: Lazy, spans: list[slice]) -> None:
    """Population mean and variance by channel, in two passes of float64."""
    total: Any = 0.0
    count = 0
    for rows in _rows(value, spans):
        total, count = total + rows.sum(axis=0), count + len(rows)
    mean = total / count
    squares = sum(np.square(rows - mean).sum(axis=0) for rows in _rows(value, spans))
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(squares / count)


def _rows(value: Lazy, spans: list[slice]) -> Iterator[NDArray[np.float64]]:
    for span in spans:
        part = np.asarray(value(span), dtype=np.float64)
        yield part.reshape(-1, part.shape[-1])


def _applied(layer: Any, inputs: list[Lazy]) -> Lazy:
    def value(span: slice) -> Any:
        given = [each(span) for each in inputs]
        return layer(given if len(given) > 1 else given[0], training=False)

    return value


def _kept(value: Lazy, spans: list[slice]) -> Lazy:
    parts = {span.start: np.asarray(value(span)) for span in spans}
    return lambda span: parts[span.start]
