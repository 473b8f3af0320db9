"""Single stream: what one more invocation costs in a process that has been running."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from device_bench.energy import EnergyMeter
from device_bench.lane import Lane
from device_bench.scenario import Launch, Outcome, Progress, in_turn
from device_bench.target import TargetSpec

# The targets take turns in bursts; a disturbance of some seconds cannot fall on one alone.
MAX_BURST = 5
MIN_BURSTS = 4
# A machine that is too noisy for what it is asked shall say so within the hour.
MAX_LONGER = 10


class SingleStream:
    """Time invocations in long-lived processes, one after the other, as a scanner makes them.

    A sample's total is the sum of the target's steps; what these are stands with the target. Each
    target has several processes, one after the other, because two processes differ by more than
    their samples tell. Each warms up until its times have settled (``warm_up``); then, round after
    round and each in the opposite order, each target makes one untimed invocation (the others'
    turns have emptied the CPU's caches) and a burst of timed ones, with a run of the yardstick
    before, between and after them.

    Args:
        samples: Timed invocations a target.
        processes: Among how many processes they are divided.
        resolve: Go on with further processes until a change of this share would be told between
            two runs like this one (``ratios.resolution``), but not beyond ``MAX_LONGER`` times as
            many; None takes what the other two say.
        energy: Where the machine tells what it spends.
    """

    name = "single_stream"
    timed = "one invocation in a process that has warmed up"

    def __init__(
        self,
        samples: int,
        processes: int = 1,
        resolve: float | None = None,
        energy: EnergyMeter | None = None,
    ) -> None:
        if samples < 1 or processes < 1:
            raise ValueError("single_stream needs one sample and one process or more")
        self._samples = samples
        self._processes = min(processes, samples)
        self._resolve = resolve
        self._energy = energy

    def settings(self) -> Mapping[str, Any]:
        """Samples, among how many processes they are divided, and what was to be resolved."""
        return {
            "samples": self._samples, "processes": self._processes, "resolve": self._resolve,
        }  # fmt: skip

    def measure(
        self, specs: Sequence[TargetSpec], launch: Launch, progress: Progress[int]
    ) -> list[Outcome]:
        """See ``Scenario.measure``."""
        outcomes = [Outcome() for _ in specs]
        planned = shares(self._samples, self._processes)
        self._run(planned, specs, outcomes, launch, progress)
        while self._resolve is not None and len(outcomes[0].processes) < MAX_LONGER * len(planned):
            seen = [
                outcome.resolution()
                for spec, outcome in zip(specs, outcomes, strict=True)
                if not spec.of_harness
            ]
            if all(each is not None and each <= self._resolve for each in seen):
                break
            worst = max((each for each in seen if each is not None), default=1.0)
            label = f"single stream, a change of {worst:.0%} can be seen"
            self._run(planned[:1], specs, outcomes, launch, progress, label)
        return outcomes

    def _run(
        self,
        planned: Sequence[int],
        specs: Sequence[TargetSpec],
        outcomes: Sequence[Outcome],
        launch: Launch,
        progress: Progress[int],
        label: str = "single stream",
    ) -> None:
        """Add a process of so many samples to each target for each that is planned."""
        turns = [(number, burst) for number, share in enumerate(planned) for burst in bursts(share)]
        with contextlib.ExitStack() as alive:
            lanes: list[Lane] = []
            for turn in progress(range(len(turns)), len(turns), label):
                number, burst = turns[turn]
                if turn == 0 or turns[turn - 1][0] != number:
                    lanes = [
                        Lane(alive.enter_context(launch(spec)), self._energy) for spec in specs
                    ]
                    for lane in lanes:
                        lane.start()
                for position in in_turn(len(lanes), turn):
                    lanes[position].take(burst)
                if turn + 1 == len(turns) or turns[turn + 1][0] != number:
                    for lane, outcome in zip(lanes, outcomes, strict=True):
                        lane.end(outcome)
                    alive.close()


def shares(samples: int, processes: int) -> list[int]:
    """Divide samples among processes as evenly as they can be."""
    each, rest = divmod(samples, processes)
    return [each + (number < rest) for number in range(processes)]


def bursts(samples: int) -> list[int]:
    """Divide the samples of a process into bursts of one length, and a last one of the rest."""
    length = max(1, min(MAX_BURST, samples // MIN_BURSTS))
    full, rest = divmod(samples, length)
    return [length] * full + ([rest] if rest else [])
