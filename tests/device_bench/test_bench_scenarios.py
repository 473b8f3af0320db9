"""Who is timed when, with processes that only pretend."""

from __future__ import annotations

from typing import Any, cast

import pytest

from device_bench import report
from device_bench.launcher import Ending, Worker
from device_bench.runner import BenchResult, quietly, run_bench
from device_bench.scenario import Outcome, Sample, Scenario
from device_bench.scenarios.cold import Cold
from device_bench.scenarios.warm import Warm
from device_bench.target import TargetSpec

A, B = TargetSpec("model", "a"), TargetSpec("model", "b")


class Pretended:
    """A worker whose times are given and whose calls are written down."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    def __enter__(self) -> Pretended:
        self.log.append(f"{self.name} starts")
        return self

    def __exit__(self, *error: object) -> None:
        self.log.append(f"{self.name} leaves")

    def build(self) -> int:
        return 1

    def load(self) -> int:
        return 10

    def sample(self, count: int, untimed: int = 0) -> list[dict[str, int]]:
        self.log.append(f"{self.name} {count}+{untimed}")
        return [{"x": 100, "y": 200}] * count

    def age_ns(self) -> int:
        return 1000

    def end(self) -> Ending:
        return Ending({"who": self.name}, 5_000_000, 1.0)


def _measured(scenario: Scenario) -> tuple[list[Outcome], list[str]]:
    log: list[str] = []
    outcomes = scenario.measure(
        [A, B], lambda spec: cast(Worker, Pretended(spec.name, log)), quietly
    )
    return outcomes, log


def test_cold_takes_a_fresh_process_each_and_turns_the_order() -> None:
    outcomes, log = _measured(Cold(2))
    starts = [line for line in log if "starts" in line]
    assert starts == ["a starts", "b starts", "b starts", "a starts"]
    assert log.count("a leaves") == 2
    sample = outcomes[0].samples[0]
    assert sample.total_ns == 10 + 300, "load and first invocation"
    assert dict(sample.steps_ns) == {"import": 1, "load": 10, "first": 300, "process": 1000}
    assert (len(outcomes[0].samples), outcomes[1].facts) == (2, {"who": "b"})


def test_warm_interleaves_bursts_after_a_warm_up() -> None:
    outcomes, log = _measured(Warm(53))
    assert [len(outcome.samples) for outcome in outcomes] == [53, 53]
    turns = [line for line in log if "+" in line]
    assert turns[:6] == ["a 0+3", "b 0+3", "a 5+1", "b 5+1", "b 5+1", "a 5+1"]
    assert turns[-1] in ("a 3+1", "b 3+1"), "the rest of 53"
    assert outcomes[0].samples[0].total_ns == 300


@pytest.mark.parametrize("samples", [1, 7, 10, 49, 100])
def test_warm_takes_exactly_the_samples_asked_for(samples: int) -> None:
    outcomes, _ = _measured(Warm(samples))
    assert {len(outcome.samples) for outcome in outcomes} == {samples}


@pytest.mark.parametrize("scenario", [Cold, Warm])
def test_no_samples_are_a_callers_mistake(scenario: Any) -> None:
    with pytest.raises(ValueError, match="one sample"):
        scenario(0)


def _result(first_ms: float, second_ms: float, environment: dict[str, Any]) -> BenchResult:
    outcomes = [
        Outcome([Sample(round(ms * 1e6), {"x": 1, "y": 2})] * 10, 7_000_000, share, {})
        for ms, share in ((first_ms, 1.0), (second_ms, 0.4), (0.0001, None))
    ]
    specs = [A, B, TargetSpec("null", "null")]
    return BenchResult(environment, 1, specs, [Warm(10)], {"warm": outcomes})


CALM = {
    "cpu": "C", "machine": "m", "cpu_features": ["neon"], "cores": 2, "usable_cores": 2,
    "frequency_mhz": None, "governor": "performance", "busy": False, "load_average": 0.1,
    "interpreter": None, "python": "p", "libraries": {"numpy": "2"}, "system": "s", "niceness": 0,
}  # fmt: skip


def test_the_ratio_is_of_medians_to_the_first_of_the_kind() -> None:
    told = report.to_dict(_result(20, 50, CALM))
    assert [target["warm"]["ratio_to_first"] for target in told["targets"]] == [1.0, 2.5, None]
    columns, rows = report.target_rows(told)
    assert columns == [
        "target", "warm p50 ms", "warm p90 ms", "warm p99 ms", "peak MB", "warm ratio",
    ]  # fmt: skip
    assert rows[1] == ["b", "50.0 (50.0-50.0)", "50.0", "-", "7", "2.50x"]
    assert rows[2][-1] == "-"


def test_what_makes_figures_doubtful_is_told() -> None:
    calm = report.notes(_result(20, 50, CALM))
    assert calm[0] == "warm: 10 samples are too few for p99, which takes 100"
    assert "b (40%)" in calm[1]
    assert "a (" not in calm[1]
    assert len(calm) == 2
    hectic = CALM | {"busy": True, "governor": "powersave", "load_average": 9.0}
    text = "\n".join(report.notes(_result(20, 50, hectic)))
    assert "load average 9.0 on 2 cores" in text
    assert "governor is powersave" in text


def test_stages_are_shown_where_there_are_several() -> None:
    columns, rows = report.stage_rows(report.to_dict(_result(1, 1, CALM)), "warm")
    assert columns[:2] == ["warm: target", "stage"]
    assert [row[1] for row in rows[:2]] == ["x", "y"]
    assert "neon" in report.environment_lines(report.to_dict(_result(1, 1, CALM)))[0]


def test_a_run_of_the_null_target_measures_the_harness() -> None:
    specs = [TargetSpec("null", "one"), TargetSpec("null", "two")]
    told = report.to_dict(run_bench(specs, [Cold(1), Warm(20)]))
    for target in told["targets"]:
        assert target["warm"]["samples"] == 20
        assert target["warm"]["p50_ms"] < 0.1, "an empty call takes a microsecond or two"
        assert target["cold"]["stages"]["process"]["p50_ms"] > target["cold"]["p50_ms"]
        assert target["warm"]["ratio_to_first"] is None
    assert told["environment"]["threads"] == 1
    assert told["scenarios"]["warm"]["warm_up_invocations"] == 3


def test_nothing_to_do_is_a_callers_mistake() -> None:
    with pytest.raises(ValueError, match="a target and a scenario"):
        run_bench([], [Warm(1)])
