"""Reports made as the command makes them, of times that are drawn and not measured."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from device_bench import environment
from device_bench.configuration import Configuration
from device_bench.plan import Plan
from device_bench.report.document import to_dict
from device_bench.runner import BenchResult
from device_bench.scenario import Outcome, Process, Sample, Scenario
from device_bench.scenarios.cold_start import ColdStart
from device_bench.scenarios.single_stream import SingleStream
from device_bench.scenarios.sustained import SLICES, Sustained
from device_bench.scenarios.sync_while_matching import SyncWhileMatching
from device_bench.target import TargetSpec
from edgeseg.evaluation.retrieval import figures

SAMPLES, PROCESSES = 40, 4
STAGES = ("decode", "segment", "crop", "embed", "search")
SCENARIOS = ("cold_start", "single_stream", "sustained", "sync_while_matching")
_SYNC = TargetSpec("sync", "sync", "published/metadata")


def drawn_report(
    names: Sequence[str] = ("a.bundle", "b.bundle"),
    scenarios: Sequence[str] = SCENARIOS,
    quality: bool = True,
    seed: int = 1,
) -> dict[str, Any]:
    """A report of a match and a network of each configuration, and of the harness.

    Args:
        names: Files, each one configuration.
        scenarios: In the order run.
        quality: Whether it was scored.
        seed: Of the times.
    """
    drawn = random.Random(seed)
    configurations = [Configuration(Path(name)) for name in names]
    timed = [
        spec
        for name in names
        for spec in (
            TargetSpec("model", f"{name}: segmenter", name, {}, "segmenter", name),
            TargetSpec("match", f"{name}: match", name, {}, "match", name),
        )
    ]
    timed.append(TargetSpec("null", "null"))
    ran = [_SCENARIOS[name] for name in scenarios]
    outcomes = {each.name: [_outcome(each.name, spec, drawn) for spec in timed] for each in ran}
    scored = {name: _quality(drawn) for name in names} if quality else {}
    result = BenchResult(
        environment.read(),
        environment.moving(),
        Plan(list(names), timed, []),
        ran,
        outcomes,
        scored,
    )
    # As a reader gets it: tuples are lists.
    report: dict[str, Any] = json.loads(json.dumps(to_dict(result, configurations)))
    return report


_SCENARIOS: dict[str, Scenario] = {
    "cold_start": ColdStart(SAMPLES),
    "single_stream": SingleStream(SAMPLES, PROCESSES),
    "sustained": Sustained(2),
    "sync_while_matching": SyncWhileMatching(SAMPLES, _SYNC),
}


def _outcome(scenario: str, spec: TargetSpec, drawn: random.Random) -> Outcome:
    middle_ns = {"null": 300, "match": 40_000_000}.get(spec.kind, 8_000_000)
    names = STAGES if spec.kind == "match" else ("invoke",)
    if scenario == "cold_start":
        names = ("import", "load", "first", "process")
    alone = scenario in ("sustained", "sync_while_matching")
    processes = 1 if alone else SAMPLES if scenario == "cold_start" else PROCESSES

    def sample() -> Sample:
        steps_ns = {
            name: int(middle_ns * drawn.lognormvariate(0, 0.2) / len(names)) for name in names
        }
        return Sample(
            sum(steps_ns.values()), steps_ns, round(350_000 * drawn.lognormvariate(0, 0.1))
        )

    outcome = Outcome(facts={"items": 5000, "notes": []})
    for _ in range(processes):
        process = Process(
            samples=[sample() for _ in range(SAMPLES // processes)],
            warm_up_ns=[] if scenario == "cold_start" else [3 * middle_ns, middle_ns, middle_ns],
            load_ns=50_000_000,
            peak_memory_bytes=120_000_000,
            steady_memory_bytes=110_000_000,
            cpu_share=0.99,
        )
        outcome.processes.append(process)
    if scenario == "sync_while_matching":
        outcome.baseline = [sample() for _ in range(SAMPLES)]
    if scenario == "sustained":
        outcome.slices = [
            {
                "until_s": 6.0 * (number + 1),
                "samples": 2,
                "p50_ms": middle_ns / 1e6 * (1 + number / 100),
                "frequency_mhz": 1800.0 - 20 * number if number % 7 else None,
                "temperature_c": 45.0 + number,
            }
            for number in range(SLICES)
        ]
    return outcome


def _quality(drawn: random.Random) -> dict[str, Any]:
    iou = 0.9 + drawn.random() / 20
    ranks = [drawn.choice((1, 3, 12, None)) for _ in range(30)]
    return {
        "segmentation": {
            "images": 50,
            "iou_mean": iou,
            "iou_p10": iou - 0.1,
            "pixel_accuracy": 0.97,
            "boundary_f": 0.8,
            "iou_mean_interval": [iou - 0.02, iou + 0.02],
        },
        "match": figures(ranks, [f"sku{number % 10}" for number in range(30)]).to_dict(),
    }
