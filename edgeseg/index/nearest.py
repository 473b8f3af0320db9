"""Nearest vectors: compared one by one, or walked to through the graph, whichever is quicker."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgeseg.formats.codes import Codes
from edgeseg.formats.graph import Graph
from edgeseg.index import hnsw

# Up to here every item is compared and no graph is built. Measured through `Catalogue.search` at
# 128-d, k = 10, one thread of a 2-core x86-64, p50 of 1,500 queries in ms, exact against HNSW with
# m = 16 and ef_search = 64: 1,000 items 0.058 / 0.080; 2,000 0.073 / 0.089; 3,000 0.090 / 0.093;
# 4,000 0.103 / 0.098; 5,000 0.120 / 0.103; 10,000 0.207 / 0.143. The lines cross near 3,400, and
# exact search, which never misses, has the tie.
EXACT_SEARCH_MAX_ITEMS = 3_500
# Among `a` of `n` items an exact search takes time as `a`, and the graph's walk, which passes
# `n / a` items for each that counts, as `n / a`: they meet where `a * a` is so many times `n`.
# Fitted to 30,000 drawn 128-d vectors in clusters, k = 10, processor time of 100 queries each on a
# busy 2-core x86-64: a rough figure, which only time depends on.
_EXACT_AMONG_SQUARED = 500
# Their distances to a million items are 64 MB.
_QUERIES_AT_ONCE = 16


class NearestVectors:
    """Unit vectors to search; safe to use from several threads.

    Args:
        codes: of ``n`` vectors.
        graph: over the same vectors; None compares all of them each time.
        removed: ``(n,)`` bool: those that are never found; None is none.
    """

    def __init__(
        self, codes: Codes, graph: Graph | None, removed: NDArray[np.bool_] | None = None
    ) -> None:
        self._codes = codes
        # Beside a graph, whose index holds all floats, the few that are compared are decoded.
        self._vectors = codes.decoded() if graph is None else None
        self._index = None if graph is None else hnsw.HnswIndex(codes, graph, removed)
        self._rows = None if removed is None else np.flatnonzero(~removed)

    def search(
        self,
        query: NDArray[np.float32],
        k: int,
        *,
        exact: bool = False,
        among: NDArray[np.int64] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The ``k`` nearest.

        Args:
            query: ``(dim,)`` float32, L2-normalised.
            k: how many, at least 1.
            exact: compare one by one, also where the graph is quicker.
            among: the rows to choose from, rising; None is all that are not removed.

        Returns:
            ``(k,)`` rows, nearest first and equal distances by row, and their cosine distances
            ``1 - cos``; fewer than ``k`` only where there are fewer to choose from.
        """
        rows = self._rows if among is None else among
        total = len(self._codes) if rows is None else len(rows)
        k = min(k, total)
        found = None
        if self._index is not None and not exact:
            if among is None:
                found = self._index.nearest(query, k)
            elif total > max(
                EXACT_SEARCH_MAX_ITEMS, math.isqrt(_EXACT_AMONG_SQUARED * len(self._codes))
            ):
                allowed = np.zeros(len(self._codes), np.bool_)
                allowed[among] = True
                found = self._index.nearest(query, k, allowed)
        if found is not None:
            return found
        distances = self._distances(query, rows)
        places = _least(distances, k)
        return (places if rows is None else rows[places]), distances[places]

    def exact_rows(self, queries: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """The ``k`` nearest of each of several queries, compared one by one.

        Args:
            queries: ``(q, dim)`` float32, L2-normalised.
            k: how many, at least 1 and at most as many as there are.

        Returns:
            ``(q, k)`` rows, nearest first and equal distances by row.
        """
        found = []
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            asked = queries[start : start + _QUERIES_AT_ONCE]
            distances = np.concatenate(
                [1.0 - asked @ vectors.T for _, vectors in self._codes.blocks()], axis=1
            )
            if self._rows is not None:
                distances = distances[:, self._rows]
            places = np.stack([_least(each, k) for each in distances])
            found.append(places if self._rows is None else self._rows[places])
        return np.concatenate(found)

    def _distances(
        self, query: NDArray[np.float32], rows: NDArray[np.int64] | None
    ) -> NDArray[np.float32]:
        """Of some rows, or of all."""
        if self._vectors is not None:
            return 1.0 - (self._vectors if rows is None else self._vectors[rows]) @ query
        codes = self._codes if rows is None else self._codes.taken(rows)
        return np.concatenate([1.0 - vectors @ query for _, vectors in codes.blocks()])


def unit_vector(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale an embedding to length 1.

    Args:
        embedding: ``(dim,)`` float32.

    Raises:
        ValueError: it is zero or not finite.
    """
    # In float64, so that the length is 1 to the last float32 bit and squares cannot overflow.
    wide = embedding.astype(np.float64)
    length = math.sqrt(wide.dot(wide))
    if not math.isfinite(length) or length == 0.0:
        raise ValueError("an embedding is zero or not finite")
    wide /= length
    return wide.astype(np.float32)


def _least(distances: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The places of the ``k`` smallest values, sorted; ties, also across the k-th, by place."""
    if k < len(distances):
        bound = np.partition(distances, k - 1)[k - 1]
        candidates = np.flatnonzero(distances <= bound)
    else:
        candidates = np.arange(len(distances))
    order = np.argsort(distances[candidates], kind="stable")[:k]
    rows: NDArray[np.int64] = candidates[order].astype(np.int64)
    return rows
