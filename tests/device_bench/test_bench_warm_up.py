"""Where a warm-up ends, found from times that are known."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest

from device_bench import warm_up as warming
from device_bench.launcher import Worker
from device_bench.warm_up import truncation, warm_up
from tests.device_bench.pretended import Pretended


def _noisy(level: float, count: int, seed: int) -> list[int]:
    rng = np.random.default_rng(seed)
    return [int(value) for value in level * np.exp(0.02 * rng.standard_normal(count))]


@pytest.mark.parametrize("slow", [1, 3, 7])
def test_the_slow_first_ones_are_dropped(slow: int) -> None:
    times_ns = [*_noisy(2e6, slow, 1), *_noisy(1e6, 30, 2)]
    assert slow <= truncation(times_ns) <= slow + 8


def test_of_steady_times_few_are_dropped() -> None:
    dropped = [truncation(_noisy(1e6, 32, seed)) for seed in range(50)]
    assert np.median(dropped) <= 4
    assert truncation([5] * 20) == 0


def test_one_late_disturbance_is_no_warm_up() -> None:
    times_ns = _noisy(1e6, 32, 3)
    times_ns[28] *= 40
    assert truncation(times_ns) <= 16


def _worker(times_ns: Iterator[int]) -> Worker:
    return cast(Worker, Pretended("w", [], times_ns))


def test_a_process_is_watched_until_it_is_steady() -> None:
    found = warm_up(
        _worker(itertools.chain((int(9e6 * 0.83**n) for n in range(12)), _noisy(1e6, 99, 4)))
    )
    assert found.detected
    assert 17 <= len(found.times_ns) <= 41, "about twice the twelve, in chunks of eight"


def test_one_that_never_settles_is_given_up() -> None:
    falling = (int(1e9 * 0.9**n) for n in itertools.count())
    found = warm_up(_worker(falling))
    assert not found.detected
    assert len(found.times_ns) <= warming.MAX_INVOCATIONS + warming.CHUNK


def test_a_slow_target_takes_no_more_time_than_it_may() -> None:
    found = warm_up(_worker(itertools.repeat(int(4e9))))
    assert not found.detected
    assert len(found.times_ns) == warming.MIN_INVOCATIONS
