"""Who is timed when, with processes that only pretend."""

from __future__ import annotations

import dataclasses
import itertools
import random
from typing import Any

import pytest

from device_bench.configuration import Configuration
from device_bench.plan import Plan
from device_bench.report.document import to_dict
from device_bench.report.tables import environment_lines, tables
from device_bench.runner import BenchResult, run_bench
from device_bench.scenario import Outcome, Process, Sample
from device_bench.scenarios.cold_start import ColdStart
from device_bench.scenarios.single_stream import SingleStream
from device_bench.scenarios.sustained import SLICES, Sustained, drift
from device_bench.scenarios.sync_while_matching import SyncWhileMatching
from device_bench.target import TargetSpec
from tests.device_bench.pretended import NULL, A, B, Pretended, measured


def test_cold_starts_take_a_fresh_process_each_and_turn_the_order() -> None:
    outcomes, log = measured(ColdStart(2), [A, B, NULL])
    starts = [line for line in log if "starts" in line]
    assert [line[0] for line in starts] == ["a", "b", "n", "n", "b", "a"]
    assert log.count("a: model leaves") == 2
    sample = outcomes[0].samples[0]
    assert sample.total_ns == 10 + 300, "load and first invocation"
    assert dict(sample.steps_ns) == {"import": 1, "load": 10, "first": 300, "process": 1000}
    assert [process.yardsticks_ns() for process in outcomes[0].processes] == [[1000], [1000]]
    assert outcomes[1].facts == {"who": "b: model"}


def test_a_stream_has_several_processes_one_after_the_other() -> None:
    outcomes, log = measured(SingleStream(53, 3), [A, B])
    assert [len(outcome.samples) for outcome in outcomes] == [53, 53]
    assert [len(process.samples) for process in outcomes[0].processes] == [18, 18, 17]
    starts = [place for place, line in enumerate(log) if line == "a: model starts"]
    leaves = [place for place, line in enumerate(log) if line == "a: model leaves"]
    assert len(starts) == len(leaves) == 3
    assert all(left < started for left, started in itertools.pairwise([0, *starts[1:]]))
    assert all(leave < start for leave, start in zip(leaves, starts[1:], strict=False))


def test_a_stream_warms_up_and_then_takes_turns() -> None:
    outcomes, log = measured(SingleStream(20, 1), [A, B])
    turns = [line for line in log if "+" in line]
    settled = [line for line in turns if line.endswith("+1")]
    assert [line[0] for line in settled] == ["a", "b", "b", "a", "a", "b", "b", "a"]
    assert {line.split()[-1] for line in settled} == {"5+1"}
    warm = outcomes[0].processes[0].warm_up_ns
    assert len(warm) == 9, "steady times are known to be steady after one and eight"
    assert outcomes[0].processes[0].settled


def test_each_sample_knows_what_the_yardstick_took_beside_it() -> None:
    outcomes, _ = measured(SingleStream(12, 3), [A])
    assert [process.yardsticks_ns() for process in outcomes[0].processes] == [[150] * 4] * 3
    assert [process.typical() for process in outcomes[0].processes] == pytest.approx([2.0] * 3)
    outcomes, _ = measured(ColdStart(2), [A])
    assert outcomes[0].processes[0].yardsticks_ns() is None, "no null target started beside it"
    assert outcomes[0].processes[0].typical() == pytest.approx(310)


def test_a_stream_goes_on_until_the_change_can_be_seen() -> None:
    rng = random.Random(1)

    def noisy(spec: TargetSpec, log: list[str]) -> Pretended:
        level = 1e6 * rng.lognormvariate(0.0, 0.05)
        return Pretended(spec.name, log, (int(level) for _ in itertools.count()))

    outcomes, _ = measured(SingleStream(12, 3, resolve=0.1), [A], noisy)
    seen = outcomes[0].resolution()
    assert seen is not None
    assert seen <= 0.1
    assert 4 <= len(outcomes[0].processes) < 30
    outcomes, _ = measured(SingleStream(12, 3, resolve=0.001), [A], noisy)
    assert len(outcomes[0].processes) == 30, "ten times as many, and no more"


@pytest.mark.parametrize(("samples", "processes"), [(1, 5), (7, 2), (10, 10), (100, 5)])
def test_a_stream_takes_exactly_the_samples_asked_for(samples: int, processes: int) -> None:
    outcomes, _ = measured(SingleStream(samples, processes), [A, B])
    assert {len(outcome.samples) for outcome in outcomes} == {samples}


def test_sustained_shows_a_target_that_slows_down() -> None:
    seconds = itertools.count()

    def slowing(spec: TargetSpec, log: list[str]) -> Pretended:
        start = 1_000_000
        return Pretended(spec.name, log, iter(range(start, start + 100_000_000, 1000)))

    outcomes, _ = measured(Sustained(10.0, clock=lambda: float(next(seconds))), [A], slowing)
    slices = outcomes[0].slices
    assert len(slices) == SLICES
    assert sum(each["samples"] for each in slices) == len(outcomes[0].samples)
    times = [each["until_s"] for each in slices]
    assert times == sorted(times)
    assert times[-1] >= 600
    ratio = drift(slices)
    assert ratio is not None
    assert ratio > 1.1


def test_drift_of_a_steady_course_is_one() -> None:
    assert drift([{"p50_ms": 3.0}] * 20) == 1.0
    assert drift([{"p50_ms": 3.0}] * 4) is None, "too short to have a first and a last fifth"


