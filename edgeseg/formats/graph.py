"""The HNSW graph as plain arrays, and the checks that make them safe to follow.

Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical
Navigable Small World graphs" (2018): `m`, `ef_construction`, levels and the entry point are theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg import limits
from edgeseg.errors import FormatError
from edgeseg.formats.document import Fields


@dataclass(frozen=True)
class Graph:
    """An HNSW graph over items ``0..n-1``.

    The lists of neighbours stand in this order: level 0 of every item, then each item's levels
    1, 2, ... up to its own.

    Attributes:
        m: links an item makes on each level above 0; level 0 holds up to ``2 * m``.
        ef_construction: the breadth of the search that built it.
        seed: of the random levels.
        entry_point: the item where a search starts.
        levels: ``(n,)`` uint8, each item's top level.
        counts: ``(n + sum(levels),)`` uint16, each list's length.
        neighbours: ``(sum(counts),)`` uint32, all lists one after another.
    """

    m: int
    ef_construction: int
    seed: int
    entry_point: int
    levels: NDArray[np.uint8]
    counts: NDArray[np.uint16]
    neighbours: NDArray[np.uint32]

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
        counts: NDArray[np.uint16],
        neighbours: NDArray[np.uint32],
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
        return cls(m, ef_construction, seed, entry_point, levels, counts, neighbours)


def check_graph(graph: Graph) -> None:
    """Refuse a graph that a search could leave: each index and count is checked.

    Raises:
        FormatError: a list is too long, or a link leads to no item, or to an item that is not on
            the link's level (the C++ search would read a list that does not exist).
    """
    items = len(graph.levels)
    levels = graph.levels.astype(np.int64)
    if int(levels.max()) > limits.MAX_HNSW_LEVEL:
        raise FormatError("an item of its graph is on too high a level")
    if levels[graph.entry_point] != levels.max():
        raise FormatError("its graph's entry point is not on the top level")
    if len(graph.counts) != items + int(levels.sum()):
        raise FormatError("its graph has a wrong number of neighbour lists")
    if int(graph.counts[:items].max()) > 2 * graph.m or bool(
        (graph.counts[items:] > graph.m).any()
    ):
        raise FormatError("a neighbour list of its graph is too long")
    if int(graph.counts.sum(dtype=np.int64)) != len(graph.neighbours):
        raise FormatError("its graph has a wrong number of neighbours")
    if bool((graph.neighbours >= items).any()):
        raise FormatError("a link of its graph leads to no item")
    first_upper_link = int(graph.counts[:items].sum(dtype=np.int64))
    wanted = np.repeat(_upper_levels(levels), graph.counts[items:])
    if bool((levels[graph.neighbours[first_upper_link:]] < wanted).any()):
        raise FormatError("a link of its graph leads to an item below the link's level")


def _upper_levels(levels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The level, from 1, of each neighbour list above level 0, in the file's order."""
    starts = np.repeat(np.cumsum(levels) - levels, levels)
    return np.arange(len(starts), dtype=np.int64) - starts + 1
