"""Percentiles that say when there are too few samples for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

PERCENTILES = (50, 90, 99)
CONFIDENCE = 0.95


def samples_needed(percentile: int) -> int:
    """The fewest samples that can tell a percentile: one of them has to lie above it.

    A p99 of 20 samples would be their maximum under another name, so it takes 100. The median is
    always told, for even one sample is its own median.
    """
    return 1 if percentile <= 50 else math.ceil(100 / (100 - percentile))


def samples_for_interval(percentile: int) -> int:
    """The fewest samples that tell a percentile together with its interval, see ``interval_ranks``.

    The greatest sample must lie above the percentile with all but ``(1 - CONFIDENCE) / 2`` of the
    chance, and the least below it: 6 for a median, 36 for a p90, 368 for a p99.
    """
    tail = (1.0 - CONFIDENCE) / 2
    share = max(percentile, 100 - percentile) / 100
    return math.ceil(math.log(tail) / math.log(share))


def percentile_ns(values_ns: Sequence[int], percentile: int) -> int:
    """The nearest-rank percentile: always a value that was measured, never an interpolation.

    Raises:
        ValueError: no values, or a percentile outside 1 to 100.
    """
    if not values_ns or not 1 <= percentile <= 100:
        raise ValueError("a percentile needs values and a number from 1 to 100")
    rank = math.ceil(percentile * len(values_ns) / 100)
    return sorted(values_ns)[rank - 1]


def interval_ranks(count: int, percentile: int) -> tuple[int, int] | None:
    """Between which of so many sorted samples a percentile lies, with ``CONFIDENCE``.

    However times are distributed: the number of samples below the percentile is binomial, so the
    interval ends at order statistics (W. J. Conover, Practical Nonparametric Statistics, 3.2).
    Samples of one process that follow each other are not quite independent, so the truth may be a
    little wider.

    Args:
        count: of samples.
        percentile: 1 to 99.

    Returns:
        Two ranks, from 1; None where so few samples cannot tell.
    """
    tail = (1.0 - CONFIDENCE) / 2
    share = percentile / 100
    low, high, below = 0, 0, 0.0
    for number in range(count + 1):
        # Now `below` is the chance that fewer than `number` samples lie below the percentile.
        if below <= tail:
            low = number
        if below >= 1.0 - tail:
            high = number
            break
        below += math.exp(_log_binomial(count, number, share))
    return (low, high) if low >= 1 and 1 <= high <= count else None


def _log_binomial(count: int, number: int, share: float) -> float:
    ways = math.lgamma(count + 1) - math.lgamma(number + 1) - math.lgamma(count - number + 1)
    return ways + number * math.log(share) + (count - number) * math.log1p(-share)


@dataclass(frozen=True)
class Summary:
    """A series of times in milliseconds. What samples are too few for is None.

    Attributes:
        samples: how many.
        p50_ms, p90_ms, p99_ms: nearest-rank percentiles.
        p50_interval_ms, p90_interval_ms, p99_interval_ms: where each lies with ``CONFIDENCE``, see
            :func:`interval_ranks`.
        min_ms, max_ms: the least and the greatest; none is left out.
    """

    samples: int
    p50_ms: float
    p90_ms: float | None
    p99_ms: float | None
    p50_interval_ms: tuple[float, float] | None
    p90_interval_ms: tuple[float, float] | None
    p99_interval_ms: tuple[float, float] | None
    min_ms: float
    max_ms: float

    def too_few_for(self) -> list[int]:
        """The percentiles that would need more samples."""
        return [p for p in PERCENTILES if self.samples < samples_needed(p)]


def summarize(values_ns: Sequence[int]) -> Summary:
    """Reduce times in nanoseconds to percentiles, least and greatest in milliseconds.

    Raises:
        ValueError: no values.
    """
    told = {
        p: percentile_ns(values_ns, p) / 1e6 if len(values_ns) >= samples_needed(p) else None
        for p in PERCENTILES[1:]
    }
    ordered = sorted(values_ns)
    intervals = {
        p: None if ranks is None else (ordered[ranks[0] - 1] / 1e6, ordered[ranks[1] - 1] / 1e6)
        for p in PERCENTILES
        for ranks in [interval_ranks(len(ordered), p)]
    }
    return Summary(
        samples=len(values_ns),
        p50_ms=percentile_ns(values_ns, 50) / 1e6,
        p90_ms=told[90],
        p99_ms=told[99],
        p50_interval_ms=intervals[50],
        p90_interval_ms=intervals[90],
        p99_interval_ms=intervals[99],
        min_ms=min(values_ns) / 1e6,
        max_ms=max(values_ns) / 1e6,
    )
