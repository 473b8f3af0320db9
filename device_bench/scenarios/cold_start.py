"""Cold start: what a user waits for who opens the tool anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from device_bench.sample import Sample
from device_bench.scenario import Launch, Outcome, Process, Progress, in_turn
from device_bench.target import TargetSpec


class ColdStart:
    """Time a fresh process for each sample.

    A sample's total is ``load`` (files read and checked, interpreters created) plus ``first`` (the
    first invocation, which also allocates). ``import`` (Python modules and native libraries) and
    ``process`` (from the start of the process to the first result, so all of these and Python's own
    start) stand beside it and not in it: they belong to the installation more than to the model.

    The operating system's file cache is warm: dropping it takes root. The targets take turns, each
    round in the opposite order, so that a disturbance hits all alike. The yardstick of a round is
    the start of the null target's process.

    Args:
        samples: Fresh processes a target.
    """

    name = "cold_start"
    timed = "a fresh process: loading the target and its first invocation"

    def __init__(self, samples: int) -> None:
        if samples < 1:
            raise ValueError("cold_start needs one sample or more")
        self._samples = samples

    def settings(self) -> Mapping[str, Any]:
        """The number of fresh processes."""
        return {"samples": self._samples, "processes": self._samples}

    def measure(
        self, specs: Sequence[TargetSpec], launch: Launch, progress: Progress[int]
    ) -> list[Outcome]:
        """See ``Scenario.measure``."""
        outcomes = [Outcome() for _ in specs]
        for turn in progress(range(self._samples), self._samples, "cold starts"):
            for position in in_turn(len(specs), turn):
                _start_once(specs[position], launch, outcomes[position])
            _share_yardstick(specs, outcomes)
        return outcomes


def _share_yardstick(specs: Sequence[TargetSpec], outcomes: Sequence[Outcome]) -> None:
    """Write the round's start of the null target's process beside its samples."""
    for spec, outcome in zip(specs, outcomes, strict=True):
        if spec.kind == "null":
            start_ns = outcome.processes[-1].samples[0].steps_ns["process"]
            for other in outcomes:
                samples = other.processes[-1].samples
                samples[:] = [replace(sample, yardstick_ns=start_ns) for sample in samples]


def _start_once(spec: TargetSpec, launch: Launch, outcome: Outcome) -> None:
    with launch(spec) as worker:
        import_ns = worker.build()
        load_ns = worker.load()
        first_ns = worker.sample(1)[0].total_ns
        process_ns = worker.age_ns()
        ending = worker.end()
    steps_ns = {"import": import_ns, "load": load_ns, "first": first_ns, "process": process_ns}
    outcome.facts = ending.facts
    outcome.processes.append(
        Process(
            samples=[Sample(load_ns + first_ns, steps_ns)],
            import_ns=import_ns,
            load_ns=load_ns,
            peak_memory_bytes=ending.peak_memory_bytes,
            steady_memory_bytes=ending.steady_memory_bytes,
        )
    )
