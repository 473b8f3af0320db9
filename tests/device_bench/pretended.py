"""Workers and reports that only pretend: scenarios and readers are tested without a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from device_bench.launcher import Ending, Worker
from device_bench.sample import Sample
from device_bench.scenario import Outcome, Scenario
from device_bench.target import TargetSpec

A = TargetSpec("model", "a: model", "a", {}, "model", "a")
B = TargetSpec("model", "b: model", "b", {}, "model", "b")
NULL = TargetSpec("null", "null", role="null")


class Pretended:
    """A worker whose times are given and whose calls are written down."""

    def __init__(
        self, name: str, log: list[str], times_ns: Iterator[int] | None = None, syncs: int = 0
    ) -> None:
        self.name, self.log, self.times_ns = name, log, times_ns
        self.looks_left = syncs

    def __enter__(self) -> Pretended:
        self.log.append(f"{self.name} starts")
        return self

    def __exit__(self, *error: object) -> None:
        self.log.append(f"{self.name} leaves")

    def build(self) -> int:
        return 1

    def load(self) -> int:
        return 10

    def sample(self, count: int, untimed: int = 0, yardstick: bool = False) -> list[Sample]:
        self.log.append(f"{self.name} {count}+{untimed}")
        beside = 150 if yardstick else None
        if self.times_ns is None:
            return [Sample(300, {"x": 100, "y": 200}, beside)] * count
        times_ns = [next(self.times_ns) for _ in range(count)]
        return [Sample(time_ns, {"x": time_ns}, beside) for time_ns in times_ns]

    def begin(self, count: int) -> None:
        self.log.append(f"{self.name} begins {count}")
        self._looks = self.looks_left

    def busy(self) -> bool:
        self._looks -= 1
        return self._looks >= 0

    def finish(self) -> list[Sample]:
        self.log.append(f"{self.name} finishes")
        return [Sample(1, {"x": 1})]

    def age_ns(self) -> int:
        return 1000

    def end(self) -> Ending:
        return Ending({"who": self.name}, 5_000_000, 4_000_000, 1.0)


def measured(
    scenario: Scenario,
    specs: Sequence[TargetSpec],
    make: Callable[[TargetSpec, list[str]], Pretended] | None = None,
) -> tuple[list[Outcome], list[str]]:
    """What a scenario makes of pretended workers, and what it asked of them."""
    log: list[str] = []
    make = make or (lambda spec, told: Pretended(spec.name, told))
    outcomes = scenario.measure(
        specs, lambda spec: cast(Worker, make(spec, log)), lambda turns, _total, _label: turns
    )
    return outcomes, log


def report(
    *medians_ms: Sequence[float], yardstick_ms: float | None = 2.0, **more: Any
) -> dict[str, Any]:
    """A report of one configuration a series: one process a median."""

    def target(number: int, series: Sequence[float]) -> dict[str, Any]:
        beside_ms = None if yardstick_ms is None else [yardstick_ms] * 3
        processes = [
            {"samples_ms": [m, m * 1.2, m * 0.9], "yardstick_ms": beside_ms} for m in series
        ]
        figures = {
            "samples": 3 * len(series), "p50_ms": series[0], "p90_ms": series[0] * 1.2,
            "p99_ms": None, "p50_interval_ms": [series[0] * 0.9, series[0] * 1.1],
            "p90_interval_ms": None, "p99_interval_ms": None, "load_ms": 5.0, "max_ms": 9.0,
            "peak_memory_bytes": 80_000_000, "steady_memory_bytes": 70_000_000, "energy_j": None,
            "drift": None, "slices": [], "baseline": None, "stages": {}, "ratio_to_first": 1.0,
            "processes": processes,
        }  # fmt: skip
        return {
            "name": f"c{number}: model", "kind": "model", "role": "segmenter",
            "configuration": f"c{number}", "source": "", "facts": {},
            "scenarios": {"single_stream": figures},
        }  # fmt: skip

    environment = {"cpu": "C", "machine": "m", "usable_cores": 2, "libraries": {"numpy": "2"}}
    return {
        "kind": "edgeseg bench report", "format_version": 2, "edgeseg": "0",
        "environment": environment, "afterwards": {},
        "scenarios": {"single_stream": {"timed": "t", "samples": 3, "processes": 1}},
        "configurations": [
            {"name": f"c{number}", "quality": {}} for number in range(len(medians_ms))
        ],
        "targets": [target(number, series) for number, series in enumerate(medians_ms)],
        "notes": [], **more,
    }  # fmt: skip
