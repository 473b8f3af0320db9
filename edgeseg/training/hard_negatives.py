"""Which items share a batch: those that are easily taken for one another stand side by side.

A batch drawn at random holds few items of one kind and colour, and telling the others apart teaches
little (Schroff et al., "FaceNet", arXiv 1503.03832, section 3.2, on hard negatives). The hardest
are those that were taken for one another where it counted, see `confused`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

# An item's company is drawn from so many times as many of its nearest, so that it changes.
CHOICE = 4


def nearest_items(described: NDArray[np.float32], group: int) -> NDArray[np.int64]:
    """Each item's most similar ones, itself left out.

    Args:
        described: ``(N, D)`` float32 unit vectors.
        group: how many items shall stand together.

    Returns:
        ``(N, min(CHOICE * (group - 1), N - 1))`` indices, nearest first.
    """
    depth = min(CHOICE * (group - 1), len(described) - 1)
    rows = []
    for row, vector in enumerate(described):
        alike = described @ vector
        alike[row] = -np.inf
        rows.append(np.argsort(-alike, kind="stable")[:depth])
    return np.stack(rows).astype(np.int64)


def deal(
    items: Sequence[int],
    nearest: NDArray[np.int64],
    group: int,
    rng: np.random.Generator,
    rivals: Mapping[int, Sequence[int]] | None = None,
) -> list[int]:
    """All items in an order in which each stands beside some of its rivals, else of its nearest.

    Args:
        items: what to deal, without repeats.
        nearest: of :func:`nearest_items`, by item.
        group: how many stand together, where so many are left.
        rng: draws the order.
        rivals: by item, those that it was taken for; where there are any, they come first.
    """
    rivals = rivals or {}
    left = set(items)
    groups: list[list[int]] = []
    firsts: list[int] = rng.permutation(np.asarray(items)).tolist()
    if rivals:
        # They choose first, and nobody takes one of them who is not its rival: else their rivals
        # would be gone as somebody else's company.
        firsts.sort(key=lambda item: item not in rivals)
    for first in firsts:
        if first not in left:
            continue
        left.discard(first)
        company: list[int] = []
        if first in rivals:
            drawn = rng.permutation(rivals[first]).tolist()
            company = [item for item in drawn if item in left][: group - 1]
            left.difference_update(company)
        drawn = rng.permutation(nearest[first]).tolist()
        near = [item for item in drawn if item in left and item not in rivals]
        company += near[: group - 1 - len(company)]
        left.difference_update(company)
        groups.append([first, *company])
    if rivals:
        # All of them in an epoch's first batches would be a lesson of its own. What is smaller than
        # a group stays last, for it would have the others straddle batches.
        groups = [groups[at] for at in rng.permutation(len(groups))]
        groups.sort(key=len, reverse=True)
    return [item for each in groups for item in each]
