"""How the layers of a ``tf_keras`` functional model hang together."""

from __future__ import annotations

from typing import Any

from edgeseg.errors import ModelContractError


def in_order(model: Any) -> list[Any]:
    """A model's layers, each behind all that it takes from.

    Raises:
        ModelContractError: a layer is used twice, so that it has no single place.
    """
    for layer in model.layers:
        if len(layer.inbound_nodes) != 1:
            raise ModelContractError(f"{layer.name} is used {len(layer.inbound_nodes)} times")
    left = {layer.name: layer for layer in model.layers}
    ordered: list[Any] = []
    while left:
        ready = [layer for layer in left.values() if not any(s in left for s in sources(layer))]
        ordered += ready
        for layer in ready:
            del left[layer.name]
    return ordered


def sources(layer: Any) -> list[str]:
    """Names of the layers whose outputs a layer takes, in the order of its arguments."""
    return [tensor.node.layer.name for tensor in layer.inbound_nodes[0].keras_inputs]