def test_while_syncing_only_samples_of_a_sync_count() -> None:
    sync = TargetSpec("sync", "sync", "www", {}, "sync")
    outcomes, log = measured(
        SyncWhileMatching(6, sync), [A], lambda spec, told: Pretended(spec.name, told, syncs=1)
    )
    assert len(outcomes[0].baseline) == 6
    assert len(outcomes[0].samples) == 6
    # A sync lasts as long as one burst here, so there had to be two.
    assert log.count("sync begins 1") == log.count("sync finishes") == 2
    first = log.index("sync begins 1")
    assert log.index("a: model 6+1") < first, "the baseline comes before any sync"
    assert log[first + 1] == "a: model 3+1"


@pytest.mark.parametrize("make", [ColdStart, SingleStream, Sustained])
def test_no_samples_are_a_callers_mistake(make: Any) -> None:
    with pytest.raises(ValueError, match="needs"):
        make(0)


CALM: dict[str, Any] = {
    "cpu": "C", "machine": "m", "cpu_features": ["neon"], "cores": 2, "usable_cores": 2,
    "memory_bytes": 1_000_000_000, "frequencies_mhz": [], "governors": ["performance"],
    "busy": False, "load_average": 0.1, "interpreters": [], "python": "p", "temperature_c": None,
    "libraries": {"numpy": "2"}, "system": "s", "libc": None,
}  # fmt: skip
AFTER: dict[str, Any] = {"temperature_c": None, "frequencies_mhz": []}


def _result(first_ms: float, second_ms: float, environment: dict[str, Any]) -> BenchResult:
    outcomes = [
        Outcome(
            [
                Process(
                    [Sample(round(ms * 1e6), {"x": 1, "y": 2})] * 10,
                    peak_memory_bytes=7_000_000,
                    cpu_share=share,
                )
            ]
        )
        for ms, share in ((first_ms, 1.0), (second_ms, 0.4), (0.0001, None))
    ]
    planned = Plan(["a", "b"], [A, B, NULL], [])
    return BenchResult(environment, AFTER, planned, [SingleStream(10)], {"single_stream": outcomes})


def _told(result: BenchResult) -> dict[str, Any]:
    from pathlib import Path

    return to_dict(result, [Configuration(Path("a")), Configuration(Path("b"))])


def test_the_ratio_is_of_medians_to_the_first_of_the_kind() -> None:
    told = _told(_result(20, 50, CALM))
    figures = [target["scenarios"]["single_stream"] for target in told["targets"]]
    assert [each["ratio_to_first"] for each in figures] == [1.0, 2.5, None]
    _, columns, rows = next(table for table in tables(told) if table[0] == "single_stream")
    row = dict(zip(columns, rows[1], strict=True))
    assert row["target"] == "b: model"
    assert row["p50 ms"] == "50.0 (50.0-50.0)"
    assert (row["p90 ms"], row["p99 ms"], row["peak MB"]) == ("50.0", "-", "7")
    assert (row["ratio"], rows[2][-1]) == ("2.50x", "-")
    assert told["harness_overhead_ms"]["p50_ms"] == pytest.approx(0.0001)


def test_what_makes_figures_doubtful_is_told() -> None:
    calm = _told(_result(20, 50, CALM))["notes"]
    assert "b: model (40%)" in calm[0]
    assert "a: model (" not in calm[0]
    assert calm[1] == (
        "single_stream: 10 samples are too few for p99, which takes 100, "
        "too few for p90's interval, 36"
    )
    assert len(calm) == 2
    hectic = CALM | {
        "busy": True, "governors": ["powersave"], "load_average": 9.0, "frequencies_mhz": [2000.0],
    }  # fmt: skip
    result = _result(20, 50, hectic)
    result = dataclasses.replace(result, afterwards=AFTER | {"frequencies_mhz": [1200.0]})
    text = "\n".join(_told(result)["notes"])
    assert "load average 9.0 on 2 cores" in text
    assert "governor is powersave" in text
    assert "2000 MHz before the run and 1200 MHz" in text


def test_stages_are_shown_where_there_are_several() -> None:
    told = _told(_result(1, 1, CALM))
    _, columns, rows = next(table for table in tables(told) if table[0].endswith("stages"))
    assert columns == ["target", "x p50 ms", "y p50 ms"]
    assert rows[0][0] == "a: model"
    assert "neon" in environment_lines(told)[0]


def test_a_run_of_the_null_target_measures_the_harness() -> None:
    planned = Plan([], [NULL], [])
    told = to_dict(run_bench(planned, [ColdStart(1), SingleStream(20, 2)]), [])
    (null,) = told["targets"]
    warm = null["scenarios"]["single_stream"]
    assert warm["samples"] == 20
    assert [len(each["samples_ms"]) for each in warm["processes"]] == [10, 10]
    assert told["harness_overhead_ms"]["p50_ms"] < 0.02, "the promise: under 20 microseconds"
    beside_ms = [time_ms for each in warm["processes"] for time_ms in each["yardstick_ms"]]
    assert len(beside_ms) == 20
    assert min(beside_ms) > warm["p50_ms"]
    cold = null["scenarios"]["cold_start"]
    assert cold["stages"]["process"]["p50_ms"] > cold["p50_ms"]
    assert warm["ratio_to_first"] is None


def test_nothing_to_do_is_a_callers_mistake() -> None:
    with pytest.raises(ValueError, match="a target and a scenario"):
        run_bench(Plan([], [], []), [SingleStream(1)])
