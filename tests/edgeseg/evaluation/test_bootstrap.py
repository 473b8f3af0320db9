from __future__ import annotations

import numpy as np
import pytest

from edgeseg.evaluation.bootstrap import mean_interval


def test_interval_of_a_coin_matches_theory() -> None:
    values = np.tile([0.0, 1.0], 200)
    low, high = mean_interval(values, range(400))
    # The standard error of 400 fair draws is 0.025; 1,000 resamples leave some noise on the ends.
    assert low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.006)
    assert high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.006)


def test_queries_that_stand_and_fall_together_widen_the_interval() -> None:
    values = np.repeat(np.tile([0.0, 1.0], 10), 10)
    alone = mean_interval(values, range(200))
    together = mean_interval(values, np.repeat(np.arange(20), 10).tolist())
    # Ten copies of a value carry the information of one: sqrt(10) times as wide.
    ratio = (together[1] - together[0]) / (alone[1] - alone[0])
    assert ratio == pytest.approx(10**0.5, rel=0.15)


def test_same_input_same_interval_and_another_seed_another() -> None:
    values = np.random.default_rng(3).random(50)
    assert mean_interval(values, range(50)) == mean_interval(values, range(50))
    assert mean_interval(values, range(50)) != mean_interval(values, range(50), seed=1)


def test_clusters_of_unequal_size_keep_the_mean_of_queries() -> None:
    values = np.array([1.0] * 90 + [0.0] * 10)
    low, high = mean_interval(values, ["a"] * 45 + ["b"] * 45 + ["c"] * 10)
    assert low <= 0.9 <= high
    assert high == 1.0


def test_a_single_item_knows_no_spread() -> None:
    assert mean_interval(np.array([0.0, 1.0]), ["a", "a"]) == (0.5, 0.5)


def test_values_and_labels_must_agree() -> None:
    with pytest.raises(ValueError, match="labels"):
        mean_interval(np.array([]), [])
    with pytest.raises(ValueError, match="labels"):
        mean_interval(np.array([1.0, 0.0]), ["a"])
