"""A run as one JSON document; ``schema.json`` beside this file is its description."""

from __future__ import annotations

import dataclasses
import importlib.resources
import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from device_bench.configuration import Configuration
from device_bench.report.notes import notes
from device_bench.runner import BenchResult
from device_bench.sample import Sample
from device_bench.scenario import Outcome, Process
from device_bench.scenarios.sustained import drift
from device_bench.stats import percentile_ns, summarize
from edgeseg import __version__

KIND = "edgeseg bench report"
FORMAT_VERSION = 2


def to_dict(result: BenchResult, configurations: Sequence[Configuration]) -> dict[str, Any]:
    """All that was measured: times in milliseconds, memory in bytes, energy in joules.

    What samples are too few for, or a machine does not tell, is null. Every sample's total is in
    the document, by process, with those that were found to be warm-up: nothing is left out.
    """
    return {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        "edgeseg": __version__,
        "environment": dict(result.environment),
        "afterwards": dict(result.afterwards),
        "scenarios": {
            scenario.name: {"timed": scenario.timed, **scenario.settings()}
            for scenario in result.scenarios
        },
        "harness_overhead_ms": _overhead(result),
        "configurations": [
            _configuration(each, label, result.quality.get(label, {}))
            for each, label in zip(configurations, result.plan.labels, strict=True)
        ],
        "targets": [_target(result, position) for position in range(len(result.plan.timed))],
        "notes": notes(result),
    }


def read_schema() -> dict[str, Any]:
    """The JSON Schema of what ``to_dict`` gives."""
    text = (importlib.resources.files("device_bench.report") / "schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _overhead(result: BenchResult) -> dict[str, Any] | None:
    """What the harness itself adds to a sample: the null target in a warmed-up process."""
    for spec, outcome in zip(
        result.plan.timed, result.outcomes.get("single_stream", ()), strict=False
    ):
        if spec.kind == "null":
            told = summarize(outcome.totals_ns())
            return {"p50_ms": told.p50_ms, "p99_ms": told.p99_ms, "max_ms": told.max_ms}
    return None


def _configuration(each: Configuration, label: str, quality: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": label,
        "source": str(each.path),
        **dataclasses.asdict(each.settings),
        "catalogue": None if each.catalogue is None else str(each.catalogue),
        "precision": each.precision,
        "quality": dict(quality),
    }


def _target(result: BenchResult, position: int) -> dict[str, Any]:
    spec = result.plan.timed[position]
    facts: dict[str, Any] = {}
    scenarios = {}
    for scenario in result.scenarios:
        outcome = result.outcomes[scenario.name][position]
        facts |= outcome.facts
        ratio = result.ratio_to_first(scenario.name, position)
        scenarios[scenario.name] = _figures(outcome) | {"ratio_to_first": ratio}
    return {
        "name": spec.name,
        "kind": spec.kind,
        "role": spec.role,
        "configuration": spec.configuration or None,
        "source": spec.source,
        "scenarios": scenarios,
        "facts": facts,
    }


def _figures(outcome: Outcome) -> dict[str, Any]:
    peaks = [process.peak_memory_bytes for process in outcome.processes]
    steady = [process.steady_memory_bytes for process in outcome.processes]
    spent = [process.energy_j for process in outcome.processes if process.energy_j is not None]
    shares = [process.cpu_share for process in outcome.processes if process.cpu_share is not None]
    loads = [process.load_ns for process in outcome.processes]
    return {
        **dataclasses.asdict(summarize(outcome.totals_ns())),
        "load_ms": percentile_ns(loads, 50) / 1e6,
        "peak_memory_bytes": max(peaks),
        "steady_memory_bytes": max((each for each in steady if each is not None), default=None),
        "energy_j": statistics.median(spent) if spent else None,
        "cpu_share": round(sum(shares) / len(shares), 3) if shares else None,
        "stages": _stages(outcome.samples),
        "baseline": _baseline(outcome.baseline),
        "resolution": outcome.resolution(),
        "drift": drift(outcome.slices),
        "slices": [dict(each) for each in outcome.slices],
        "processes": [_process(process) for process in outcome.processes],
    }


def _baseline(samples: Sequence[Sample]) -> dict[str, Any] | None:
    if not samples:
        return None
    totals_ns = [sample.total_ns for sample in samples]
    told = dataclasses.asdict(summarize(totals_ns))
    return {**told, "samples_ms": [total_ns / 1e6 for total_ns in totals_ns]}


def _stages(samples: Sequence[Sample]) -> dict[str, dict[str, Any]]:
    return {
        name: dataclasses.asdict(summarize([sample.steps_ns[name] for sample in samples]))
        for name in samples[0].steps_ns
    }


def _process(process: Process) -> dict[str, Any]:
    beside = process.yardsticks_ns()
    return {
        "samples_ms": [sample.total_ns / 1e6 for sample in process.samples],
        "warm_up_ms": [time_ns / 1e6 for time_ns in process.warm_up_ns],
        "settled": process.settled,
        "import_ms": process.import_ns / 1e6,
        "load_ms": process.load_ns / 1e6,
        "yardstick_ms": None if beside is None else [each_ns / 1e6 for each_ns in beside],
        "energy_j": process.energy_j,
        "peak_memory_bytes": process.peak_memory_bytes,
        "steady_memory_bytes": process.steady_memory_bytes,
        "cpu_share": process.cpu_share,
    }
