"""A run as JSON values and as rows of tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from device_bench.runner import BenchResult
from device_bench.scenario import Outcome
from device_bench.stats import samples_needed, summarize

FORMAT_VERSION = 1
# Below this share of CPU time in wall-clock time, samples waited for other processes.
LEAST_CPU_SHARE = 0.9


def to_dict(result: BenchResult) -> dict[str, Any]:
    """All figures of a run: times in milliseconds, memory in bytes.

    Each target has one object a scenario with ``samples``, ``p50_ms``, ``p90_ms``, ``p99_ms``, the
    interval of 95% confidence of each (``p50_interval_ms`` and so on; null, as a percentile itself,
    where samples are too few), ``min_ms``, ``max_ms``, ``ratio_to_first``, ``peak_memory_bytes``,
    ``cpu_share`` and ``stages`` (the same figures for each part that is told apart).
    """
    return {
        "format_version": FORMAT_VERSION,
        "environment": dict(result.environment) | {"threads": result.threads},
        "scenarios": {
            scenario.name: {"timed": scenario.timed, **scenario.settings()}
            for scenario in result.scenarios
        },
        "targets": [_target(result, position) for position in range(len(result.specs))],
        "notes": notes(result),
    }


def _target(result: BenchResult, position: int) -> dict[str, Any]:
    spec = result.specs[position]
    told: dict[str, Any] = {"name": spec.name, "kind": spec.kind, "source": spec.source}
    facts: dict[str, Any] = {}
    for scenario in result.scenarios:
        outcome = result.outcomes[scenario.name][position]
        facts |= outcome.facts
        told[scenario.name] = {
            **dataclasses.asdict(summarize([sample.total_ns for sample in outcome.samples])),
            "ratio_to_first": result.ratio_to_first(scenario.name, position),
            "peak_memory_bytes": outcome.peak_memory_bytes,
            "cpu_share": outcome.cpu_share,
            "stages": _stages(outcome),
        }
    return told | {"facts": facts}


def _stages(outcome: Outcome) -> dict[str, dict[str, Any]]:
    names = outcome.samples[0].steps_ns
    return {
        name: dataclasses.asdict(summarize([sample.steps_ns[name] for sample in outcome.samples]))
        for name in names
    }


def notes(result: BenchResult) -> list[str]:
    """What a reader must know before trusting the figures, a sentence each."""
    lines = []
    for scenario in result.scenarios:
        samples = result.outcomes[scenario.name][0].samples
        lines += [
            f"{scenario.name}: {len(samples)} samples are too few for p{percentile}, which takes "
            f"{samples_needed(percentile)}"
            for percentile in summarize([sample.total_ns for sample in samples]).too_few_for()
        ]
    if result.environment.get("busy"):
        lines.append(
            f"the machine was busy before the run (load average "
            f"{result.environment['load_average']} on {result.environment['usable_cores']} cores): "
            "trust the ratios, not the times"
        )
    starved = [
        f"{spec.name} ({outcome.cpu_share:.0%})"
        for scenario in result.scenarios
        for spec, outcome in zip(result.specs, result.outcomes[scenario.name], strict=True)
        if outcome.cpu_share is not None and outcome.cpu_share < LEAST_CPU_SHARE
    ]
    if starved:
        lines.append(
            "the CPU did something else for part of the timed spans of "
            f"{', '.join(dict.fromkeys(starved))}: repeat on an idle machine"
        )
    governor = result.environment.get("governor")
    if governor not in (None, "performance"):
        lines.append(f"the CPU governor is {governor}: the clock may have changed during the run")
    seen: set[str] = set()
    for scenario in result.scenarios:
        for outcome in result.outcomes[scenario.name]:
            for note in outcome.facts.get("notes", []):
                if note not in seen:
                    seen.add(note)
                    lines.append(note)
    return lines


def target_rows(report: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The main table of ``to_dict``'s report: its columns and one row a target."""
    scenarios = list(report["scenarios"])
    columns = ["target"]
    for name in scenarios:
        columns += [f"{name} {p} ms" for p in ("p50", "p90", "p99")]
    columns += ["peak MB", f"{scenarios[-1]} ratio"]
    rows = []
    for target in report["targets"]:
        row = [target["name"]]
        for name in scenarios:
            row += _percentiles(target[name])
        last = target[scenarios[-1]]
        peaks = [p for name in scenarios if (p := target[name]["peak_memory_bytes"]) is not None]
        row.append(f"{max(peaks) / 1e6:.0f}" if peaks else "-")
        row.append("-" if last["ratio_to_first"] is None else f"{last['ratio_to_first']:.2f}x")
        rows.append(row)
    return columns, rows


def stage_rows(report: Mapping[str, Any], scenario: str) -> tuple[list[str], list[list[str]]]:
    """The stages of every target that has more than one in a scenario: columns and rows."""
    columns = [f"{scenario}: target", "stage", "p50 ms", "p90 ms", "p99 ms"]
    rows = []
    for target in report["targets"]:
        stages = target[scenario]["stages"]
        if len(stages) < 2:
            continue
        for name, stage in stages.items():
            rows.append([target["name"], name, *_percentiles(stage)])
    return columns, rows


def environment_lines(report: Mapping[str, Any]) -> list[str]:
    """The circumstances, for people."""
    told = report["environment"]
    frequency = f", {told['frequency_mhz']:.0f} MHz" if told["frequency_mhz"] else ""
    features = " ".join(told["cpu_features"]) or "none known"
    software = [told["interpreter"] or "no interpreter", told["python"]]
    software += [f"{name} {version}" for name, version in told["libraries"].items()]
    return [
        f"{told['cpu'] or told['machine']} ({told['machine']}, {told['usable_cores']} of "
        f"{told['cores']} cores{frequency}, governor {told['governor'] or 'unreadable'}; "
        f"{features}), threads: {told['threads']}",
        ", ".join([*software, told["system"]]),
    ]


def _percentiles(figures: Mapping[str, Any]) -> Sequence[str]:
    median = _ms(figures["p50_ms"])
    if figures["p50_interval_ms"] is not None:
        median += " ({}-{})".format(*(_ms(end) for end in figures["p50_interval_ms"]))
    return [median, _ms(figures["p90_ms"]), _ms(figures["p99_ms"])]


def _ms(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}"
