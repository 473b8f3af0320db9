"""Rows in an order in which near items lie near each other in memory.

A walk through the graph goes from an item to its neighbours; where those lie near, more of them
are in the processor's cache already (Coleman et al., "Graph Reordering for Cache-Efficient Near
Neighbor Search", 2022). The order is that of a k-d tree's leaves (Bentley, 1975).

The walk by which a new item finds its links gains as much. But a graph to which one region after
the other is added has too few links between them, so all regions are gone over several times, in
ever smaller steps.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeseg.formats.codes import Codes
from edgeseg.formats.graph import Graph, packed_lists

_LEAF_ROWS = 8
# The first time over all regions takes one row of so many, each time after it as many as are there.
_FIRST_STEP = 16
# Components as whole numbers, whose sums are exact in whatever order a processor adds them.
_UNIT = 8192


def near_order(codes: Codes) -> NDArray[np.int64]:
    """The rows, halved again and again at the median of the component that varies most.

    The same codes give the same order everywhere; equal ones keep theirs.
    """
    components = np.concatenate(
        [np.rint(part * _UNIT).astype(np.int16) for _, part in codes.blocks()]
    )
    leaves: list[NDArray[np.int64]] = []
    waiting = [np.arange(len(codes), dtype=np.int64)]
    while waiting:
        rows = waiting.pop()
        if len(rows) <= _LEAF_ROWS:
            leaves.append(rows)
            continue
        own = components[rows].astype(np.int64)
        mean = own.sum(axis=0) / len(rows)
        variance = (own * own).sum(axis=0) / len(rows) - mean * mean
        ordered = rows[np.argsort(own[:, int(variance.argmax())], kind="stable")]
        half = len(rows) // 2
        waiting += [ordered[half:], ordered[:half]]
    return np.concatenate(leaves)


def coarse_to_fine(rows: int) -> NDArray[np.int64]:
    """In which order to add rows that lie in `near_order`: every 16th, those halfway, and so on."""
    numbers = np.arange(rows, dtype=np.int64)
    passes, step = [numbers[::_FIRST_STEP]], _FIRST_STEP
    while step > 1:
        passes.append(numbers[step // 2 :: step])
        step //= 2
    return np.concatenate(passes)


def reordered(graph: Graph, order: NDArray[np.int64]) -> Graph:
    """The same graph over rows in another order.

    Args:
        graph: checked.
        order: which row of ``graph`` each new row is.
    """
    rows = len(order)
    places = np.empty(rows, np.int64)
    places[order] = np.arange(rows)
    levels = graph.levels.astype(np.int64)
    first_upper = rows + np.cumsum(levels) - levels
    own_levels = levels[order]
    # The lists above level 0 of each new row, in a row.
    starts = np.repeat(np.cumsum(own_levels) - own_levels, own_levels.astype(np.intp))
    upper = (
        np.repeat(first_upper[order], own_levels.astype(np.intp)) + np.arange(len(starts)) - starts
    )
    lists = np.concatenate([order, upper])
    counts = graph.counts[lists]
    ends = np.cumsum(graph.counts, dtype=np.int64)
    new_ends = np.cumsum(counts, dtype=np.int64)
    moved = np.repeat((ends - graph.counts)[lists] - (new_ends - counts), counts)
    links = graph.neighbours()[moved + np.arange(len(moved))]
    steps, long_steps = packed_lists(counts, places[links].astype(np.uint32))
    return replace(
        graph,
        entry_point=int(places[graph.entry_point]),
        levels=graph.levels[order],
        counts=counts,
        steps=steps,
        long_steps=long_steps,
    )
