"""Which operators of a network XNNPACK runs, in how many partitions, and why the rest fall back.

An operator that XNNPACK does not take is run by the interpreter's own kernel, which may be slower;
and each one in the middle of a network cuts it, for a partition ends before it and another begins
behind it.

What was taken is read from the runtime itself. Why something was not is concluded from the
operator's own properties, by the rules of XNNPACK's delegate in LiteRT 2.3 (``VisitNode`` in
``xnnpack_delegate.cc``); an operator that no rule explains is told as such.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from edgeseg.runtime import operators, runtime_name

UNEXPLAINED = "no reason known to edgeseg"

# fmt: off
_ANY_TYPE = frozenset({
    "ADD", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE",
    "ELU", "EXPAND_DIMS", "FULLY_CONNECTED", "LEAKY_RELU", "LOGISTIC", "MAX_POOL_2D", "MEAN",
    "MUL", "NEG", "PAD", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "RESHAPE", "RESIZE_BILINEAR",
    "SLICE", "SPACE_TO_DEPTH", "SPLIT", "SQUARE", "STRIDED_SLICE", "SUB", "SUM", "TANH",
    "TRANSPOSE", "TRANSPOSE_CONV",
})
_FLOAT_ONLY = frozenset({
    "ABS", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CEIL", "COS", "DIV", "EXP", "FLOOR", "GELU",
    "HARD_SWISH", "MAXIMUM", "MINIMUM", "PRELU", "ROUND", "RSQRT", "SIN", "SOFTMAX", "SQRT",
    "SQUARED_DIFFERENCE",
    # As operators of their own; int8 takes them fused into the operator before.
    "RELU", "RELU6", "RELU_N1_TO_1",
})
# fmt: on
_TAKEN_DTYPES = frozenset({"float32", "int8", "uint8"})
_INT8 = frozenset({"int8", "uint8"})
_MAX_CONCATENATED = 5
_DTYPE_NAMES = {
    code: name.lower() for name, code in vars(schema.TensorType).items() if name.isupper()
}


@dataclass(frozen=True)
class Kept:
    """Operators that the interpreter's own kernels run, alike in kind and reason.

    Attributes:
        operator: as in TFLite's schema, for example ``RESIZE_NEAREST_NEIGHBOR``.
        count: how many.
        reason: why XNNPACK does not take them, in words.
    """

    operator: str
    count: int
    reason: str


@dataclass(frozen=True)
class Delegation:
    """Who runs a network's operators.

    Attributes:
        partitions: into how many pieces XNNPACK's part of the network falls.
        delegated: the operators in them, how many of each.
        kept: the others, the most frequent first.
        runtime: name and version of the interpreter that said so; another may take more or less.
    """

    partitions: int
    delegated: dict[str, int]
    kept: tuple[Kept, ...]
    runtime: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, for the report."""
        return {**asdict(self), "kept": [asdict(each) for each in self.kept]}

    def text(self) -> str:
        """One line for people."""
        taken, left = sum(self.delegated.values()), sum(each.count for each in self.kept)
        partitions = "1 partition" if self.partitions == 1 else f"{self.partitions} partitions"
        line = f"XNNPACK runs {taken} of {taken + left} operators in {partitions}"
        reasons = [f"{each.count} {each.operator} ({each.reason})" for each in self.kept]
        return f"{line}; left: {', '.join(reasons)}" if reasons else line


def delegation(model: bytes) -> Delegation:
    """Asks the interpreter what XNNPACK takes of a network's main graph.

    Args:
        model: TFLite bytes, trusted.

    Raises:
        ModelContractError: the interpreter cannot load the model.
        MissingExtraError: no TFLite interpreter is installed.
    """
    found = operators(model)
    graph = _Graph(model, [each.name for each in found])
    kept = Counter(
        (each.name, graph.reason(index))
        for index, each in enumerate(found)
        if each.partition is None
    )
    delegated = Counter(each.name for each in found if each.partition is not None)
    return Delegation(
        partitions=len({each.partition for each in found} - {None}),
        delegated=dict(sorted(delegated.items())),
        kept=tuple(Kept(name, count, reason) for (name, reason), count in kept.most_common()),
        runtime=runtime_name(),
    )


