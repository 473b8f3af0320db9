"""Which items share a batch: those that are easily taken for one another stand side by side.

A batch drawn at random holds few items of one kind and colour, and telling the others apart teaches
little (Schroff et al., "FaceNet", arXiv 1503.03832, section 3.2, on hard negatives).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# An item's company is drawn from so many times as many of its nearest, so that it changes.
_CHOICE = 4


def nearest_items(described: NDArray[np.float32], group: int) -> NDArray[np.int64]:
    """Each item's most similar ones, itself left out.

    Args:
        described: ``(N, D)`` float32 unit vectors.
        group: how many items shall stand together.

    Returns:
        ``(N, min(_CHOICE * (group - 1), N - 1))`` indices, nearest first.
    """
    depth = min(_CHOICE * (group - 1), len(described) - 1)
    rows = []
    for row, vector in enumerate(described):
        alike = described @ vector
        alike[row] = -np.inf
        rows.append(np.argsort(-alike, kind="stable")[:depth])
    return np.stack(rows).astype(np.int64)


def deal(
    items: Sequence[int], nearest: NDArray[np.int64], group: int, rng: np.random.Generator
) -> list[int]:
    """All items in an order in which each stands beside some of its nearest.

    Args:
        items: what to deal, without repeats.
        nearest: of :func:`nearest_items`, by item.
        group: how many stand together, where so many are left.
        rng: draws the order.
    """
    left = set(items)
    order: list[int] = []
    for first in rng.permutation(np.asarray(items)).tolist():
        if first not in left:
            continue
        left.discard(first)
        near = [item for item in rng.permutation(nearest[first]).tolist() if item in left]
        company = near[: group - 1]
        left.difference_update(company)
        order += [first, *company]
    return order
