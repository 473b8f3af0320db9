"""Runs scenarios over targets and keeps what they measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from device_bench import environment
from device_bench.launcher import Worker
from device_bench.plan import Plan
from device_bench.scenario import Outcome, Progress, Scenario
from device_bench.stats import percentile_ns
from device_bench.target import TargetSpec

# Photos or queries that are scored between two moves of the progress bar.
_SCORED_AT_ONCE = 4


@dataclass(frozen=True)
class BenchResult:
    """One run.

    Attributes:
        environment: The machine and the software, at the start.
        afterwards: What of it moves (load, clock, temperature), at the end.
        plan: What was asked for.
        scenarios: Those that ran, in order.
        outcomes: By scenario name: one outcome a timed target, in their order.
        quality: By configuration: figures by what was scored.
    """

    environment: Mapping[str, Any]
    afterwards: Mapping[str, Any]
    plan: Plan
    scenarios: Sequence[Scenario]
    outcomes: Mapping[str, Sequence[Outcome]]
    quality: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def ratio_to_first(self, scenario: str, position: int) -> float | None:
        """The median of a target over that of the run's first target of the same kind.

        Above 1 is slower. A median is a ratio's steadiest ingredient, and both come from the same
        run, in turns. None for a target of the harness.
        """
        specs = self.plan.timed
        if specs[position].of_harness:
            return None
        first = next(i for i, spec in enumerate(specs) if _sort(spec) == _sort(specs[position]))
        medians_ns = [
            percentile_ns(self.outcomes[scenario][i].totals_ns(), 50) for i in (position, first)
        ]
        return medians_ns[0] / medians_ns[1] if medians_ns[1] else None


def _sort(spec: TargetSpec) -> str:
    """What can be compared: a bare model with a segmenter, and an embedder only with its like."""
    return "embedder" if spec.role == "embedder" else spec.kind


def quietly(turns: Iterable[int], total: int, label: str) -> Iterable[int]:  # noqa: ARG001
    """A ``Progress`` that shows nothing."""
    return turns


def run_bench(
    plan: Plan, scenarios: Sequence[Scenario], progress: Progress[int] = quietly
) -> BenchResult:
    """Time every target in every scenario, and score what is to be scored.

    Each target is first loaded and invoked once in a process of its own, so that a damaged model
    costs one message at once, and not after minutes of measuring the others.

    Args:
        plan: What to time and to score.
        scenarios: How to time.
        progress: Shows how far a scenario is.

    Returns:
        The samples, the figures and their circumstances.

    Raises:
        BenchError: a target cannot be loaded or invoked, or crashes its process.
        ValueError: no targets or no scenarios.
    """
    if not plan.timed or not scenarios:
        raise ValueError("a bench run needs a target and a scenario")
    recorded = environment.read()
    for spec in plan.timed:
        with Worker(spec) as worker:
            worker.build()
            worker.load()
            worker.sample(1)
    outcomes = {
        scenario.name: scenario.measure(plan.timed, Worker, progress) for scenario in scenarios
    }
    afterwards = environment.moving()
    return BenchResult(recorded, afterwards, plan, scenarios, outcomes, _scored(plan, progress))


def _scored(plan: Plan, progress: Progress[int]) -> dict[str, dict[str, Any]]:
    quality: dict[str, dict[str, Any]] = {}
    for scoring in plan.scored:
        spec, total = scoring.spec, scoring.samples
        with Worker(spec) as worker:
            worker.build()
            worker.load()
            starts = range(0, total, _SCORED_AT_ONCE)
            for start in progress(starts, len(starts), f"scoring {spec.name}"):
                worker.sample(min(_SCORED_AT_ONCE, total - start))
            quality.setdefault(spec.configuration, {})[spec.role] = dict(worker.end().facts)
    return quality
