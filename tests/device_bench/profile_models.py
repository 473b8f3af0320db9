"""Hand-made models to take apart; each needs LiteRT's schema to be made, and nothing to be cut."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.edgeseg.handmade import ModelWriter

_SEED = 5


def named(writer: ModelWriter, tensor: int, name: str) -> int:
    """Give a tensor the name that a converter would."""
    writer.graph.tensors[tensor].name = name.encode()
    return tensor


def spatial_convolution(
    writer: ModelWriter, source: int, side: int, channels: tuple[int, int], name: str
) -> int:
    """A 3x3 convolution with padding and drawn weights."""
    coming, going = channels
    weights = np.random.default_rng(_SEED).normal(0, 0.1, (going, 3, 3, coming))
    kernel = writer.tensor((going, 3, 3, coming), data=weights.astype(np.float32))
    shift = writer.tensor((going,), data=np.zeros(going, np.float32))
    result = named(writer, writer.tensor((1, side, side, going)), name)
    options = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    writer.operator("CONV_2D", [source, kernel, shift], result, "Conv2DOptions", **options)
    return result


def quarter_and_whole(side: int = 32, filters: int = 16) -> bytes:
    """Two convolutions alike but for their filters: so many of them, then four times as many."""
    writer = ModelWriter()
    source = writer.tensor((1, side, side, 64))
    few = spatial_convolution(writer, source, side, (64, filters), "net/few_conv/Conv2D")
    many = spatial_convolution(writer, source, side, (64, 4 * filters), "net/many_conv/Conv2D")
    return writer.finish([source], [few, many])


def skipping(names: bool = True) -> bytes:
    """Two inputs, two outputs, a skip connection and blocks that return: float32."""
    writer = ModelWriter()
    side = 8

    def name(told: str) -> str:
        return f"net/{told}" if names else ""

    left, right = writer.tensor((1, side, side, 4)), writer.tensor((1, side, side, 4))
    down = spatial_convolution(writer, left, side, (4, 4), name("down0_layer0_relu/Relu;x/y"))
    late = spatial_convolution(writer, right, side, (4, 4), name("side_conv/Conv2D"))
    both = named(writer, writer.tensor((1, side, side, 8)), name("quant_down0_concat0/concat"))
    writer.operator(
        "CONCATENATION",
        [down, late],
        both,
        "ConcatenationOptions",
        axis=3,
        fusedActivationFunction=0,
    )
    up = spatial_convolution(writer, both, side, (8, 4), name("up0_layer0_relu/Relu"))
    summed = named(writer, writer.tensor((1, side, side, 4)), name("up0_skip/add"))
    writer.operator("ADD", [up, down], summed, "AddOptions", fusedActivationFunction=0)
    last = named(writer, writer.tensor((1, side, side, 4)), "StatefulPartitionedCall:0")
    writer.operator("LOGISTIC", [summed], last)
    return writer.finish([left, right], [last, late])


def half_weights(side: int = 8) -> bytes:
    """A convolution whose weights are kept as float16, and unpacked by an operator of their own."""
    writer = ModelWriter()
    source = writer.tensor((1, side, side, 3))
    weights = np.random.default_rng(_SEED).normal(0, 1, (2, 1, 1, 3)).astype(np.float16)
    kept = writer.tensor((2, 1, 1, 3), "FLOAT16", data=weights)
    kernel = writer.tensor((2, 1, 1, 3))
    writer.operator("DEQUANTIZE", [kept], kernel)
    shift = writer.tensor((2,), data=np.zeros(2, np.float32))
    result = writer.tensor((1, side, side, 2))
    writer.operator(
        "CONV_2D", [source, kernel, shift], result, "Conv2DOptions", strideH=1, strideW=1
    )
    return writer.finish([source], [result])


def two_graphs() -> bytes:
    """A model with a second graph, as control flow has."""
    writer = ModelWriter()
    source, result = writer.tensor((1, 4)), writer.tensor((1, 4))
    writer.operator("LOGISTIC", [source], result)
    other: Any = writer.schema.SubGraphT()
    other.tensors, other.operators = [], []
    other.inputs = other.outputs = np.array([], dtype=np.int32)
    writer.model.subgraphs.append(other)
    return writer.finish([source], [result])
