"""Whether one run's times are another's, beyond chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

#: A change that is told is one. At 0.95 a nightly comparison would cry wolf every third week.
CONFIDENCE = 0.999
# At either end; less than seven processes lose none.
_TRIMMED = 0.15


def typical(values: Sequence[float], yardsticks: Sequence[float] | None = None) -> float:
    """What one process's invocations took, as one number for comparisons between processes.

    The interquartile mean of the logarithms, of each value over its yardstick where there are any.
    Where a neighbour comes and goes, times have two heights, and a median jumps from one to the
    other; the mean moves by what share of the time the neighbour was there. The yardstick, which
    the neighbour slowed as well, brings the heights together.

    Args:
        values: Times in any unit.
        yardsticks: As many, each above 0; what a fixed piece of work took beside each value.

    Raises:
        ValueError: no values, or another number of yardsticks.
    """
    if not values:
        raise ValueError("there is nothing typical of no values")
    if yardsticks is None:
        yardsticks = [1.0] * len(values)
    pairs = zip(values, yardsticks, strict=True)
    logs = sorted(math.log(max(value, 1e-9) / yardstick) for value, yardstick in pairs)
    cut = len(logs) // 4
    kept = logs[cut : len(logs) - cut]
    return math.exp(math.fsum(kept) / len(kept))


def resolution(values: Sequence[float], confidence: float = CONFIDENCE) -> float | None:
    """The smallest change, as a share, that another run like this one would be told to have.

    39 times of 40: the interval's half width (see ``ratio_of_means``) and two standard errors more,
    and half a one because they are estimates.

    Args:
        values: What each process came to, in any unit, each above 0.
        confidence: Of the interval.

    Returns:
        0.1 for 10%; None of fewer than three, whose spread says little.
    """
    if len(values) < 3:
        return None
    group = _trimmed(values)
    error = math.sqrt(2 * group.variance)
    return math.expm1((student_t(0.5 + confidence / 2, 2 * group.freedom) + 2.5) * error)


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
    """Compare two groups of times by the ratio of their trimmed geometric means.

    Yuen's t interval on the logarithms (K. K. Yuen, The two-sample trimmed t for unequal population
    variances, Biometrika 61, 1974, which without trimming is Welch's): the groups may differ in
    size and in spread, and processes that a disturbance of half a minute fell on, up to one of
    seven, do not decide.

    Args:
        before: Times of one group in any unit, each above 0; one an independent process.
        after: Of the other.
        confidence: Of the interval.

    Returns:
        After over before; None where a group has fewer than two, which tell no spread.
    """
    if min(len(before), len(after)) < 2:
        return None
    groups = [_trimmed(before), _trimmed(after)]
    difference = groups[1].mean - groups[0].mean
    variance = math.fsum(group.variance for group in groups)
    half = 0.0
    if variance > 0:
        freedom = variance**2 / math.fsum(group.variance**2 / group.freedom for group in groups)
        half = student_t(0.5 + confidence / 2, freedom) * math.sqrt(variance)
    return Ratio(*(math.exp(difference + offset) for offset in (0.0, -half, half)))


@dataclass(frozen=True)
class _Trimmed:
    """The trimmed mean of logarithms, the variance of that mean, and its degrees of freedom."""

    mean: float
    variance: float
    freedom: int


def _trimmed(values: Sequence[float]) -> _Trimmed:
    logs = sorted(math.log(value) for value in values)
    cut = int(_TRIMMED * len(logs))
    kept = logs[cut : len(logs) - cut]
    # Winsorized: what was cut counts as the outermost of what was kept.
    drawn_in = [kept[0]] * cut + kept + [kept[-1]] * cut
    middle = math.fsum(drawn_in) / len(drawn_in)
    squares = math.fsum((value - middle) ** 2 for value in drawn_in)
    variance = squares / (len(kept) * (len(kept) - 1))
    return _Trimmed(math.fsum(kept) / len(kept), variance, len(kept) - 1)


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
