"""Warm: what one more invocation costs in a process that has been running."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from device_bench.scenario import Launch, Outcome, Progress, Sample
from device_bench.target import TargetSpec

WARM_UP_INVOCATIONS = 3
SETTLING_INVOCATIONS = 1
MAX_BURST = 5
# At least so many turns a target, so that a disturbance of some seconds cannot fall on one alone.
MIN_ROUNDS = 10


class Warm:
    """Time invocations in long-lived processes, one a target, that take turns.

    A sample's total is the sum of the target's steps; what these are stands with the target. Every
    process first makes three untimed invocations. Then, round after round and each in the opposite
    order, each target makes one untimed invocation (the others' turns have emptied the CPU's
    caches) and a burst of up to five timed ones.

    Args:
        samples: Timed invocations a target.
    """

    name = "warm"
    timed = "one invocation in a process that has made some before"

    def __init__(self, samples: int) -> None:
        if samples < 1:
            raise ValueError("warm needs one sample or more")
        self._samples = samples
        self._burst = max(1, min(MAX_BURST, samples // MIN_ROUNDS))

    def settings(self) -> Mapping[str, Any]:
        """Samples, and what is declared as warm-up."""
        return {
            "samples": self._samples,
            "burst": self._burst,
            "warm_up_invocations": WARM_UP_INVOCATIONS,
            "settling_invocations": SETTLING_INVOCATIONS,
        }

    def measure(
        self, specs: Sequence[TargetSpec], launch: Launch, progress: Progress[int]
    ) -> list[Outcome]:
        """See ``Scenario.measure``."""
        outcomes = [Outcome() for _ in specs]
        with contextlib.ExitStack() as processes:
            workers = [processes.enter_context(launch(spec)) for spec in specs]
            for worker in workers:
                worker.build()
                worker.load()
                worker.sample(0, untimed=WARM_UP_INVOCATIONS)
            lanes = list(zip(workers, outcomes, strict=True))
            bursts = self._bursts()
            for turn in progress(range(len(bursts)), len(bursts), "warm rounds"):
                for worker, outcome in lanes if turn % 2 == 0 else reversed(lanes):
                    for steps_ns in worker.sample(bursts[turn], untimed=SETTLING_INVOCATIONS):
                        outcome.samples.append(Sample(sum(steps_ns.values()), steps_ns))
            for worker, outcome in lanes:
                ending = worker.end()
                outcome.facts = ending.facts
                outcome.peak_memory_bytes = ending.peak_memory_bytes
                outcome.cpu_share = ending.cpu_share
        return outcomes

    def _bursts(self) -> list[int]:
        full, rest = divmod(self._samples, self._burst)
        return [self._burst] * full + ([rest] if rest else [])
