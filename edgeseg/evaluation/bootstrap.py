"""Intervals for means over few photographs, by resampling them.

Efron, "Bootstrap methods: another look at the jackknife" (Annals of Statistics 7, 1979), with the
percentile interval. Several queries show one catalogue item, and they stand or fall together: so
whole clusters are drawn, as in Field and Welsh, "Bootstrapping clustered data" (JRSS B 69, 2007).
Resampling single queries would give intervals that are too narrow.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
CONFIDENCE = 0.95
SEED = 2013


def mean_interval(
    values: NDArray[np.float64],
    clusters: Sequence[Hashable],
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
) -> tuple[float, float]:
    """Percentile interval of the mean under resampling of clusters.

    Args:
        values: ``(N,)`` float64, one figure a query, N at least 1.
        clusters: N labels; equal ones are drawn together.
        resamples: how many resampled means to take.
        confidence: share of them inside the interval, in (0, 1).
        seed: of the generator; the same input gives the same interval.

    Returns:
        Lower and upper end. With a single cluster nothing is known of the spread, and both are the
        mean.

    Raises:
        ValueError: no values, or another number of labels.
    """
    if values.ndim != 1 or not values.size or len(clusters) != values.size:
        raise ValueError(f"{values.shape} values with {len(clusters)} cluster labels")
    numbers: dict[Hashable, int] = {}
    index = np.array([numbers.setdefault(label, len(numbers)) for label in clusters])
    count = len(numbers)
    sums = np.bincount(index, weights=values, minlength=count)
    sizes = np.bincount(index, minlength=count)
    # Drawing n clusters of n with replacement gives each a multinomial number of copies.
    copies = np.random.default_rng(seed).multinomial(count, [1 / count] * count, size=resamples)
    means = (copies @ sums) / (copies @ sizes)
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)
