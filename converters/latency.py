"""Latency of two models, before and after, measured so that their ratio holds."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import numpy as np

from edgeseg.interpreter import Interpreter

_WARM_UP = 3


@dataclass(frozen=True)
class Latency:
    """Median milliseconds of an invocation, one thread, and the runtime that it was measured on."""

    before_ms: float
    after_ms: float
    invocations: int
    runtime: str

    @property
    def ratio(self) -> float:
        """How many times faster the second model is."""
        return self.before_ms / self.after_ms if self.after_ms > 0 else float("inf")


def measure_latency(before: bytes, after: bytes, invocations: int = 30) -> Latency:
    """Invokes two models in turn on noise.

    In turn, so that a machine that is busy, or slows down, does so for both.

    Args:
        before: TFLite bytes.
        after: TFLite bytes.
        invocations: of each, after a warm-up.
    """
    models = [Interpreter(before, threads=1), Interpreter(after, threads=1)]
    rng = np.random.default_rng(0)
    for model in models:
        model.set_input(rng.random(model.input_shape, dtype=np.float32))
    elapsed_ms: list[list[float]] = [[], []]
    for round_index in range(_WARM_UP + invocations):
        for model, times in zip(models, elapsed_ms, strict=True):
            start = time.perf_counter_ns()
            model.invoke()
            if round_index >= _WARM_UP:
                times.append((time.perf_counter_ns() - start) / 1e6)
    medians = [statistics.median(times) for times in elapsed_ms]
    return Latency(medians[0], medians[1], invocations, models[0].runtime)
