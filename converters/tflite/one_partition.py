"""Nearest-neighbour resize by two, said in operators that XNNPACK runs.

XNNPACK has no nearest-neighbour resize, so each one cuts a network in two, and its own part is run
by the interpreter's kernel. Four copies of a tensor, put one behind the other along its channels
and spread over blocks of two by two pixels, are the same thing to the last bit.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

_FACTOR = 2
# XNNPACK takes no other activations, and TFLite's own kernels spread no int16.
_TYPES = (schema.TensorType.FLOAT32, schema.TensorType.INT8)
_NEAREST = schema.BuiltinOperator.RESIZE_NEAREST_NEIGHBOR
_CONCATENATION = schema.BuiltinOperator.CONCATENATION
_DEPTH_TO_SPACE = schema.BuiltinOperator.DEPTH_TO_SPACE


def without_nearest_resize(model: bytes) -> bytes:
    """The same network with every nearest-neighbour resize by two replaced.

    Args:
        model: TFLite bytes.

    Returns:
        TFLite bytes that give the same output bit by bit; ``model`` itself where there is nothing
        to replace. A resize by another factor, between aligned corners, or of int16 stays.
    """
    parsed = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    replaced = 0
    for graph in parsed.subgraphs:
        operators: list[Any] = []
        for operator in graph.operators:
            if _doubles(parsed, graph, operator):
                operators += _replacement(parsed, graph, operator)
                replaced += 1
            else:
                operators.append(operator)
        graph.operators = operators
    return bytes(flatbuffer_utils.convert_object_to_bytearray(parsed)) if replaced else model


def _doubles(parsed: Any, graph: Any, operator: Any) -> bool:
    code = parsed.operatorCodes[operator.opcodeIndex]
    if max(code.builtinCode, code.deprecatedBuiltinCode) != _NEAREST:
        return False
    given, made = (graph.tensors[t] for t in (operator.inputs[0], operator.outputs[0]))
    batch, height, width, channels = given.shape
    doubled = list(made.shape) == [batch, _FACTOR * height, _FACTOR * width, channels]
    return doubled and given.type in _TYPES and not operator.builtinOptions.alignCorners


def _replacement(parsed: Any, graph: Any, operator: Any) -> list[Any]:
    """A concatenation of four copies, and what spreads them; the resize's output stays its own."""
    source = graph.tensors[operator.inputs[0]]
    stacked = copy.copy(source)
    # Named after the output, whose layer it belongs to.
    stacked.name = graph.tensors[operator.outputs[0]].name + b"/stacked"
    stacked.shape = np.array([*source.shape[:3], source.shape[3] * _FACTOR**2], np.int32)
    stacked.shapeSignature = None
    # The buffer of every tensor that holds no constant.
    stacked.buffer = 0
    graph.tensors.append(stacked)
    index = len(graph.tensors) - 1

    concatenation = schema.OperatorT()
    concatenation.opcodeIndex = _code_index(parsed, _CONCATENATION)
    concatenation.inputs = np.full(_FACTOR**2, operator.inputs[0], np.int32)
    concatenation.outputs = np.array([index], np.int32)
    concatenation.builtinOptionsType = schema.BuiltinOptions.ConcatenationOptions
    concatenation.builtinOptions = schema.ConcatenationOptionsT()
    concatenation.builtinOptions.axis = 3

    spread = schema.OperatorT()
    spread.opcodeIndex = _code_index(parsed, _DEPTH_TO_SPACE)
    spread.inputs = np.array([index], np.int32)
    spread.outputs = operator.outputs
    spread.builtinOptionsType = schema.BuiltinOptions.DepthToSpaceOptions
    spread.builtinOptions = schema.DepthToSpaceOptionsT()
    spread.builtinOptions.blockSize = _FACTOR
    return [concatenation, spread]


def _code_index(parsed: Any, builtin: int) -> int:
    """Where the model lists an operator's kind; it is added where it is not."""
    for index, code in enumerate(parsed.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == builtin:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    # The first version that takes int8 as well as float32, of both.
    code.version = 2
    parsed.operatorCodes.append(code)
    return len(parsed.operatorCodes) - 1
