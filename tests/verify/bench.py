"""Whether `edgeseg bench` tells the truth: its own cost, a bare loop, and known changes."""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from device_bench.compare import Comparison, compare
from device_bench.launcher import Ending, Worker
from device_bench.report.stored import read_report
from device_bench.sample import Sample
from device_bench.scenario import Process
from device_bench.scenarios.single_stream import SingleStream, bursts
from device_bench.target import TargetSpec
from edgeseg.presets import preset_path
from tests.verify.figure import Check, Figure
from tests.verify.workbench import EDGESEG, REPOSITORY, Workbench, run

NAMES = ("overhead", "bare-loop", "compared")

RUNS = 20
_LAYERS, _SLOWED_LAYERS = 20, 22
# Where there are neighbours, what 10% has to stand out of differs by the hour.
_SAMPLES, _PROCESSES, _RESOLVE_PERCENT = 600, 10, 8
# Two loops that are to agree within 3% need more of both, for they differ by process as well.
_TURNED_SAMPLES, _TURNED_PROCESSES = 6_000, 40

_MAKE_MODEL = """
import sys
import numpy as np
import tensorflow as tf
import tf_keras as keras

layers, path = int(sys.argv[1]), sys.argv[2]
keras.utils.set_random_seed(1)
source = keras.Input((64, 64, 24), batch_size=1)
value = source
for _ in range(layers):
    value = keras.layers.Conv2D(24, 3, padding="same", activation="relu")(value)
converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(source, value))
converter.optimizations = [tf.lite.Optimize.DEFAULT]
rng = np.random.default_rng(1)
converter.representative_dataset = lambda: (
    [rng.random((1, 64, 64, 24), dtype=np.float32)] for _ in range(4)
)
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.int8
open(path, "wb").write(converter.convert())
"""


def checks(bench: Workbench) -> list[Check]:
    """The rows of the harness itself."""
    return [
        Check(
            "overhead",
            (
                Figure("bench: the harness's own time in a sample, median", "<", 20, "{:.2f} us"),
                Figure("bench: the same, 99 of 100", "<", 20, "{:.2f} us"),
            ),
            lambda: _overhead(bench),
        ),
        Check(
            "bare-loop",
            (
                Figure("bench: median by the harness over a bare loop's, off by", "<=", 0.03),
                Figure("bench: the two medians' ratio", "told"),
            ),
            lambda: _bare_loop(bench),
        ),
        Check(
            "compared",
            (
                Figure(f"bench compare: 10% slower, found of {RUNS}", ">=", RUNS, "{:.0f}"),
                Figure(f"bench compare: nothing changed, said so of {RUNS}", ">=", RUNS, "{:.0f}"),
                Figure("bench compare: the 10% as measured, mean ratio", "told", form="{:.3f}x"),
                Figure("bench compare: half width of the interval, median", "told", form="{:.1%}"),
                Figure("bench compare: two runs of the default bundle differ", "<=", 0, "{:.0f}"),
            ),
            lambda: _compared(bench),
        ),
    ]


def _overhead(bench: Workbench) -> Sequence[float]:
    report = bench.edgeseg(
        "bench", str(preset_path()), "--target", "model", "--cold-samples", "0",
        "--samples", "200", "--processes", "2",
    )  # fmt: skip
    told = report["harness_overhead_ms"]
    return [told["p50_ms"] * 1e3, told["p99_ms"] * 1e3]


