"""Physical removal of filters: the weights of a Tiramisu without some filters of some units.

A Tiramisu is densely connected, so a filter that goes takes an input channel of every consumer with
it: the later layers of its block, the transition, the skip connection, the up path and the head.
:mod:`converters.pruning.wiring` tells which channel of which layer that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from converters.pruning.wiring import Node, trace
from edgeseg.errors import ModelContractError
from edgeseg.training.checkpoint import Checkpoint, Weights
from edgeseg.training.networks.tiramisu import Tiramisu

Keep = Mapping[str, NDArray[np.bool_]]


def check_prunable(checkpoint: Checkpoint) -> Tiramisu:
    """The checkpoint's network, where filters can be removed from it.

    Raises:
        ModelContractError: it is no Tiramisu, or one with an order or a kind of layers in which a
            filter that is zero is not a filter that is gone.
    """
    network = checkpoint.network
    if not isinstance(network, Tiramisu):
        raise ModelContractError("structured pruning is for segmenters that are a Tiramisu")
    if network.order != "conv_bn_relu":
        raise ModelContractError(
            "structured pruning needs the conv_bn_relu order, and this network has "
            f"{network.order}: there each consumer normalizes a filter anew, so that a zero does "
            "not stay one"
        )
    if network.separable:
        raise ModelContractError(
            "structured pruning cannot take separable dense layers: the normalization behind the "
            "depthwise convolution gives a removed channel a value again"
        )
    return network


def shrink(checkpoint: Checkpoint, keep: Keep) -> Checkpoint:
    """The checkpoint without the filters that ``keep`` leaves out.

    Its output is that of the same network with those filters' activations at zero. The evaluation
    is dropped: those figures are the larger network's.

    Args:
        checkpoint: of a Tiramisu of the ``conv_bn_relu`` order.
        keep: by unit, ``(filters,)`` bool; units that are absent stay whole. A dense layer may lose
            all of its filters.

    Raises:
        ModelContractError: see :func:`check_prunable`.
        ValueError: ``keep`` names no unit of this network, has another number of filters, or leaves
            a unit without the filters that it must have.
    """
    network = check_prunable(checkpoint)
    input_px = checkpoint.preprocessing.input_px
    wiring = trace(network, input_px)
    kept = {unit: np.ones(width, np.bool_) for unit, width in wiring.widths.items()}
    for unit, mask in keep.items():
        if unit not in wiring.units or mask.shape != kept[unit].shape:
            raise ValueError(f"structured pruning: no unit {unit} of {mask.size} filters")
        kept[unit] = mask
    # A layer that an earlier round took is in the wiring no more, but in the description still.
    gone = tuple((unit, width) for unit, width in network.widths if width == 0)
    widths = tuple((unit, int(kept[unit].sum())) for unit in wiring.units)
    smaller = replace(network, widths=(*gone, *widths))
    # Fails, before anything is cut, where a unit is left with too little.
    trace(smaller, input_px)
    by_layer = {node.name: node for node in wiring.nodes}
    weights: Weights = {}
    for name, values in checkpoint.weights.items():
        layer, _, variable = name.rpartition("/")
        node = by_layer[layer]
        outgoing = wiring.channels(node.units, kept)
        if outgoing.any():
            incoming = wiring.channels(node.inputs, kept)
            weights[name] = _cut(values, node, variable, incoming, outgoing)
    return replace(checkpoint, network=smaller, weights=weights, evaluation={})


def masked(checkpoint: Checkpoint, keep: Keep) -> Checkpoint:
    """The checkpoint at its full size with the filters that ``keep`` leaves out silenced.

    The scale and shift of their normalization become zero, and so does their activation; where a
    transposed convolution has no normalization, its kernel and bias do.

    Args:
        checkpoint: as for :func:`shrink`.
        keep: as for :func:`shrink`.
    """
    check_prunable(checkpoint)
    weights = dict(checkpoint.weights)
    for unit, mask in keep.items():
        for name in (f"{unit}_bn/gamma", f"{unit}_bn/beta", f"{unit}_conv/bias"):
            if name in weights:
                weights[name] = np.where(mask, weights[name], np.float32(0))
        if f"{unit}_bn/gamma" not in weights:
            kernel = weights[f"{unit}_conv/kernel"]
            weights[f"{unit}_conv/kernel"] = np.where(mask[:, None], kernel, np.float32(0))
    return replace(checkpoint, weights=weights)


def _cut(
    values: NDArray[np.float32],
    node: Node,
    variable: str,
    incoming: NDArray[np.bool_],
    outgoing: NDArray[np.bool_],
) -> NDArray[np.float32]:
    if variable != "kernel":
        return np.ascontiguousarray(values[outgoing])
    # A transposed convolution's kernel is (height, width, out, in), any other's (..., in, out).
    transposed = node.kind == "Conv2DTranspose"
    first, second = (outgoing, incoming) if transposed else (incoming, outgoing)
    return np.ascontiguousarray(values[:, :, first][:, :, :, second])
