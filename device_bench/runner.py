"""Runs scenarios over targets and keeps what they measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from device_bench import environment
from device_bench.launcher import Worker
from device_bench.scenario import Outcome, Progress, Scenario
from device_bench.scenarios.cold import Cold
from device_bench.scenarios.warm import Warm
from device_bench.stats import percentile_ns
from device_bench.target import TargetSpec

#: Each takes the number of samples.
SCENARIOS: dict[str, Callable[[int], Scenario]] = {"cold": Cold, "warm": Warm}


@dataclass(frozen=True)
class BenchResult:
    """One run.

    Attributes:
        environment: The machine and the software, at the start.
        threads: Threads of each interpreter.
        specs: The targets, in order.
        scenarios: Those that ran, in order.
        outcomes: By scenario name: one outcome a target, in their order.
    """

    environment: Mapping[str, Any]
    threads: int
    specs: Sequence[TargetSpec]
    scenarios: Sequence[Scenario]
    outcomes: Mapping[str, Sequence[Outcome]]

    def ratio_to_first(self, scenario: str, position: int) -> float | None:
        """The median of a target over that of the run's first target of the same kind.

        Above 1 is slower. A median is a ratio's steadiest ingredient, and both come from the same
        run, in turns. None for a target that is timed only to measure the harness.
        """
        kind = self.specs[position].kind
        if kind == "null":
            return None
        first = next(i for i, spec in enumerate(self.specs) if spec.kind == kind)
        medians_ns = [
            percentile_ns([sample.total_ns for sample in self.outcomes[scenario][i].samples], 50)
            for i in (position, first)
        ]
        return medians_ns[0] / medians_ns[1] if medians_ns[1] else None


def quietly(turns: Iterable[int], total: int, label: str) -> Iterable[int]:  # noqa: ARG001
    """A ``Progress`` that shows nothing."""
    return turns


def run_bench(
    specs: Sequence[TargetSpec],
    scenarios: Sequence[Scenario],
    threads: int = 1,
    progress: Progress[int] = quietly,
) -> BenchResult:
    """Time every target in every scenario.

    Each target is first loaded and invoked once in a process of its own, so that a damaged model
    costs one message at once, and not after minutes of measuring the others.

    Args:
        specs: What to time.
        scenarios: How.
        threads: Threads of OpenCV and BLAS in the child processes; a target that holds an
            interpreter has its own number among its options.
        progress: Shows how far a scenario is.

    Returns:
        The samples and their circumstances.

    Raises:
        BenchError: a target cannot be loaded or invoked, or crashes its process.
        ValueError: no targets or no scenarios.
    """
    if not specs or not scenarios:
        raise ValueError("a bench run needs a target and a scenario")

    def launch(spec: TargetSpec) -> Worker:
        return Worker(spec, threads)

    recorded = environment.read()
    for spec in specs:
        with launch(spec) as worker:
            worker.build()
            worker.load()
            worker.sample(1)
    outcomes = {scenario.name: scenario.measure(specs, launch, progress) for scenario in scenarios}
    return BenchResult(recorded, threads, specs, scenarios, outcomes)
