"""Percentiles that say when there are too few samples for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

PERCENTILES = (50, 90, 99)


def samples_needed(percentile: int) -> int:
    """The fewest samples that can tell a percentile: one of them has to lie above it.

    A p99 of 20 samples would be their maximum under another name, so it takes 100. The median is
    always told, for even one sample is its own median.
    """
    return 1 if percentile <= 50 else math.ceil(100 / (100 - percentile))


def percentile_ns(values_ns: Sequence[int], percentile: int) -> int:
    """The nearest-rank percentile: always a value that was measured, never an interpolation.

    Raises:
        ValueError: no values, or a percentile outside 1 to 100.
    """
    if not values_ns or not 1 <= percentile <= 100:
        raise ValueError("a percentile needs values and a number from 1 to 100")
    rank = math.ceil(percentile * len(values_ns) / 100)
    return sorted(values_ns)[rank - 1]


@dataclass(frozen=True)
class Summary:
    """A series of times in milliseconds. A percentile is None where samples are too few for it."""

    samples: int
    p50_ms: float
    p90_ms: float | None
    p99_ms: float | None
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
    return Summary(
        samples=len(values_ns),
        p50_ms=percentile_ns(values_ns, 50) / 1e6,
        p90_ms=told[90],
        p99_ms=told[99],
        min_ms=min(values_ns) / 1e6,
        max_ms=max(values_ns) / 1e6,
    )
