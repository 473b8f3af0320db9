"""Whether what is told of two runs is true as often as it says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from device_bench.ratios import ratio_of_means, resolution, student_t, typical


def test_what_is_typical_is_between_two_heights_and_blind_to_rare_spikes() -> None:
    assert typical([4.0] * 20) == pytest.approx(4.0)
    assert typical([4.0] * 19 + [4000.0]) == pytest.approx(4.0)
    assert typical([4.0] * 10 + [8.0] * 10) == pytest.approx(math.sqrt(32))
    # The median would jump from 4 to 8 here.
    assert typical([4.0] * 9 + [8.0] * 11) == pytest.approx(math.sqrt(32), rel=0.08)
    with pytest.raises(ValueError, match="no values"):
        typical([])


def test_what_slowed_the_yardstick_too_does_not_count() -> None:
    slowed = [4.0] * 7 + [8.0] * 13
    assert typical(slowed, [2.0] * 7 + [4.0] * 13) == pytest.approx(2.0)
    assert typical(slowed) > 6.0
    with pytest.raises(ValueError, match="shorter"):
        typical([4.0, 4.0], [1.0])


def test_a_change_as_large_as_the_resolution_is_told_39_times_of_40() -> None:
    rng = np.random.default_rng(4)
    told = 0
    seen = [resolution(list(np.exp(0.06 * rng.standard_normal(12)))) for _ in range(400)]
    change = 1 + float(np.mean([share for share in seen if share is not None]))
    for _ in range(400):
        before = np.exp(0.06 * rng.standard_normal(12))
        after = change * np.exp(0.06 * rng.standard_normal(12))
        ratio = ratio_of_means(list(before), list(after))
        assert ratio is not None
        told += ratio.low > 1
    assert 0.96 <= told / 400 <= 1.0
    assert resolution([1.0, 2.0]) is None


@pytest.mark.parametrize(
    ("probability", "freedom", "truth"),
    [(0.975, 4, 2.776), (0.975, 8, 2.306), (0.995, 30, 2.750), (0.9995, 8, 5.041)],
)
def test_quantiles_of_students_t(probability: float, freedom: float, truth: float) -> None:
    # The published table's; the expansion is off by 0.3% at four degrees of freedom.
    assert student_t(probability, freedom) == pytest.approx(truth, rel=0.004)


def test_an_interval_of_a_ratio_covers_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(1000):
        before, after = (level * np.exp(0.1 * rng.standard_normal(6)) for level in (1.0, 1.3))
        ratio = ratio_of_means(list(before), list(after), 0.95)
        assert ratio is not None
        held += ratio.low <= 1.3 <= ratio.high
    assert 0.93 <= held / 1000 <= 0.97


def test_a_disturbance_of_some_processes_hides_no_change() -> None:
    rng = np.random.default_rng(6)
    before, after = (level * np.exp(0.03 * rng.standard_normal(20)) for level in (1.0, 1.1))
    calm = ratio_of_means(list(before), list(after))
    before[[3, 4]] *= 1.6
    disturbed = ratio_of_means(list(before), list(after))
    assert calm is not None
    assert disturbed is not None
    assert calm.low > 1.0
    assert disturbed.low > 1.0
    assert disturbed.ratio == pytest.approx(calm.ratio, rel=0.02)


def test_times_that_never_differ_have_no_width() -> None:
    ratio = ratio_of_means([2.0, 2.0], [3.0, 3.0])
    assert ratio is not None
    assert ratio.low == ratio.ratio == ratio.high == pytest.approx(1.5)
    assert ratio_of_means([2.0], [3.0, 3.0]) is None
