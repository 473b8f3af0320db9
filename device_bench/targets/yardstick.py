"""A fixed piece of work, to tell a slower machine from a slower model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from device_bench.target import Step

_SEED = 7
# Three matrices of 144 KiB stay in a small core's second-level cache, as a network's rows do; eight
# products take 2 ms on a desk and perhaps 30 on the slowest handheld.
_SIDE = 192
_PRODUCTS = 8


class YardstickTarget:
    """Times matrix products of float32 through NumPy's BLAS: 113 million operations.

    It belongs to no bundle and never changes with edgeseg, so that between two runs what it lost is
    the machine's loss: another clock, another governor, a busy neighbour. Two runs are compared by
    their ratios to it.
    """

    def load(self) -> None:
        """Draw the matrices."""
        generator = np.random.default_rng(_SEED)
        self._left = generator.random((_SIDE, _SIDE), dtype=np.float32)
        self._right = generator.random((_SIDE, _SIDE), dtype=np.float32)
        self._product = np.empty((_SIDE, _SIDE), np.float32)

    def prepare(self, index: int) -> None:
        """Nothing to prepare."""

    def steps(self) -> Sequence[Step]:
        """One step: ``multiply``."""
        return [Step("multiply", self._multiply)]

    def facts(self) -> Mapping[str, Any]:
        """How much it multiplies."""
        return {"side": _SIDE, "products": _PRODUCTS}

    def _multiply(self) -> None:
        for _ in range(_PRODUCTS):
            np.matmul(self._left, self._right, out=self._product)
