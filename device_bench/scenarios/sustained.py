"""Sustained: whether the thousandth invocation still costs what the tenth did."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from device_bench import sensors
from device_bench.energy import EnergyMeter
from device_bench.lane import Lane
from device_bench.scenario import Launch, Outcome, Progress
from device_bench.stats import percentile_ns
from device_bench.target import TargetSpec

SLICES = 20
BURST = 5


class Sustained:
    """Invoke each target without a pause, for minutes, and watch it slow down.

    A sample's total is the sum of the target's steps, as in ``single_stream``; but one target runs
    at a time and nothing rests in between, so that a chip that heats up shows it. The course is
    told in slices of equal length, each with its median, the clock and the temperature at its end.
    ``drift`` compares the last fifth of the slices with the first: above 1 is slower.

    Targets of the harness are left to a twentieth of the time: there is nothing to heat up.

    Args:
        minutes: For each target.
        energy: Where the machine tells what it spends.
        clock: Seconds that only grow.
    """

    name = "sustained"
    timed = "one invocation in a process that has run without a pause"

    def __init__(
        self,
        minutes: float,
        energy: EnergyMeter | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not minutes > 0:
            raise ValueError("sustained needs some time")
        self._minutes = minutes
        self._energy = energy
        self._clock = clock

    def settings(self) -> Mapping[str, Any]:
        """How long each target runs."""
        return {"minutes": self._minutes, "processes": 1}

    def measure(
        self, specs: Sequence[TargetSpec], launch: Launch, progress: Progress[int]
    ) -> list[Outcome]:
        """See ``Scenario.measure``."""
        outcomes = [Outcome() for _ in specs]
        turns = [(position, number) for position in range(len(specs)) for number in range(SLICES)]
        lane: Lane | None = None
        started_s = 0.0
        with contextlib.ExitStack() as alive:
            for turn in progress(range(len(turns)), len(turns), "sustained"):
                position, number = turns[turn]
                spec, outcome = specs[position], outcomes[position]
                slice_s = self._minutes * 60 / SLICES / (SLICES if spec.of_harness else 1)
                if number == 0:
                    lane = Lane(alive.enter_context(launch(spec)), self._energy)
                    lane.start()
                    started_s = self._clock()
                assert lane is not None
                outcome.slices.append(self._slice(lane, started_s, (number + 1) * slice_s))
                if number + 1 == SLICES:
                    lane.end(outcome)
                    alive.close()
        return outcomes

    def _slice(self, lane: Lane, started_s: float, until_s: float) -> Mapping[str, Any]:
        taken = lane.take(1, settle=False)
        while self._clock() - started_s < until_s:
            taken += lane.take(BURST, settle=False)
        clocks_mhz = sensors.frequencies_mhz()
        return {
            "until_s": round(self._clock() - started_s, 3),
            "samples": len(taken),
            "p50_ms": percentile_ns([sample.total_ns for sample in taken], 50) / 1e6,
            "frequency_mhz": max(clocks_mhz) if clocks_mhz else None,
            "temperature_c": sensors.temperature_c(),
        }


def drift(slices: Sequence[Mapping[str, Any]]) -> float | None:
    """The median of the last fifth of the slices' medians over that of the first fifth."""
    fifth = len(slices) // 5
    if not fifth:
        return None
    first, last = (
        sorted(each["p50_ms"] for each in part)[fifth // 2]
        for part in (slices[:fifth], slices[-fifth:])
    )
    return float(last / first) if first else None