class _BareLoop:
    """The bare loop's process, to take turns with the harness's own."""

    def __init__(self, spec: TargetSpec) -> None:
        script = Path(__file__).with_name("bare_loop.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), spec.source],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def __enter__(self) -> _BareLoop:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()

    def build(self) -> int:
        return 0

    def load(self) -> int:
        return 0

    def sample(self, count: int, untimed: int = 0, yardstick: bool = False) -> list[Sample]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{count + untimed}\n")
        self._process.stdin.flush()
        times_ns = json.loads(self._process.stdout.readline())
        return [Sample(time_ns, {"invoke": time_ns}) for time_ns in times_ns[untimed:]]

    def end(self) -> Ending:
        return Ending({}, 0, None, None)


def _bare_loop(bench: Workbench) -> Sequence[float]:
    """In turns, burst by burst, through the scenario that the command uses."""
    model = bench.work / "bare-segmenter.tflite"
    segmenter = bench.open_bundle().segmenter_model
    model.write_bytes(segmenter)
    options: dict[str, Any] = {"path": str(model), "network": None, "threads": 1}
    specs = [
        TargetSpec("model", "harness", str(model), options),
        TargetSpec("bare", "bare loop", str(model)),
    ]
    launch: Callable[[TargetSpec], Worker] = lambda spec: (  # noqa: E731
        Worker(spec) if spec.kind == "model" else cast(Worker, _BareLoop(spec))
    )
    outcomes = SingleStream(_TURNED_SAMPLES, _TURNED_PROCESSES).measure(
        specs, launch, lambda turns, _total, _label: turns
    )
    # A burst of one and the burst of the other beside it: a busy moment falls on both. What else
    # disturbs one of them is as likely to disturb the other, and stays out with the quarters.
    ratios = sorted(
        statistics.median(ours) / statistics.median(bare)
        for pair in zip(outcomes[0].processes, outcomes[1].processes, strict=True)
        for ours, bare in zip(*(_bursts(process) for process in pair), strict=True)
    )
    quarter = len(ratios) // 4
    ratio = statistics.geometric_mean(ratios[quarter : len(ratios) - quarter])
    return [abs(ratio - 1), ratio]


def _bursts(process: Process) -> Iterator[list[int]]:
    """The times of a process, burst by burst."""
    times_ns = iter([sample.total_ns for sample in process.samples])
    return (list(itertools.islice(times_ns, length)) for length in bursts(len(process.samples)))


def _compared(bench: Workbench) -> Sequence[float]:
    pairs = [_pair(bench, number) for number in range(RUNS)]
    plain, slowed = zip(*pairs, strict=True)
    found = [compare(before, after) for before, after in zip(plain, slowed, strict=True)]
    same = [compare(before, after) for before, after in itertools.pairwise([*plain, plain[0]])]
    ratios = [each.ratio for told in found for each in told.changes if each.ratio is not None]
    widths = [(ratio.high / ratio.low) ** 0.5 - 1 for ratio in ratios]
    return [
        sum(_says(told, "slower") for told in found),
        sum(_says(told, "no change beyond noise") for told in same),
        statistics.fmean(ratio.ratio for ratio in ratios),
        statistics.median(widths),
        _default_twice(bench),
    ]


def _says(told: Comparison, verdict: str) -> bool:
    return all(change.verdict == verdict for change in told.changes)


def _pair(bench: Workbench, number: int) -> list[dict[str, Any]]:
    """A run of the model, and one of the slowed model."""
    reports = []
    for layers in (_LAYERS, _SLOWED_LAYERS):
        model = bench.work / f"convolutions-{layers}.tflite"
        if not model.is_file():
            command = [sys.executable, "-c", _MAKE_MODEL, str(layers), str(model)]
            run(command, "converting a stack of convolutions")
        reports.append(_run(bench, model, f"{layers}-{number}"))
    return reports


def _run(bench: Workbench, path: Path, name: str) -> dict[str, Any]:
    out = bench.work / f"report-{name}.json"
    command = [
        *EDGESEG, "bench", str(path), "--target", "model", "--cold-samples", "0",
        "--samples", str(_SAMPLES), "--processes", str(_PROCESSES),
        "--resolve", str(_RESOLVE_PERCENT), "--out", str(out), "--json",
    ]  # fmt: skip
    run(command, "edgeseg bench", REPOSITORY)
    return read_report(out)


def _default_twice(bench: Workbench) -> float:
    """How many targets of two runs of one bundle are said to differ."""
    first, second = (_run(bench, preset_path(), f"default-{number}") for number in (1, 2))
    told = compare(first, second)
    return sum(change.verdict != "no change beyond noise" for change in told.changes)
