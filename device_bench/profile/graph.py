"""A model's operators as the interpreter tells them, and what flows between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

from edgeseg import runtime
from edgeseg.errors import ModelContractError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One operator.

    Attributes:
        index: Its place in the file.
        type: As in TFLite's schema, for example ``CONV_2D``.
        name: The name of the first tensor that it makes.
        inputs, outputs: Tensors by index; of the inputs those that depend on the model's inputs.
        input_shapes, output_shapes: Their shapes.
        dtype: Of the first output, for example ``int8``.
        macs: Multiply-accumulates of one invocation, None where they are not what it does.
        partition: Which of the delegate's partitions it is in; None if the runtime's own kernel
            runs it.
        constant: Whether it depends on constants alone, such as weights to unpack. Its result is
            then made with the operators that use it, and it has no time of its own.
    """

    index: int
    type: str
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    dtype: str
    macs: int | None
    partition: int | None
    constant: bool

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Part:
    """Some operators that can run without the others.

    Attributes:
        operators: Their places in the file, ascending.
        inputs: Tensors from outside.
        outputs: Tensors that the other operators or the model's user want.
    """

    operators: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Graph:
    """The operators of a loaded model.

    Args:
        model: A ``.tflite`` file's bytes.
        loaded: The runtime's interpreter of them.

    Attributes:
        nodes: In the file's order.
        inputs, outputs: The model's own, by index.
    """

    def __init__(self, model: bytes, loaded: Any) -> None:
        listed = [one for one in loaded._get_ops_details() if one["op_name"] != "DELEGATE"]
        taken = runtime.operators(model)
        tensors = {int(one["index"]): one for one in loaded.get_tensor_details()}
        self.inputs = [int(one["index"]) for one in loaded.get_input_details()]
        self.outputs = [int(one["index"]) for one in loaded.get_output_details()]
        self._makers = {int(t): i for i, one in enumerate(listed) for t in one["outputs"]}
        self._given = [[int(t) for t in one["inputs"]] for one in listed]
        flowing = set(self.inputs)
        nodes = []
        for index, one in enumerate(listed):
            inputs = tuple(dict.fromkeys(t for t in self._given[index] if t in flowing))
            outputs = tuple(int(t) for t in one["outputs"])
            if not outputs or any(t not in tensors for t in outputs):
                raise ModelContractError(
                    f"operator {index} ({one['op_name']}) makes no tensor: such a model cannot be "
                    "profiled operator by operator"
                )
            if inputs:
                flowing.update(outputs)
            shapes = [_shape(tensors, t) for t in self._given[index]]
            made = [_shape(tensors, t) for t in outputs]
            nodes.append(
                Node(
                    index=index,
                    type=one["op_name"],
                    name=str(tensors[outputs[0]]["name"]),
                    inputs=inputs,
                    outputs=outputs,
                    input_shapes=tuple(_shape(tensors, t) for t in inputs),
                    output_shapes=tuple(made),
                    dtype=getattr(tensors[outputs[0]]["dtype"], "__name__", "unknown"),
                    macs=_macs(one["op_name"], shapes, made[0]),
                    partition=taken[index].partition,
                    constant=not inputs,
                )
            )
        self.nodes: tuple[Node, ...] = tuple(nodes)

    def part(self, chosen: Sequence[int]) -> Part:
        """Make a part of some operators, ascending, with what makes their constants."""
        inside = set(chosen)
        waiting = list(chosen)
        while waiting:
            for tensor in self._given[waiting.pop()]:
                maker = self._makers.get(tensor)
                if maker is not None and self.nodes[maker].constant and maker not in inside:
                    inside.add(maker)
                    waiting.append(maker)
        made = {t for index in inside for t in self.nodes[index].outputs}
        wanted_outside = set(self.outputs)
        used: set[int] = set()
        for node in self.nodes:
            (used if node.index in inside else wanted_outside).update(node.inputs)
        inputs = dict.fromkeys(
            t for index in sorted(inside) for t in self.nodes[index].inputs if t not in made
        )
        outputs = [
            t
            for index in sorted(set(chosen))
            for t in self.nodes[index].outputs
            if t in wanted_outside or t not in used
        ]
        return Part(tuple(sorted(inside)), tuple(inputs), tuple(outputs))


def _shape(tensors: Mapping[int, Any], index: int) -> Shape:
    """A tensor's shape; empty for an optional input that is left out."""
    return tuple(int(size) for size in tensors[index]["shape"]) if index in tensors else ()


def _macs(kind: str, given: Sequence[Shape], made: Shape) -> int | None:
    """Multiply-accumulates by the shapes of all inputs, weights among them, and of the output.

    TFLite keeps a convolution's weights as (out, height, width, in), in of one group; a depthwise
    one's as (1, height, width, out); a fully connected layer's as (out, in).
    """
    counts: dict[str, Callable[[], int]] = {
        "CONV_2D": lambda: prod(made) * prod(given[1][1:]),
        "DEPTHWISE_CONV_2D": lambda: prod(made) * prod(given[1][1:3]),
        "FULLY_CONNECTED": lambda: prod(made) * given[1][-1],
        # Inputs: the output's shape, the weights, the picture.
        "TRANSPOSE_CONV": lambda: prod(given[2][:-1]) * prod(given[1]),
    }
    try:
        return counts[kind]() if kind in counts else None
    except IndexError:
        return None
