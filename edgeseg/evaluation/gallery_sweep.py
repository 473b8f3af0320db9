"""How recall falls as a gallery grows, up to its real size by leaving items out, and beyond.

Up to its real size, galleries are drawn out of the real one and always hold the queries' items.
Beyond it there are no more real items, and copies of the real embeddings stand in for them, each
moved away from its original. Noise of equal strength in every direction would be a mild stand-in:
among a hundred directions nearly all of it leads away from any query. So a copy is moved by the
difference between some other item and its nearest neighbour, forwards or backwards: as far as the
gallery's neighbours lie apart, in directions in which its items do differ.

Copies are not items, and they are milder ones the more directions an embedding has. How far they
can be trusted is measured as well: a third of the real items, filled up with copies to the real
size, is set beside the real gallery.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.evaluation.bootstrap import mean_interval
from edgeseg.evaluation.retrieval import RECALL_AT

SIZES = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
SEED = 2019
# The mean over so many draws differs from that over all by a fifth of one draw's own error.
DRAWS = 20
_CHECK_DRAWS = 5
_CHECK_SHARE = 3
_NEIGHBOUR_SAMPLE = 2_000
_CHUNK_ROWS = 8_192
# Shorter differences are those of an item that is there twice.
_LEAST_DIFFERENCE = 1e-4

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class SweepPoint:
    """Recall in galleries of one size.

    Attributes:
        items: how many, real or not.
        perturbed: how many of them are perturbed copies of real ones.
        draws: galleries that the figures are the mean of.
        recall: at 1, 5 and 10, in [0, 1], as "recall_at_1" and so on.
        intervals: name of a figure to its 95% bootstrap interval over items.
    """

    items: int
    perturbed: int
    draws: int
    recall: dict[str, float]
    intervals: dict[str, tuple[float, float]]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        counts = {"items": self.items, "perturbed": self.perturbed, "draws": self.draws}
        return {
            **counts,
            **self.recall,
            "intervals": {k: list(v) for k, v in self.intervals.items()},
        }


@dataclass(frozen=True)
class Sweep:
    """Recall over growing galleries.

    Attributes:
        points: by size, with the real gallery's own among them.
        check: the real gallery's size again, two thirds of it perturbed copies; None where the
            queries' items alone are more than the other third.
        neighbour_distance: median Euclidean distance between an item and its nearest neighbour,
            which is how far copies are moved.
    """

    points: tuple[SweepPoint, ...]
    check: SweepPoint | None
    neighbour_distance: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "points": [point.to_dict() for point in self.points],
            "check": None if self.check is None else self.check.to_dict(),
            "neighbour_distance": self.neighbour_distance,
        }


def sweep_gallery(
    gallery: Vectors,
    queries: Vectors,
    own: Sequence[int | None],
    clusters: Sequence[Hashable],
    sizes: Sequence[int] = SIZES,
    seed: int = SEED,
) -> Sweep:
    """Measure recall over galleries of several sizes; the nearest is the least Euclidean distance.

    Args:
        gallery: ``(N, D)`` float32, N at least 2.
        queries: ``(Q, D)`` float32, Q at least 1.
        own: row of each query's item; None where the gallery lacks it, which counts as missed.
        clusters: Q labels, of which equal ones are resampled together.
        sizes: wanted; those that cannot hold the queries' items are left out, and N is added.
        seed: of every random choice; the same input gives the same figures.
    """
    scores = _Scores(gallery, queries, own)
    total, kept = len(gallery), np.unique([row for row in own if row is not None])
    others = np.setdiff1d(np.arange(total), kept)

    def point(size: int, real: int, draws: int) -> SweepPoint:
        ranks = np.zeros((draws, len(queries)))
        for draw in range(draws):
            # One shuffle gives the galleries of all sizes, each inside the next.
            shuffled = np.random.default_rng([seed, draw]).permutation(others)
            rows = np.concatenate([kept, shuffled[: real - len(kept)]]).astype(np.int64)
            ranks[draw] = scores.ranks(rows)
            if size > real:
                ranks[draw] += _nearer_copies(scores, gallery[rows], size - real, seed)
        return _point(size, size - real, ranks, clusters)

    wanted = sorted({*(size for size in sizes if size >= max(len(kept), 1)), total})
    third = total // _CHECK_SHARE
    return Sweep(
        points=tuple(
            point(size, min(size, total), DRAWS if size < total else 1) for size in wanted
        ),
        check=point(total, third, _CHECK_DRAWS) if third >= max(len(kept), 2) else None,
        neighbour_distance=neighbour_differences(gallery, np.random.default_rng(seed))[1],
    )


def neighbour_differences(gallery: Vectors, rng: np.random.Generator) -> tuple[Vectors, float]:
    """What lies between items and their nearest neighbours.

    Args:
        gallery: ``(N, D)`` float32, N at least 2.
        rng: chooses the items where there are many.

    Returns:
        ``(M, D)`` float32 differences, and the median of their lengths; one of zeros where all
        items are the same.
    """
    sample = rng.permutation(len(gallery))[:_NEIGHBOUR_SAMPLE]
    found: list[Vectors] = []
    for start in range(0, len(sample), 256):
        rows = sample[start : start + 256]
        scores = closeness(gallery[rows], gallery)
        scores[np.arange(len(rows)), rows] = -np.inf
        found.append(gallery[np.argmax(scores, axis=1)] - gallery[rows])
    differences = np.concatenate(found)
    lengths = np.linalg.norm(differences, axis=1)
    apart = lengths > _LEAST_DIFFERENCE
    if not apart.any():
        return np.zeros_like(gallery[:1]), 0.0
    return differences[apart], float(np.median(lengths[apart]))


def perturbed_copies(
    gallery: Vectors, differences: Vectors, count: int, rng: np.random.Generator
) -> Vectors:
    """Copies of random items, each moved by one of the differences and as long as its original.

    Args:
        gallery: ``(N, D)`` float32.
        differences: ``(M, D)`` float32, of :func:`neighbour_differences`.
        count: how many copies.
        rng: chooses items, differences and their signs.

    Returns:
        ``(count, D)`` float32.
    """
    originals = gallery[rng.integers(len(gallery), size=count)]
    moves = differences[rng.integers(len(differences), size=count)]
    signs = rng.choice(np.array([-1, 1], np.float32), size=(count, 1))
    moved = originals + signs * moves
    lengths = np.linalg.norm(originals, axis=1) / np.maximum(np.linalg.norm(moved, axis=1), 1e-12)
    copies: Vectors = (moved * lengths[:, None]).astype(np.float32)
    return copies


def _nearer_copies(scores: _Scores, real: Vectors, count: int, seed: int) -> NDArray[np.int64]:
    """``(Q,)`` number of a gallery's perturbed copies that are nearer than the query's item.

    Nothing is known here but the gallery that is copied: a third of the items is moved as far as
    neighbours lie apart in that third.
    """
    rng = np.random.default_rng(seed)
    differences, _ = neighbour_differences(real, rng)
    nearer = np.zeros(scores.queries, np.int64)
    # Chunks of one size, so that the copies in a gallery are also in each larger one.
    for start in range(0, count, _CHUNK_ROWS):
        copies = perturbed_copies(real, differences, _CHUNK_ROWS, rng)
        nearer += scores.nearer(copies[: count - start])
    return nearer


class _Scores:
    """Which items are nearer to each query than its own."""

    def __init__(self, gallery: Vectors, queries: Vectors, own: Sequence[int | None]) -> None:
        self._queries = queries
        self.queries = len(queries)
        scores = closeness(queries, gallery)
        found = np.array([-1 if row is None else row for row in own])
        own_scores = scores[np.arange(len(queries)), found]
        # A query without an item has every gallery before it.
        self._missing = found < 0
        self._own = np.where(self._missing, -np.inf, own_scores)[:, None]
        earlier = np.arange(len(gallery)) < found[:, None]
        self._nearer = (scores > self._own) | ((scores == self._own) & earlier)

    def ranks(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """``(Q,)`` rank of each query's item among some rows, from 1; infinite without an item."""
        return np.where(self._missing, np.inf, 1.0 + self._nearer[:, rows].sum(axis=1))

    def nearer(self, vectors: Vectors) -> NDArray[np.int64]:
        """``(Q,)`` number of further vectors that are nearer than the query's item."""
        closer = closeness(self._queries, vectors) > self._own
        counts: NDArray[np.int64] = np.count_nonzero(closer, axis=1)
        return counts


def closeness(queries: Vectors, vectors: Vectors) -> Vectors:
    """``(Q, D)`` and ``(N, D)`` to ``(Q, N)`` float32, greater where they are nearer.

    ``q.x - |x|^2 / 2`` is greatest where ``|q - x|`` is least.
    """
    halves = np.einsum("nd,nd->n", vectors, vectors) / np.float32(2)
    close: Vectors = queries @ vectors.T - halves
    return close


def _point(
    items: int, perturbed: int, ranks: NDArray[np.float64], clusters: Sequence[Hashable]
) -> SweepPoint:
    hits = {f"recall_at_{k}": (ranks <= k).mean(axis=0, dtype=np.float64) for k in RECALL_AT}
    return SweepPoint(
        items=items,
        perturbed=perturbed,
        draws=len(ranks),
        recall={name: float(values.mean()) for name, values in hits.items()},
        intervals={name: mean_interval(values, clusters) for name, values in hits.items()},
    )
