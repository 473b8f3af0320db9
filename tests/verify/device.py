"""Checks of the handheld: latency, memory, start-up, and the wheel with nothing beside it."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.verify.figure import Check, Figure, NotMeasuredError
from tests.verify.quality import gallery
from tests.verify.workbench import EDGESEG, REPOSITORY, Workbench, run

_HANDHELD = REPOSITORY / ".venv-handheld" / "bin"
_BENCH_SAMPLES = 40
_HELP_RUNS = 7
# The seeds' FC-DenseNet103 is too large to ship, and its time does not depend on its weights.
_MAKE_FCDENSENET103 = """
import sys
from pathlib import Path
import tf_keras
from converters.tflite.conversion import to_tflite
from edgeseg.training.networks.tiramisu import TIRAMISUS
model = TIRAMISUS["fcdensenet103"].build(tf_keras, int(sys.argv[1]), sigmoid=True)
Path(sys.argv[2]).write_bytes(to_tflite(model, "none"))
"""
_MATCH = """
import sys
from edgeseg import Catalogue, Matcher
bundle = sys.argv[3] if len(sys.argv) > 3 else None
found = Matcher(Catalogue.open(sys.argv[1]), bundle).match(sys.argv[2])
assert len(found.matches) == 10
assert not {"tensorflow", "keras", "tf_keras", "torch", "jax"} & set(sys.modules)
# Not ru_maxrss, which a child inherits from the process that forked it.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024)
"""


def checks(bench: Workbench) -> list[Check]:
    """All of them, bound to a workbench."""
    return [
        Check(
            "latency",
            (
                Figure("FC-DenseNet103 float32, one thread, p50 ms", "told", form="{:.1f}"),
                Figure("int8 segmenter, one thread, p50 ms", "told", form="{:.1f}"),
                Figure("int8 segmenter faster than FC-DenseNet103 by", ">=", 10, "{:.1f}x"),
            ),
            partial(_latency, bench),
        ),
        Check(
            "handheld",
            (Figure("the wheel alone: its commands work (1 = yes)", ">=", 1, "{:.0f}"),),
            _wheel_alone,
        ),
        Check(
            "handheld",
            (Figure("import of edgeseg and one match, peak MB", "<", 250, "{:.0f}"),),
            partial(_memory, bench),
        ),
        Check(
            "handheld",
            (Figure("edgeseg --help, median s", "<", 0.5, "{:.2f}"),),
            _help,
        ),
    ]


def _latency(bench: Workbench) -> Sequence[float]:
    bundle = bench.int8_bundle()
    small = bench.work / "segmenter.tflite"
    small.write_bytes(bundle.segmenter_model)
    side_px = bundle.manifest.segmenter.preprocessing.input_px
    large = fcdensenet103(bench, side_px)
    document = bench.edgeseg(
        "bench", str(small), str(large), "--threads", "1",
        "--samples", str(_BENCH_SAMPLES), "--cold-samples", "0",
    )  # fmt: skip
    # The bench adds a target of its own, which measures the harness.
    fast, slow = (
        t["scenarios"]["single_stream"] for t in document["targets"] if t["kind"] == "model"
    )
    return [slow["p50_ms"], fast["p50_ms"], slow["ratio_to_first"]]


def fcdensenet103(bench: Workbench, side_px: int) -> Path:
    """FC-DenseNet103 in float32 with random weights, made once a run.

    Raises:
        NotMeasuredError: the ``convert`` extra is absent.
    """
    path = bench.work / f"fcdensenet103-{side_px}.tflite"
    if not path.is_file():
        command = [sys.executable, "-c", _MAKE_FCDENSENET103, str(side_px), str(path)]
        run(command, "converting FC-DenseNet103")
    return path


def _wheel_alone() -> Sequence[float]:
    """The clean-install smoke: sets up an environment without any extra, and goes a user's way."""
    run(["make", "smoke"], "make smoke")
    return [1.0]


def _python() -> str:
    """The clean environment's Python where there is one: nothing else is imported by accident."""
    python = _HANDHELD / "python"
    return str(python) if python.is_file() else sys.executable


def _memory(bench: Workbench) -> Sequence[float]:
    (photo,) = bench.need("queries_val/images")
    photos = sorted(photo.glob("*.jpg"))
    if not photos:
        raise NotMeasuredError(f"{photo} holds no photograph")
    bundle = [] if bench.bundle is None else [str(bench.bundle)]
    command = [_python(), "-c", _MATCH, str(gallery(bench)), str(photos[0]), *bundle]
    # Outside the checkout, so that the clean environment uses the wheel that it holds.
    cwd = bench.work if _HANDHELD.is_dir() else REPOSITORY
    return [int(run(command, "edgeseg match", cwd)) / 1e6]


def _help() -> Sequence[float]:
    program = _HANDHELD / "edgeseg"
    command = [str(program)] if program.is_file() else list(EDGESEG)
    times_s = []
    for _ in range(_HELP_RUNS):
        start_s = time.perf_counter()
        run([*command, "--help"], "edgeseg --help")
        times_s.append(time.perf_counter() - start_s)
    return [statistics.median(times_s)]
