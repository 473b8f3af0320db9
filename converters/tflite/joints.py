"""How a converted graph is joined together: its concatenations and its changes of type or scale.

What a densely connected network loses in int8 it loses at its joints: a tensor that has to be
rescaled for a concatenation is rounded once more and copied once more, and XNNPACK's int8 kernel
takes four inputs at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tensorflow.lite.python import schema_py_generated as schema

# The most tensors that XNNPACK's int8 concatenation takes.
MAX_CONCATENATION_INPUTS = 4
_BYTES = (schema.TensorType.INT8, schema.TensorType.UINT8)
ISLAND = "enters or leaves layers kept in float"
_RESCALED = "rescales a tensor for another one's scale"
_CONVERSIONS = (schema.BuiltinOperator.QUANTIZE, schema.BuiltinOperator.DEQUANTIZE)


@dataclass(frozen=True)
class Joints:
    """Facts of one TFLite model.

    Attributes:
        concatenations: how many there are.
        unlike_concatenations: those of which an input has another scale or zero point than the
            output.
        wide_concatenations: those of more than ``MAX_CONCATENATION_INPUTS`` inputs.
        conversions: QUANTIZE and DEQUANTIZE operators, counted by why they are there.
        needless_conversions: those that only rescale; with shared scales there is none.
    """

    concatenations: int
    unlike_concatenations: int
    wide_concatenations: int
    conversions: dict[str, int]
    needless_conversions: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, for the report."""
        return asdict(self)

    def __str__(self) -> str:
        """One line for people."""
        told = [
            f"{self.concatenations} concatenations",
            f"{self.unlike_concatenations} of unlike scales",
            f"{self.wide_concatenations} of more than {MAX_CONCATENATION_INPUTS} inputs",
        ]
        if self.conversions:
            told.append(", ".join(f"{n} x {why}" for why, n in self.conversions.items()))
        return "; ".join(told)


def joints(model: bytes) -> Joints:
    """Looks at the concatenations and the conversions of a TFLite model."""
    parsed = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    concatenations = unlike = wide = 0
    conversions: Counter[str] = Counter()
    for graph in parsed.subgraphs:
        for operator in graph.operators:
            code = parsed.operatorCodes[operator.opcodeIndex]
            # Codes below 127 are stored in the older, narrower field.
            kind = max(code.builtinCode, code.deprecatedBuiltinCode)
            if kind == schema.BuiltinOperator.CONCATENATION:
                concatenations += 1
                wide += len(operator.inputs) > MAX_CONCATENATION_INPUTS
                tensors = [graph.tensors[i] for i in (*operator.inputs, *operator.outputs)]
                unlike += len({_scale(tensor) for tensor in tensors}) > 1
            elif kind in _CONVERSIONS:
                conversions[_reason(parsed, graph, operator)] += 1
    return Joints(
        concatenations, unlike, wide, dict(sorted(conversions.items())), conversions[_RESCALED]
    )


def _reason(parsed: Any, graph: Any, operator: Any) -> str:
    """Why a conversion is there."""
    before, after = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
    first, last = operator.inputs[0] in graph.inputs, operator.outputs[0] in graph.outputs
    if parsed.buffers[before.buffer].data is not None and not first:
        return "unpacks weights that are stored in fewer bits"
    if before.type != after.type and before.type in _BYTES and after.type in _BYTES:
        # TFLite's int8 kernels know no uint8, and a photo has no other bytes.
        return "takes a photo's bytes as they are" if first else "gives confidences as bytes"
    if before.type == after.type:
        return _RESCALED
    if first:
        return "takes float input"
    if last:
        return "gives float output"
    return ISLAND


def _scale(tensor: Any) -> tuple[Sequence[float], Sequence[int]] | None:
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None:
        return None
    return tuple(map(float, quantization.scale)), tuple(map(int, quantization.zeroPoint))
