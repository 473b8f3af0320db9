"""Cold start: what a user waits for who opens the tool anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from device_bench.scenario import Launch, Outcome, Progress, Sample
from device_bench.target import TargetSpec


class Cold:
    """Time a fresh process for each sample.

    A sample's total is ``load`` (files read and checked, interpreters created) plus ``first`` (the
    first invocation, which also allocates). ``import`` (Python modules and native libraries) and
    ``process`` (from the start of the process to the first result, so all of these and Python's own
    start) stand beside it and not in it: they belong to the installation more than to the model.

    The operating system's file cache is warm: dropping it takes root. The targets take turns, each
    round in the opposite order, so that a disturbance hits all alike.

    Args:
        samples: Fresh processes a target.
    """

    name = "cold"
    timed = "a fresh process: loading the target and its first invocation"

    def __init__(self, samples: int) -> None:
        if samples < 1:
            raise ValueError("cold needs one sample or more")
        self._samples = samples

    def settings(self) -> Mapping[str, Any]:
        """The number of fresh processes."""
        return {"samples": self._samples}

    def measure(
        self, specs: Sequence[TargetSpec], launch: Launch, progress: Progress[int]
    ) -> list[Outcome]:
        """See ``Scenario.measure``."""
        outcomes = [Outcome() for _ in specs]
        for turn in progress(range(self._samples), self._samples, "cold starts"):
            for position in _in_turn(len(specs), turn):
                _start_once(specs[position], launch, outcomes[position])
        return outcomes


def _start_once(spec: TargetSpec, launch: Launch, outcome: Outcome) -> None:
    with launch(spec) as worker:
        import_ns = worker.build()
        load_ns = worker.load()
        first_ns = sum(worker.sample(1)[0].values())
        process_ns = worker.age_ns()
        ending = worker.end()
    steps_ns = {"import": import_ns, "load": load_ns, "first": first_ns, "process": process_ns}
    outcome.samples.append(Sample(load_ns + first_ns, steps_ns))
    outcome.peak_memory_bytes = max(outcome.peak_memory_bytes or 0, ending.peak_memory_bytes)
    outcome.facts = ending.facts


def _in_turn(count: int, turn: int) -> Sequence[int]:
    return range(count) if turn % 2 == 0 else range(count - 1, -1, -1)
