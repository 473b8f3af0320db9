from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_bench.stats import (
    interval_ranks,
    percentile_ns,
    samples_for_interval,
    samples_needed,
    summarize,
)


def test_percentiles_of_a_known_series() -> None:
    values_ns = [n * 1_000_000 for n in range(100, 0, -1)]
    summary = summarize(values_ns)
    assert (summary.p50_ms, summary.p90_ms, summary.p99_ms) == (50, 90, 99)
    assert (summary.min_ms, summary.max_ms, summary.samples) == (1, 100, 100)
    assert summary.too_few_for() == []


@pytest.mark.parametrize(
    ("samples", "p90_told", "p99_told", "too_few"),
    [(1, False, False, [90, 99]), (9, False, False, [90, 99]), (10, True, False, [99]),
     (99, True, False, [99]), (100, True, True, [])],
)  # fmt: skip
def test_a_percentile_is_withheld_when_samples_are_too_few(
    samples: int, p90_told: bool, p99_told: bool, too_few: list[int]
) -> None:
    summary = summarize([1] * samples)
    assert (summary.p90_ms is not None, summary.p99_ms is not None) == (p90_told, p99_told)
    assert summary.too_few_for() == too_few


@pytest.mark.parametrize(
    ("count", "percentile", "ranks"),
    # As in the tables for a median's interval: 6 samples are the fewest that have one.
    [(5, 50, None), (6, 50, (1, 6)), (10, 50, (2, 9)), (100, 50, (40, 61)), (28, 90, None)],
)
def test_an_interval_ends_at_order_statistics(
    count: int, percentile: int, ranks: tuple[int, int] | None
) -> None:
    assert interval_ranks(count, percentile) == ranks


def test_an_interval_covers_its_percentile_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    for percentile, truth in ((50, np.log(2)), (90, np.log(10))):
        held = 0
        for _ in range(1_000):
            drawn = np.sort(rng.exponential(size=60))
            ranks = interval_ranks(60, percentile)
            assert ranks is not None
            held += drawn[ranks[0] - 1] <= truth <= drawn[ranks[1] - 1]
        assert 0.93 <= held / 1_000 <= 0.99


def test_samples_for_an_interval_are_the_fewest_that_have_one() -> None:
    for percentile, count in ((50, 6), (90, 36), (99, 368)):
        assert samples_for_interval(percentile) == count
        assert interval_ranks(count, percentile) is not None
        assert interval_ranks(count - 1, percentile) is None


def test_samples_needed() -> None:
    assert [samples_needed(p) for p in (50, 75, 90, 95, 99)] == [1, 4, 10, 20, 100]


@given(st.lists(st.integers(0, 10**12), min_size=1), st.integers(1, 100))
def test_a_percentile_is_a_measured_value_with_its_share_below(
    values_ns: list[int], percentile: int
) -> None:
    told = percentile_ns(values_ns, percentile)
    assert told in values_ns
    assert sum(value <= told for value in values_ns) * 100 >= percentile * len(values_ns)
    assert sum(value < told for value in values_ns) * 100 < percentile * len(values_ns)


def test_no_values_are_a_callers_mistake() -> None:
    with pytest.raises(ValueError, match="needs values"):
        percentile_ns([], 50)
