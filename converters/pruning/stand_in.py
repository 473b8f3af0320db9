"""An int8 graph in a network's shape with made-up weights, to measure latency by.

A conversion with calibration takes a good part of a minute, and weights have no part in the
latency. This graph is written straight from the network's description, in milliseconds:
convolutions with their normalization and activation folded in, concatenations, pools and resizes,
all of one scale, so that nothing is rescaled.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema

from converters.pruning.wiring import Node, trace
from edgeseg.errors import ModelContractError
from edgeseg.training.networks.tiramisu import Tiramisu

_FOLDED_KINDS = ("BatchNormalization", "ReLU", "Dropout")
# Any scale would do, as long as all tensors share it.
_SCALE, _ZERO_POINT = 6 / 255, -128
_WEIGHT_SCALE = 0.01
_OPERATORS = schema.BuiltinOperator


def int8_stand_in(network: Tiramisu, input_px: int) -> bytes:
    """A TFLite model of batch 1 with int8 input and output, in the shape of ``network``.

    Args:
        network: of the ``conv_bn_relu`` order.
        input_px: height and width of the input.

    Raises:
        ModelContractError: a layer has no counterpart here.
        ValueError: the network cannot be built, see ``Tiramisu.build``.
    """
    graph = _Graph()
    made: dict[str, int] = {}
    nodes = trace(network, input_px).nodes
    for node in nodes:
        made[node.name] = graph.add(node, [made[source.name] for source in node.sources])
    return graph.packed(made[nodes[0].name], made[nodes[-1].name])


class _Graph:
    """Tensors and operators as they come."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        # The first buffer is the empty one, of every tensor that is computed.
        self.buffers = [schema.BufferT()]
        self.tensors: list[Any] = []
        self.operators: list[Any] = []
        self.codes: list[int] = []

    def add(self, node: Node, inputs: list[int]) -> int:
        """The node's operator; gives the index of its output tensor."""
        if node.kind in _FOLDED_KINDS:
            return inputs[0]
        output = self._activation(node.shape)
        if node.kind in ("Conv2D", "Conv2DTranspose"):
            self._convolution(node, inputs[0], output)
        elif node.kind == "DepthwiseConv2D":
            self._depthwise(node, inputs[0], output)
        elif node.kind == "Concatenate":
            options = schema.ConcatenationOptionsT()
            options.axis = 3
            self._operator(_OPERATORS.CONCATENATION, inputs, output, options)
        elif node.kind == "MaxPooling2D":
            options = schema.Pool2DOptionsT()
            options.padding = schema.Padding.VALID
            options.filterHeight = options.filterWidth = node.kernel
            options.strideH = options.strideW = node.stride
            self._operator(_OPERATORS.MAX_POOL_2D, inputs, output, options)
        elif node.kind == "UpSampling2D":
            self._resize(node, inputs[0], output)
        elif node.kind == "Activation":
            self._operator(_OPERATORS.LOGISTIC, inputs, output, None)
            self.tensors[output].quantization = _quantization([1 / 256], _ZERO_POINT)
        elif node.kind != "InputLayer":
            raise ModelContractError(f"{node.name}: no int8 stand-in for its kind of layer")
        return output

    def packed(self, first: int, last: int) -> bytes:
        """The model from tensor ``first`` to tensor ``last``."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = [first], [last]
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers = 3, [graph], self.buffers
        model.operatorCodes = [_code(code) for code in self.codes]
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _convolution(self, node: Node, source: int, output: int) -> None:
        filters, channels = node.shape[2], node.sources[0].shape[2]
        shape = (filters, node.kernel, node.kernel, channels)
        weights = [source, *self._weights(shape, filters, 0)]
        if node.kind == "Conv2DTranspose":
            options = schema.TransposeConvOptionsT()
            size = self._constant(np.array([1, *node.shape], np.int32), None)
            weights = [size, weights[1], source, weights[2]]
            operator = _OPERATORS.TRANSPOSE_CONV
        else:
            options = schema.Conv2DOptionsT()
            options.dilationHFactor = options.dilationWFactor = 1
            operator = _OPERATORS.CONV_2D
        options.padding = schema.Padding.SAME
        options.strideH = options.strideW = node.stride
        self._operator(operator, weights, output, options)

    def _depthwise(self, node: Node, source: int, output: int) -> None:
        channels = node.shape[2]
        weights = self._weights((1, node.kernel, node.kernel, channels), channels, 3)
        options = schema.DepthwiseConv2DOptionsT()
        options.padding = schema.Padding.SAME
        options.strideH = options.strideW = options.depthMultiplier = 1
        options.dilationHFactor = options.dilationWFactor = 1
        self._operator(_OPERATORS.DEPTHWISE_CONV_2D, [source, *weights], output, options)

    def _resize(self, node: Node, source: int, output: int) -> None:
        size = self._constant(np.array(node.shape[:2], np.int32), None)
        if node.mode == "nearest":
            options = schema.ResizeNearestNeighborOptionsT()
            operator = _OPERATORS.RESIZE_NEAREST_NEIGHBOR
        else:
            options, operator = schema.ResizeBilinearOptionsT(), _OPERATORS.RESIZE_BILINEAR
        options.halfPixelCenters = True
        self._operator(operator, [source, size], output, options)

    def _weights(self, shape: tuple[int, ...], filters: int, axis: int) -> list[int]:
        """Kernel and bias, with a scale for each filter."""
        kernel = self.rng.integers(-127, 128, shape, dtype=np.int8)
        scales = [_WEIGHT_SCALE] * filters
        biases = np.zeros(filters, np.int32)
        return [
            self._constant(kernel, _quantization(scales, 0, axis)),
            self._constant(biases, _quantization([_SCALE * scale for scale in scales], 0)),
        ]

    def _activation(self, shape: tuple[int, int, int]) -> int:
        tensor = schema.TensorT()
        tensor.shape = [1, *shape]
        tensor.type = schema.TensorType.INT8
        tensor.quantization = _quantization([_SCALE], _ZERO_POINT)
        return self._tensor(tensor)

    def _constant(self, values: NDArray[Any], quantization: Any) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.buffers.append(buffer)
        tensor = schema.TensorT()
        tensor.shape = list(values.shape)
        is_kernel = values.dtype == np.int8
        tensor.type = schema.TensorType.INT8 if is_kernel else schema.TensorType.INT32
        tensor.buffer = len(self.buffers) - 1
        tensor.quantization = quantization
        return self._tensor(tensor)

    def _tensor(self, tensor: Any) -> int:
        tensor.name = f"tensor{len(self.tensors)}"
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def _operator(self, code: int, inputs: list[int], output: int, options: Any) -> None:
        if code not in self.codes:
            self.codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = self.codes.index(code)
        operator.inputs, operator.outputs = inputs, [output]
        if options is not None:
            name = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            operator.builtinOptions = options
        self.operators.append(operator)


def _code(builtin: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    # The int8 kernels of all of these came with version 2 or 3.
    code.version = 3
    return code


def _quantization(scales: list[float], zero_point: int, axis: int = 0) -> Any:
    quantization = schema.QuantizationParametersT()
    quantization.scale = scales
    quantization.zeroPoint = [zero_point] * len(scales)
    quantization.quantizedDimension = axis
    return quantization
