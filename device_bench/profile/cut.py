"""Cuts a part out of a .tflite file, by changing some numbers in a copy of it.

A file is a FlatBuffer: tables that point forward to each other. Which operators run and what flows
in and out stands in three vectors of the graph's table, so a part of the graph needs no new file
with its own tables, only these three. No FlatBuffers library and no schema is needed, neither of
which comes with tflite-runtime.

- `operators` holds offsets to tables that lie behind it: its first places are overwritten with the
  offsets of the operators to keep, and its length with their number.
- `inputs` and `outputs` may need more places than they have: new vectors stand behind the end of
  the file, and the table's offsets are made to point to them.

FlatBuffers: https://flatbuffers.dev/internals/. The numbers of the fields are those of TFLite's
schema, which only ever adds to them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from edgeseg.errors import ModelContractError

# Fields of the tables Model and SubGraph.
_MODEL_SUBGRAPHS, _MODEL_SIGNATURES = 2, 7
_GRAPH_INPUTS, _GRAPH_OUTPUTS, _GRAPH_OPERATORS = 1, 2, 3
_WORD_BYTES = 4
_DAMAGED = "the model is damaged: an offset points outside"

#: Bytes, and the place in the file where they go.
Patch = tuple[int, bytes]


class Cutter:
    """Makes parts of a model.

    Args:
        model: A `.tflite` file's bytes.

    Raises:
        ModelContractError: The model has more than one graph (control flow), or is damaged.
    """

    def __init__(self, model: bytes) -> None:
        self._model = model
        try:
            root = self._target(0)
            subgraphs = self._vector(root, _MODEL_SUBGRAPHS)
            count = self._word(subgraphs)
            if count != 1:
                raise ModelContractError(
                    f"the model has {count} graphs (control flow, or several signatures): only a "
                    "model of one graph can be profiled operator by operator"
                )
            self._graph = self._target(subgraphs + _WORD_BYTES)
            self._operators = self._vector(self._graph, _GRAPH_OPERATORS)
            self.operators = self._word(self._operators)
            self._signatures = self._field(root, _MODEL_SIGNATURES)
            self._ends = [self._field(self._graph, n) for n in (_GRAPH_INPUTS, _GRAPH_OUTPUTS)]
        except struct.error as error:
            raise ModelContractError(_DAMAGED) from error
        if not all(self._ends):
            raise ModelContractError("the model's graph has no inputs or no outputs")

    def part(
        self, operators: Sequence[int], inputs: Sequence[int], outputs: Sequence[int]
    ) -> list[Patch]:
        """What to write over the file so that it holds some operators alone.

        Every part can be written over any other: each sets all that any of them changes.

        Args:
            operators: Their places in the file, ascending; none for a graph that does nothing.
            inputs: Tensors that are given from outside, by index.
            outputs: Tensors to give.

        Raises:
            ModelContractError: The model is damaged.
        """
        patches: list[Patch] = [(self._operators, _words(len(operators)))]
        first = self._operators + _WORD_BYTES
        try:
            for place, operator in enumerate(operators):
                slot = first + place * _WORD_BYTES
                table = self._target(first + operator * _WORD_BYTES)
                patches.append((slot, _words(table - slot)))
            if self._signatures:
                # They name tensors that may not be there any more.
                patches.append((self._target(self._signatures), _words(0)))
        except struct.error as error:
            raise ModelContractError(_DAMAGED) from error
        end = len(self._model) + -len(self._model) % _WORD_BYTES
        for field, tensors in zip(self._ends, (inputs, outputs), strict=True):
            vector = _words(len(tensors), *tensors)
            patches += [(field, _words(end - field)), (end, vector)]
            end += len(vector)
        return patches

    def _word(self, at: int) -> int:
        return int(struct.unpack_from("<I", self._model, at)[0])

    def _target(self, at: int) -> int:
        """Where the offset at a place points to."""
        return at + self._word(at)

    def _field(self, table: int, number: int) -> int:
        """The place of a table's field, 0 if it has its default."""
        (back,) = struct.unpack_from("<i", self._model, table)
        vtable = table - back
        length, entry = struct.unpack_from("<H", self._model, vtable)[0], 4 + 2 * number
        if entry + 2 > length:
            return 0
        (offset,) = struct.unpack_from("<H", self._model, vtable + entry)
        return table + int(offset) if offset else 0

    def _vector(self, table: int, number: int) -> int:
        field = self._field(table, number)
        if not field:
            raise ModelContractError("the model has no graph, or a graph without operators")
        return self._target(field)


def _words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)
