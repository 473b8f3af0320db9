"""Asks golden queries: an exact search answers them once, and each device's own search again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeseg.formats.codes import Codes
from edgeseg.formats.golden import Golden
from edgeseg.index.nearest import NearestVectors, unit_vector

QUERIES = 64
K = 10
RECALL_FLOOR = 0.95
# Another processor's rounding, and generations of changes, may cost that much.
_FLOOR_MARGIN = 0.03
_SEED = 11


def asked(codes: Codes, rows: NDArray[np.int64], nearest: NearestVectors) -> Golden:
    """Golden queries of a catalogue, drawn and answered.

    Their floor is ``RECALL_FLOOR``, or where the fresh index itself is not that good, for its items
    lie far from each other, a little below what it reaches.

    Args:
        codes: the embeddings.
        rows: those with an item.
        nearest: the search over them.
    """
    golden = answered(draw_queries(codes, rows, nearest), len(rows), nearest)
    reached = recall(golden, nearest) - _FLOOR_MARGIN
    return replace(golden, recall_floor=max(min(RECALL_FLOOR, round(reached, 3)), 0.0))


def draw_queries(
    codes: Codes, rows: NDArray[np.int64], nearest: NearestVectors, count: int = QUERIES
) -> Codes:
    """Queries between items: each halfway from an item to one of the ten nearest to it.

    Args:
        codes: the embeddings.
        rows: those with an item.
        nearest: the search over them.
        count: how many at most.

    Returns:
        ``count`` embeddings in int8; one for each item where there are fewer.
    """
    rng = np.random.default_rng(_SEED)
    chosen = rng.choice(rows, min(count, len(rows)), replace=False)
    drawn = []
    for own in codes.decoded(chosen):
        found, _ = nearest.search(own, K + 1)
        other = codes.decoded(rng.choice(found, 1))[0]
        # Opposite vectors have nothing between them.
        between = own + other
        drawn.append(unit_vector(between if np.linalg.norm(between) > 0.1 else own))
    return Codes.encode(np.stack(drawn), "int8")


def answered(
    queries: Codes, items: int, nearest: NearestVectors, floor: float = RECALL_FLOOR
) -> Golden:
    """Queries with the answers of an exact search.

    Args:
        queries: in int8.
        items: how many there are to find.
        nearest: the search over them.
        floor: the least index recall at which a device may use the catalogue.
    """
    k = min(K, items)
    answers = nearest.exact_rows(queries.decoded(), k)
    return Golden(queries, answers.astype("<u4"), floor)


def recall(golden: Golden, nearest: NearestVectors) -> float:
    """Index recall@k: the share of the right answers that the search itself finds."""
    k = golden.answers.shape[1]
    shares = [
        np.isin(nearest.search(query, k)[0], answer).sum() / k
        for query, answer in zip(golden.queries.decoded(), golden.answers, strict=True)
    ]
    return float(np.mean(shares))
