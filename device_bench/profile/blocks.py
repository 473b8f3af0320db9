"""Groups a model's operators into blocks, by the names that its layers left in the file.

A converter names a tensor after the layers that it came from, ``network/layer/operation``, several
of them joined by semicolons where it has merged them. The rule:

1. The first of the names counts. A first part that most operators share is the network's own name
   and is left out; the layer is the part that follows, without the ``quant_`` of
   quantization-aware training.
2. The block is the layer's name up to its first underscore, with a number that follows:
   ``down0_layer1_relu`` is in ``down0``, ``up0_transition_resize`` in ``up0``, ``block_3_expand``
   in ``block_3``. A layer whose only number is its end is a block itself: ``expanded_conv_3``.
3. An operator without such a name (``StatefulPartitionedCall:0``, ``tfl.quantize``) belongs to the
   block before it, or at the start to the one after it.
4. Where this gives one block only, or more than one for every two operators, the names do not tell:
   then a block is a run of operators of one spatial size.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from device_bench.profile.graph import Node

_BLOCK = re.compile(r"\D+_\d+$|[^_]+(?:_\d+(?=_|$))?")
_TELLING = re.compile(r"[A-Za-z][\w.\-]*")


@dataclass(frozen=True)
class Block:
    """Operators that belong together.

    Attributes:
        name: Unique within the model.
        operators: Their places in the file, ascending, without those of constants.
    """

    name: str
    operators: tuple[int, ...]

    def runs(self) -> list[tuple[int, ...]]:
        """The operators in pieces that follow each other in the file."""
        runs: list[list[int]] = []
        for index in self.operators:
            if runs and runs[-1][-1] == index - 1:
                runs[-1].append(index)
            else:
                runs.append([index])
        return [tuple(run) for run in runs]


def blocks_of(nodes: Sequence[Node]) -> list[Block]:
    """Group operators by the rule above, in the order of their first operators."""
    timed = [node for node in nodes if not node.constant]
    names = _by_names(timed)
    if not 1 < len(set(names)) <= len(timed) / 2:
        names = _by_sizes(timed)
    members: dict[str, list[int]] = {}
    for node, name in zip(timed, names, strict=True):
        members.setdefault(name, []).append(node.index)
    return [Block(name, tuple(indices)) for name, indices in members.items()]


def _by_names(nodes: Sequence[Node]) -> list[str]:
    paths = [node.name.split(";")[0].split("/") for node in nodes]
    firsts = Counter(path[0] for path in paths if len(path) > 1)
    scope = next((part for part, n in firsts.most_common(1) if 2 * n > len(nodes)), None)
    found: list[str | None] = []
    for path in paths:
        layer = path[1] if len(path) > 1 and path[0] == scope else path[0]
        told = (len(path) > 1 or "_" in layer) and _TELLING.fullmatch(layer)
        block = _BLOCK.match(layer.removeprefix("quant_")) if told else None
        found.append(block.group() if block else None)
    before = next((name for name in found if name is not None), "")
    names = []
    for name in found:
        before = name if name is not None else before
        names.append(before)
    return names


def _by_sizes(nodes: Sequence[Node]) -> list[str]:
    names: list[str] = []
    start = 0
    sizes = [_size(node) for node in nodes]
    for place in range(1, len(nodes) + 1):
        if place == len(nodes) or sizes[place] != sizes[start]:
            first, last = nodes[start].index, nodes[place - 1].index
            span = f"operator {first}" if first == last else f"operators {first} to {last}"
            names += [f"{span} ({sizes[start]})"] * (place - start)
            start = place
    return names


def _size(node: Node) -> str:
    shape = node.output_shapes[0]
    return f"{shape[1]}x{shape[2]}" if len(shape) == 4 else "no picture"