class _Graph:
    """The operators of a model's main graph, as its file describes them."""

    def __init__(self, model: bytes, names: list[str]) -> None:
        parsed = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
        graph = parsed.subgraphs[0]
        self.names = names
        self.operators = graph.operators
        self.shapes = [tensor.shape for tensor in graph.tensors]
        self.dtypes = [_DTYPE_NAMES[tensor.type] for tensor in graph.tensors]
        self.constants: dict[int, Any] = {
            index: parsed.buffers[tensor.buffer].data
            for index, tensor in enumerate(graph.tensors)
            if parsed.buffers[tensor.buffer].data is not None
        }
        # float16 weights are constants behind a DEQUANTIZE.
        self.unpacked = {
            int(operator.outputs[0])
            for name, operator in zip(names, self.operators, strict=True)
            if name in ("DEQUANTIZE", "DENSIFY") and int(operator.inputs[0]) in self.constants
        }

    def reason(self, index: int) -> str:
        """Why XNNPACK does not take an operator."""
        name, operator = self.names[index], self.operators[index]
        if name not in _ANY_TYPE | _FLOAT_ONLY:
            return "XNNPACK has no such operator"
        if int(operator.outputs[0]) in self.unpacked:
            return "unpacks weights of an operator that is left"
        activations = self.activations(operator.inputs) | self.activations(operator.outputs)
        if strange := sorted(activations - _TAKEN_DTYPES):
            return f"{' and '.join(strange)} activations: XNNPACK takes float32 and int8"
        if name in _FLOAT_ONLY and activations & _INT8:
            return "XNNPACK takes it in float32 only"
        if activations >= _INT8:
            return "changes between uint8 and int8"
        rule = _RULES.get(name)
        return UNEXPLAINED if rule is None else rule(self, operator) or UNEXPLAINED

    def activations(self, tensors: Any) -> set[str]:
        """Types of those tensors that are no constants; an absent tensor has the index -1."""
        return {self.dtypes[int(t)] for t in tensors if t >= 0 and int(t) not in self.constants}


# Rules for single kinds of operators whose activations are of a type that XNNPACK takes.


def _of_kernel(graph: _Graph, operator: Any) -> str | None:
    kernel = int(operator.inputs[1])
    if kernel not in graph.constants and kernel not in graph.unpacked:
        return "its weights are computed, not constant"
    if graph.dtypes[kernel] in _INT8 and graph.activations(operator.outputs) == {"float32"}:
        return "int8 weights with float32 activations"
    return None


def _of_transposed(graph: _Graph, operator: Any) -> str | None:
    _, height, width, _ = graph.shapes[int(operator.inputs[1])]
    options = operator.builtinOptions
    if options.strideH > height or options.strideW > width:
        return "its stride is larger than its kernel"
    return _of_kernel(graph, operator)


def _of_pooling(_graph: _Graph, operator: Any) -> str | None:
    options = operator.builtinOptions
    if options.strideH > options.filterHeight or options.strideW > options.filterWidth:
        return "its stride is larger than its window"
    return None


def _of_concatenation(_graph: _Graph, operator: Any) -> str | None:
    count = len(operator.inputs)
    if count > _MAX_CONCATENATED:
        return f"{count} inputs: XNNPACK takes up to {_MAX_CONCATENATED}"
    return None


def _of_strided_slice(graph: _Graph, operator: Any) -> str | None:
    options = operator.builtinOptions
    if options.shrinkAxisMask or options.newAxisMask or options.ellipsisMask:
        return "it drops or adds axes"
    strides = graph.constants.get(int(operator.inputs[3]))
    if strides is None:
        return "its strides are computed, not constant"
    if np.any(np.frombuffer(bytes(strides), np.int32) != 1):
        return "a stride other than 1"
    return None


_RULES: dict[str, Callable[[_Graph, Any], str | None]] = {
    "AVERAGE_POOL_2D": _of_pooling,
    "CONCATENATION": _of_concatenation,
    "CONV_2D": _of_kernel,
    "DEPTHWISE_CONV_2D": _of_kernel,
    "FULLY_CONNECTED": _of_kernel,
    "MAX_POOL_2D": _of_pooling,
    "STRIDED_SLICE": _of_strided_slice,
    "TRANSPOSE_CONV": _of_transposed,
}
