"""Single stream: what one more invocation costs in a process that has been running."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from device_bench.energy import EnergyMeter
from device_bench.lane import Lane
from device_bench.scenario import Launch, Outcome, Progress, in_turn
from device_bench.stats import percentile_ns
from device_bench.target import TargetSpec

# The targets take turns in bursts; a disturbance of some seconds cannot fall on one alone.
MAX_BURST = 5
MIN_BURSTS = 4


class SingleStream:
    """Time invocations in long-lived processes, one after the other, as a scanner makes them.

    A sample's total is the sum of the target's steps; what these are stands with the target. Each
    target has several processes, one after the other, because two processes differ by more than
    their samples tell. Each warms up until its times have settled (``warm_up``); then, round after
    round and each in the opposite order, each target makes one untimed invocation (the others'
    turns have emptied the CPU's caches) and a burst of timed ones. The yardstick takes its turns
    like any target.

    Args:
        samples: Timed invocations a target.
        processes: Among how many processes they are divided.
        energy: Where the machine tells what it spends.
    """

    name = "single_stream"
    timed = "one invocation in a process that has warmed up"

    def __init__(self, samples: int, processes: int = 1, energy: EnergyMeter | None = None) -> None:
        if samples < 1 or processes < 1:
            raise ValueError("single_stream needs one sample and one process or more")
        self._samples = samples
        self._processes = min(processes, samples)
        self._energy = energy

    def settings(self) -> Mapping[str, Any]:
        """Samples, and among how many processes they are divided."""
        return {"samples": self._samples, "processes": self._processes}

    def measure(
        self, specs: Sequence[TargetSpec], launch: Launch, progress: Progress[int]
    ) -> list[Outcome]:
        """See ``Scenario.measure``."""
        outcomes = [Outcome() for _ in specs]
        plans = [bursts(share) for share in shares(self._samples, self._processes)]
        turns = [(process, burst) for process, plan in enumerate(plans) for burst in plan]
        with contextlib.ExitStack() as alive:
            lanes: list[Lane] = []
            for turn in progress(range(len(turns)), len(turns), "single stream"):
                process, burst = turns[turn]
                if turn == 0 or turns[turn - 1][0] != process:
                    lanes = [
                        Lane(alive.enter_context(launch(spec)), self._energy) for spec in specs
                    ]
                    for lane in lanes:
                        lane.start()
                for position in in_turn(len(lanes), turn):
                    lanes[position].take(burst)
                if turn + 1 == len(turns) or turns[turn + 1][0] != process:
                    for lane, outcome in zip(lanes, outcomes, strict=True):
                        lane.end(outcome)
                    alive.close()
        _share_yardstick(specs, outcomes)
        return outcomes


def shares(samples: int, processes: int) -> list[int]:
    """Divide samples among processes as evenly as they can be."""
    each, rest = divmod(samples, processes)
    return [each + (number < rest) for number in range(processes)]


def bursts(samples: int) -> list[int]:
    """Divide the samples of a process into bursts of one length, and a last one of the rest."""
    length = max(1, min(MAX_BURST, samples // MIN_BURSTS))
    full, rest = divmod(samples, length)
    return [length] * full + ([rest] if rest else [])


def _share_yardstick(specs: Sequence[TargetSpec], outcomes: Sequence[Outcome]) -> None:
    """Write down beside each process what the yardstick took in its minutes."""
    for spec, outcome in zip(specs, outcomes, strict=True):
        if spec.kind != "yardstick":
            continue
        for number, process in enumerate(outcome.processes):
            took_ns = percentile_ns([sample.total_ns for sample in process.samples], 50)
            for other in outcomes:
                other.processes[number].yardstick_ns = took_ns
