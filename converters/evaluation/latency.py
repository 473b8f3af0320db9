"""Latency of two models, before and after, measured so that their ratio holds."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgeseg.interpreter import Interpreter

_WARM_UP = 3


@dataclass(frozen=True)
class Latency:
    """Milliseconds of an invocation, one thread, and the runtime that they were measured on.

    Attributes:
        before_ms, after_ms: medians.
        least_before_ms, least_after_ms: the quickest, which a busy machine disturbs least.
        invocations: of each model.
        runtime: name and version.
    """

    before_ms: float
    after_ms: float
    least_before_ms: float
    least_after_ms: float
    invocations: int
    runtime: str

    @property
    def ratio(self) -> float:
        """How many times faster the second model is."""
        return self.before_ms / self.after_ms if self.after_ms > 0 else float("inf")

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, for the report."""
        return {**asdict(self), "ratio": self.ratio}


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
    least = [min(times) for times in elapsed_ms]
    return Latency(medians[0], medians[1], least[0], least[1], invocations, models[0].runtime)
