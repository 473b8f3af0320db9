"""The HNSW graph as plain arrays, and the checks that make them safe to follow.

Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical
Navigable Small World graphs" (2018): `m`, `ef_construction`, levels and the entry point are theirs.

A list of neighbours rises (in what order a search looks at them does not matter to it), and is kept
as the steps from each to the next, two bytes a link; it is unpacked a block of lists at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import limits
from edgeseg.errors import FormatError
from edgeseg.formats.document import Fields

# Stands for a step that does not fit 16 bits.
LONG_STEP = 0xFFFF


@dataclass(frozen=True, eq=False)
class Graph:
    """An HNSW graph over rows ``0..n-1``.

    The lists of neighbours stand in this order: level 0 of every row, then each row's levels
    1, 2, ... up to its own.

    Attributes:
        m: links a row makes on each level above 0; level 0 holds up to ``2 * m``.
        ef_construction: the breadth of the search that built it.
        seed: of the random levels.
        entry_point: the row where a search starts.
        levels: ``(n,)`` uint8, each row's top level.
        counts: ``(n + sum(levels),)`` uint8, each list's length.
        steps: ``(sum(counts),)`` uint16, all lists one after another: each list's first neighbour,
            then each neighbour less the one before; ``LONG_STEP`` stands for the next of
            ``long_steps``.
        long_steps: uint32, those of ``LONG_STEP`` and more.
    """

    m: int
    ef_construction: int
    seed: int
    entry_point: int
    levels: NDArray[np.uint8]
    counts: NDArray[np.uint8]
    steps: NDArray[np.uint16]
    long_steps: NDArray[np.uint32]

    def settings(self) -> dict[str, int]:
        """The JSON form of all but the arrays."""
        return {
            "ef_construction": self.ef_construction,
            "entry_point": self.entry_point,
            "m": self.m,
            "seed": self.seed,
        }

    @classmethod
    def from_settings(
        cls,
        value: object,
        levels: NDArray[np.uint8],
        counts: NDArray[np.uint8],
        steps: NDArray[np.uint16],
        long_steps: NDArray[np.uint32],
    ) -> Graph:
        """Join the JSON form and the arrays; :func:`check_graph` must follow.

        Raises:
            ManifestError: a field is missing, unknown or out of its range.
        """
        fields = Fields(value, "the graph of catalogue.json")
        ef_construction = fields.integer("ef_construction", 1, limits.MAX_K)
        entry_point = fields.integer("entry_point", 0, len(levels) - 1)
        # hnswlib's level distribution divides by log(m), so 1 is refused.
        m = fields.integer("m", 2, limits.MAX_HNSW_M)
        seed = fields.integer("seed", 0, 2**32 - 1)
        fields.done()
        return cls(m, ef_construction, seed, entry_point, levels, counts, steps, long_steps)

    def lists(self, at_once: int) -> Iterator[tuple[slice, NDArray[np.uint32]]]:
        """The neighbours, unpacked some lists at a time.

        Args:
            at_once: how many lists; those of level 0 and those above are not mixed.

        Yields:
            Which lists, as a slice of ``counts``, and their neighbours one after another, uint32.
        """
        rows = len(self.levels)
        position = long_position = 0
        for first, last in ((0, rows), (rows, len(self.counts))):
            for start in range(first, last, at_once):
                part = slice(start, min(start + at_once, last))
                counts = self.counts[part]
                steps = self.steps[position : position + int(counts.sum(dtype=np.int64))]
                wide = steps.astype(np.uint32)
                long = np.flatnonzero(steps == LONG_STEP)
                wide[long] = self.long_steps[long_position : long_position + len(long)]
                yield part, _summed(counts, wide)
                position += len(steps)
                long_position += len(long)

    def neighbours(self) -> NDArray[np.uint32]:
        """All lists one after another, unpacked: ``(sum(counts),)`` uint32."""
        parts = [links for _, links in self.lists(len(self.counts))]
        return np.concatenate(parts) if parts else np.zeros(0, np.uint32)


def packed_lists(
    counts: NDArray[np.integer[Any]], neighbours: NDArray[np.uint32]
) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    """Lists of neighbours as a graph's ``steps`` and ``long_steps``.

    Args:
        counts: each list's length.
        neighbours: all lists one after another, in any order within a list, none twice in one.
    """
    lists = np.repeat(np.arange(len(counts), dtype=np.uint64) << np.uint64(32), counts)
    lists |= neighbours
    lists.sort()
    rising = (lists & np.uint64(0xFFFFFFFF)).astype(np.int64)
    steps = np.diff(rising, prepend=0)
    starts = _starts(counts)
    steps[starts] = rising[starts]
    long = steps >= LONG_STEP
    return np.where(long, LONG_STEP, steps).astype("<u2"), steps[long].astype("<u4")


def check_graph(graph: Graph) -> None:
    """Refuse a graph that a search could leave: each index and count is checked.

    Raises:
        FormatError: a list is too long or does not rise, or a link leads to no row, or to one that
            is not on the link's level (the C++ search would read a list that does not exist).
    """
    rows = len(graph.levels)
    levels = graph.levels.astype(np.int64)
    if int(levels.max()) > limits.MAX_HNSW_LEVEL:
        raise FormatError("an item of its graph is on too high a level")
    if levels[graph.entry_point] != levels.max():
        raise FormatError("its graph's entry point is not on the top level")
    if len(graph.counts) != rows + int(levels.sum()):
        raise FormatError("its graph has a wrong number of neighbour lists")
    if int(graph.counts[:rows].max()) > 2 * graph.m or bool((graph.counts[rows:] > graph.m).any()):
        raise FormatError("a neighbour list of its graph is too long")
    _check_steps(graph)
    steps = graph.steps.astype(np.uint32)
    steps[graph.steps == LONG_STEP] = graph.long_steps
    # A list rises, so its last link, the sum of its steps, is its largest.
    starts = _starts(graph.counts)
    if len(starts) and int(np.add.reduceat(steps, starts.astype(np.intp)).max()) >= rows:
        raise FormatError("a link of its graph leads to no item")
    upper = graph.counts[rows:]
    links = _summed(upper, steps[int(graph.counts[:rows].sum(dtype=np.int64)) :])
    if bool((levels[links] < np.repeat(_upper_levels(levels), upper)).any()):
        raise FormatError("a link of its graph leads to an item below the link's level")


def _check_steps(graph: Graph) -> None:
    """That lists rise, and that their sums fit 32 bits, so that unpacking them is exact."""
    steps, long_steps = graph.steps, graph.long_steps
    if int(graph.counts.sum(dtype=np.int64)) != len(steps):
        raise FormatError("its graph has a wrong number of neighbours")
    if int(np.count_nonzero(steps == LONG_STEP)) != len(long_steps):
        raise FormatError("its graph has a wrong number of long steps")
    if len(long_steps) and int(long_steps.min()) < LONG_STEP:
        raise FormatError("a long step of its graph is short")
    # Then 128 steps of a list are below 2**32.
    if len(long_steps) and int(long_steps.max()) >= len(graph.levels):
        raise FormatError("a link of its graph leads to no item")
    if np.count_nonzero(steps == 0) > np.count_nonzero(steps[_starts(graph.counts)] == 0):
        raise FormatError("a neighbour list of its graph does not rise")


def _summed(counts: NDArray[np.uint8], steps: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The sums of steps within each list."""
    starts = _starts(counts)
    # Sums over several lists may pass 2**32; what is subtracted passes it alike.
    sums = np.cumsum(steps, dtype=np.uint32)
    sums -= np.repeat(sums[starts] - steps[starts], counts[counts > 0])
    return sums


def _starts(counts: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Where each list begins that is not empty."""
    ends = np.cumsum(counts, dtype=np.int64)
    starts: NDArray[np.int64] = (ends - counts)[counts > 0]
    return starts


def _upper_levels(levels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The level, from 1, of each neighbour list above level 0, in the file's order."""
    starts = np.repeat(np.cumsum(levels) - levels, levels.astype(np.intp))
    return np.arange(len(starts), dtype=np.int64) - starts + 1
