"""Float islands: layers of an int8 network that are computed in float32 after all.

The converter decides by itself what to quantize and spreads a range from any tensor to its
neighbours, so a layer cannot be kept out of it by leaving its range unsaid. The finished graph is
changed instead: an operator of the island gets the float network's weights and float32 tensors,
with a DEQUANTIZE where the island is entered and a QUANTIZE where it is left.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import tf_keras
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from converters.evaluation.layers import layer_named
from converters.quantization.ranges import CONVOLUTIONS
from edgeseg.errors import ModelContractError

_FOLDED = (tf_keras.layers.BatchNormalization, tf_keras.layers.ReLU)
_WEIGHTED = (
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    schema.BuiltinOperator.TRANSPOSE_CONV,
    schema.BuiltinOperator.FULLY_CONNECTED,
)
_CONVERSIONS = (schema.BuiltinOperator.QUANTIZE, schema.BuiltinOperator.DEQUANTIZE)
_DTYPES = {schema.TensorType.INT8: np.int8, schema.TensorType.UINT8: np.uint8}


def keep_float(model: Any, converted: bytes, float_model: bytes, patterns: Sequence[str]) -> bytes:
    """The converted network with some layers in float32.

    Args:
        model: the ``tf_keras`` network that both were converted from.
        converted: TFLite bytes with int8 activations.
        float_model: TFLite bytes without quantization.
        patterns: names or shell patterns of layers, such as ``head_*``. A convolution, its batch
            normalization and its ReLU are one operator: a pattern that names one means the three.

    Returns:
        TFLite bytes of the same input and output.

    Raises:
        ModelContractError: a pattern names no layer, or the two graphs' convolutions differ.
    """
    return _Surgeon(model, converted, float_model, _meant(model, patterns)).result()


def _meant(model: Any, patterns: Sequence[str]) -> set[str]:
    """The names of the layers that the patterns mean, and of what is folded into them."""
    names = [layer.name for layer in model.layers]
    found: set[str] = set()
    for pattern in patterns:
        meant = [name for name in names if fnmatchcase(name, pattern)]
        if not meant:
            raise ModelContractError(
                f"no layer of the network is named {pattern!r}; names are such as "
                f"{names[1]} and {names[-2]}"
            )
        found.update(meant)
    for layer in model.layers:
        if isinstance(layer, CONVOLUTIONS):
            chain = set(_chain(layer))
            if chain & found:
                found |= chain
    return found


def _chain(layer: Any) -> Iterator[str]:
    """The names of a convolution and of the layers that are folded into it."""
    yield layer.name
    while len(layer.outbound_nodes) == 1:
        layer = layer.outbound_nodes[0].outbound_layer
        if not isinstance(layer, _FOLDED):
            return
        yield layer.name


class _Surgeon:
    """Rebuilds the list of operators of one graph."""

    def __init__(self, model: Any, converted: bytes, float_model: bytes, island: set[str]) -> None:
        self.parsed = schema.ModelT.InitFromObj(schema.Model.GetRootAs(converted, 0))
        self.graph = self.parsed.subgraphs[0]
        self.plain = schema.ModelT.InitFromObj(schema.Model.GetRootAs(float_model, 0))
        self.names = {layer.name for layer in model.layers}
        self.last = model.layers[-1].name
        self.island = island
        # The float32 twin of an int8 tensor, and the int8 tensors that hold a value.
        self.twins: dict[int, int] = {}
        self.held: set[int] = {int(i) for i in self.graph.inputs}
        self.operators: list[Any] = []

    def result(self) -> bytes:
        pairs = self._float_operators()
        for operator in self.graph.operators:
            if self._belongs(operator):
                self._move(operator, pairs.get(id(operator)))
            else:
                for tensor in operator.inputs:
                    self._leave(int(tensor))
                self.operators.append(operator)
                self.held.update(int(tensor) for tensor in operator.outputs)
        for tensor in self.graph.outputs:
            self._leave(int(tensor))
        self.graph.operators = self.operators
        return bytes(flatbuffer_utils.convert_object_to_bytearray(self.parsed))

    def _float_operators(self) -> dict[int, Any]:
        """The float network's convolution for each of the int8 one's, by identity."""
        mine = [o for o in self.graph.operators if _kind(self.parsed, o) in _WEIGHTED]
        theirs = [o for o in self.plain.subgraphs[0].operators if _kind(self.plain, o) in _WEIGHTED]
        shapes = [
            [tuple(graph.tensors[o.inputs[1]].shape) for o in operators]
            for graph, operators in ((self.graph, mine), (self.plain.subgraphs[0], theirs))
        ]
        if shapes[0] != shapes[1]:
            raise ModelContractError(
                "the int8 graph's convolutions are not the float graph's: no layer can be kept in "
                "float"
            )
        return {id(a): b for a, b in zip(mine, theirs, strict=True)}

    def _belongs(self, operator: Any) -> bool:
        """Whether an operator is the island's. A change of scale or type is no layer's."""
        if _kind(self.parsed, operator) in _CONVERSIONS:
            return False
        name = self.graph.tensors[operator.outputs[0]].name.decode()
        # The converter calls the last operator's output after the function, not after the layer.
        return (layer_named(name, self.names) or self.last) in self.island

    def _move(self, operator: Any, plain: Any | None) -> None:
        """An operator of the island, on float32 tensors."""
        moved = copy.copy(operator)
        if plain is None:
            moved.inputs = [self._entered(int(tensor)) for tensor in operator.inputs]
        else:
            pairs = zip(operator.inputs, plain.inputs, strict=True)
            moved.inputs = [self._weights(int(b)) or self._entered(int(a)) for a, b in pairs]
            # int8 may have left a ReLU to the range of its output.
            moved.builtinOptions = plain.builtinOptions
        moved.outputs = [self._twin(int(tensor)) for tensor in operator.outputs]
        self.operators.append(moved)

    def _entered(self, tensor: int) -> int:
        """The float32 twin of an operator's input, made where there is none yet."""
        if tensor < 0 or self.graph.tensors[tensor].type not in _DTYPES or tensor in self.twins:
            return self.twins.get(tensor, tensor)
        twin = self._twin(tensor)
        data = self.parsed.buffers[self.graph.tensors[tensor].buffer].data
        if data is None:
            self._convert(schema.BuiltinOperator.DEQUANTIZE, tensor, twin)
        else:
            self._fill(twin, self.graph.tensors[tensor], data)
        return twin

    def _leave(self, tensor: int) -> None:
        """Gives an int8 tensor its value, if the island holds it."""
        if tensor in self.twins and tensor not in self.held:
            self._convert(schema.BuiltinOperator.QUANTIZE, self.twins[tensor], tensor)
            self.held.add(tensor)

    def _twin(self, tensor: int) -> int:
        twin = copy.copy(self.graph.tensors[tensor])
        twin.type, twin.quantization, twin.name = schema.TensorType.FLOAT32, None, twin.name + b"_f"
        self.graph.tensors.append(twin)
        self.twins[tensor] = len(self.graph.tensors) - 1
        return self.twins[tensor]

    def _fill(self, twin: int, tensor: Any, data: Any) -> None:
        """The real values of an int8 constant that is no convolution's, of one scale."""
        steps = np.frombuffer(bytes(data), _DTYPES[tensor.type]).astype(np.int32)
        scale, zero_point = tensor.quantization.scale[0], tensor.quantization.zeroPoint[0]
        real = ((steps - zero_point) * scale).astype(np.float32)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(real.tobytes(), np.uint8)
        self.parsed.buffers.append(buffer)
        self.graph.tensors[twin].buffer = len(self.parsed.buffers) - 1

    def _weights(self, tensor: int) -> int | None:
        """A constant of the float network, in this one; None if it is no constant."""
        if tensor < 0:
            return None
        constant = copy.copy(self.plain.subgraphs[0].tensors[tensor])
        if self.plain.buffers[constant.buffer].data is None:
            return None
        self.parsed.buffers.append(self.plain.buffers[constant.buffer])
        constant.buffer = len(self.parsed.buffers) - 1
        self.graph.tensors.append(constant)
        return len(self.graph.tensors) - 1

    def _convert(self, kind: int, given: int, made: int) -> None:
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(kind)
        operator.inputs, operator.outputs = [given], [made]
        self.operators.append(operator)

    def _code(self, kind: int) -> int:
        for index, code in enumerate(self.parsed.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == kind:
                return index
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        # int8 came with the second version of either.
        code.version = 2
        self.parsed.operatorCodes.append(code)
        return len(self.parsed.operatorCodes) - 1


def _kind(parsed: Any, operator: Any) -> int:
    code = parsed.operatorCodes[operator.opcodeIndex]
    # Codes below 127 are stored in the older, narrower field.
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))
