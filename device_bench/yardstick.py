"""A fixed piece of work beside every sample, to tell a slower machine from a slower model."""

from __future__ import annotations

import time

import numpy as np

_SEED = 7
# Three matrices of 16 KiB: the smallest core's first-level cache holds them with a little to spare,
# and of what the target keeps in the caches behind it they take next to nothing.
_SIDE = 64
_PRODUCTS = 30


class Yardstick:
    """Matrix products of float32 through NumPy's BLAS: 16 million operations.

    It belongs to no bundle and never changes with edgeseg, so that what it loses from one moment to
    the next is the machine's loss: another clock, a neighbour on the same core. It runs in the
    target's own process just before and just after each sample, for such a neighbour comes and goes
    many times a second: what the two runs of the yardstick took is what the machine was worth then.
    A third of a millisecond on a desk, perhaps fifteen on the slowest handheld.
    """

    def __init__(self) -> None:
        generator = np.random.default_rng(_SEED)
        self._left = generator.random((_SIDE, _SIDE), dtype=np.float32)
        self._right = generator.random((_SIDE, _SIDE), dtype=np.float32)
        self._product = np.empty((_SIDE, _SIDE), np.float32)
        self.run_ns()  # the first run creates what BLAS works in

    def run_ns(self) -> int:
        """Do the work once; returns the nanoseconds that it took."""
        started_ns = time.perf_counter_ns()
        for _ in range(_PRODUCTS):
            np.matmul(self._left, self._right, out=self._product)
        return time.perf_counter_ns() - started_ns
