"""Percentiles that say when there are too few samples for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

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


def typical(values: Sequence[float]) -> float:
    """What one process's invocations took, as one number for comparisons between processes.

    The mean of the logarithms without the least and the greatest tenth. Where a neighbour comes and
    goes, times have two heights, and a median jumps from one to the other; the mean moves by what
    share of the time the neighbour was there, and the trimming keeps rare disturbances out of it.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("there is nothing typical of no values")
    logs = sorted(math.log(max(value, 1e-9)) for value in values)
    cut = len(logs) // 10
    kept = logs[cut : len(logs) - cut]
    return math.exp(math.fsum(kept) / len(kept))


def resolution(values: Sequence[float], confidence: float = CONFIDENCE) -> float | None:
    """The smallest change, as a share, that another run like this one would be told to have.

    39 times of 40: the interval's half width and two standard errors more, see `ratio_of_means`.

    Args:
        values: What each process came to, in any unit, each above 0.
        confidence: Of the interval.

    Returns:
        0.1 for 10%; None of fewer than three, whose spread says little.
    """
    if len(values) < 3:
        return None
    logs = [math.log(value) for value in values]
    mean = math.fsum(logs) / len(logs)
    variance = math.fsum((value - mean) ** 2 for value in logs) / (len(logs) - 1)
    error = math.sqrt(2 * variance / len(logs))
    return math.expm1((student_t(0.5 + confidence / 2, 2 * (len(logs) - 1)) + 2) * error)


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


@dataclass(frozen=True)
class Ratio:
    """How much slower one is than another.

    Attributes:
        ratio: 1.1 is 10% slower.
        low, high: where it lies with the confidence asked for.
    """

    ratio: float
    low: float
    high: float


def ratio_of_means(
    before: Sequence[float], after: Sequence[float], confidence: float = CONFIDENCE
) -> Ratio | None:
    """Compare two groups of times by the ratio of their geometric means.

    Welch's t interval on the logarithms (B. L. Welch, The generalization of Student's problem when
    several different population variances are involved, Biometrika 34, 1947): the groups may differ
    in size and in spread.

    Args:
        before: Times of one group in any unit, each above 0; one an independent process.
        after: Of the other.
        confidence: Of the interval.

    Returns:
        After over before; None where a group has fewer than two, which tell no spread.
    """
    groups = [[math.log(value) for value in group] for group in (before, after)]
    if min(map(len, groups)) < 2:
        return None
    means = [math.fsum(group) / len(group) for group in groups]
    shares = [
        math.fsum((value - mean) ** 2 for value in group) / (len(group) - 1) / len(group)
        for group, mean in zip(groups, means, strict=True)
    ]
    difference, variance = means[1] - means[0], sum(shares)
    half = 0.0
    if variance > 0:
        freedom = variance**2 / math.fsum(
            share**2 / (len(group) - 1) for share, group in zip(shares, groups, strict=True)
        )
        half = student_t(0.5 + confidence / 2, freedom) * math.sqrt(variance)
    return Ratio(*(math.exp(difference + offset) for offset in (0.0, -half, half)))


def student_t(probability: float, freedom: float) -> float:
    """A quantile of Student's t distribution, by its expansion about the normal one.

    M. Abramowitz and I. A. Stegun, Handbook of Mathematical Functions, 26.7.5: within 0.3% from 4
    degrees of freedom on for the quantiles up to 0.995, and too small by 4% at 2.
    """
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, start=1))
