"""Checks of compression: the shipped presets against their float originals, a teacher and peers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from edgeseg.formats.bundle import REPORT_SECTION, SEGMENTER_SECTION, write_bundle
from edgeseg.presets import PRESETS, checkpoint_path, preset_path
from tests.verify import camvid
from tests.verify.device import fcdensenet103
from tests.verify.figure import Check, Figure, NotMeasuredError
from tests.verify.quality import SNAPSHOTS, STREET, segmentation
from tests.verify.workbench import Workbench, run

NAMES = ("teacher", "speed", "parity", "peer", "pruning", "quality", "camvid")
_TABLES = {"snapshots": SNAPSHOTS, "street": STREET}
_SAMPLES = 60
_MB = 1_000_000
# Medians of two equal models in one run differ by so much here.
_EQUAL = 0.97
# Two int8 graphs of the same weights round a pixel on the outline differently here and there.
_STEP = -0.0005
# The same float network, compressed as the TensorFlow Lite guide has it.
_PLAIN_INT8 = """
import sys
from pathlib import Path
import tf_keras
from converters.evaluation.peers import tf_lite_int8
from converters.representative import calibration_input, network_input, representative_set
from edgeseg.training.checkpoint import load_checkpoint
checkpoint = load_checkpoint(Path(sys.argv[1]))
photographs = representative_set([Path(p) for p in sys.argv[3:]], 256, 0).photographs
pictures = network_input(photographs, checkpoint.preprocessing)
model = checkpoint.build(tf_keras, sigmoid=True)
calibration = calibration_input(pictures, checkpoint.preprocessing)
Path(sys.argv[2]).write_bytes(tf_lite_int8(model, calibration))
"""


def checks(bench: Workbench, teacher: Path | None) -> list[Check]:
    """All of them.

    Args:
        bench: where to measure; its bundle is not looked at, for the presets are what is promised.
        teacher: checkpoint of the teacher; without it, the figures that it had when the preset was
            distilled stand in.
    """
    benches = {
        name: replace(bench, bundle=preset_path(name), segmenter=checkpoint_path(name))
        for name in PRESETS
    }
    small, form = benches["small"], "{:+.4f}"
    return [
        *(
            Check(
                "teacher",
                (
                    Figure(f"{name} val: IoU of the teacher, float32", "told"),
                    Figure(f"{name} val: IoU of small, int8", "told"),
                    Figure(
                        f"{name} val: IoU of small below the teacher's by", "<=", 0.005, "{:.4f}"
                    ),
                ),
                partial(_against_teacher, small, name, teacher),
            )
            for name in _TABLES
        ),
        Check(
            "speed",
            (
                Figure("FC-DenseNet103 float32, one thread, p50 ms", "told", form="{:.1f}"),
                *(Figure(f"{n} int8, one thread, p50 ms", "told", form="{:.2f}") for n in PRESETS),
                Figure("nano faster than FC-DenseNet103 by", ">=", 50, "{:.1f}x"),
                Figure("small faster than FC-DenseNet103 by", ">=", 25, "{:.1f}x"),
                Figure("base faster than FC-DenseNet103 by", "told", form="{:.1f}x"),
                Figure("small, segmenter's MB", "<=", 1.0, "{:.3f}"),
            ),
            partial(_speed, benches),
        ),
        *(
            Check(
                "parity",
                (
                    Figure(f"{preset}, {name} val: IoU lost to int8", "<=", 0.003, "{:.4f}"),
                    Figure(f"{preset}, {name} val: IoU, int8", "told"),
                ),
                partial(_lost, benches[preset], table),
            )
            for preset in PRESETS
            for name, table in _TABLES.items()
        ),
        Check(
            "peer",
            (
                *(
                    Figure(
                        f"{name} val: IoU of small above plain tf.lite int8's", ">=", _STEP, form
                    )
                    for name in _TABLES
                ),
                Figure("small faster than plain tf.lite int8 by", ">=", _EQUAL, "{:.2f}x"),
            ),
            partial(_against_plain, small),
        ),
        Check(
            "pruning",
            (
                Figure("nano (small pruned): latency of small's", "<=", 0.55, "{:.2f}x"),
                *(
                    Figure(f"{name} val: IoU lost from small to nano", "<=", 0.010, "{:.4f}")
                    for name in _TABLES
                ),
            ),
            partial(_pruned, benches),
        ),
        Check(
            "quality",
            (
                Figure("small, snapshots val: IoU", ">=", 0.93),
                Figure("small, snapshots val: worst tenth of IoU", ">=", 0.84),
                Figure("small, snapshots val: pixel accuracy", ">=", 0.97),
                Figure("small, snapshots val: boundary F above GrabCut's by", ">", 0.0, "{:+.3f}"),
                Figure("small, street val: IoU", ">=", 0.78),
                Figure("small, street val: boundary F", "told"),
            ),
            partial(_quality, small),
        ),
        *camvid.checks(camvid.Bench(bench.data / "camvid", camvid.RUNS), camvid.PROMISED),
    ]


def _against_teacher(small: Workbench, name: str, teacher: Path | None) -> Sequence[float]:
    student = _iou(small, _TABLES[name])
    if teacher is not None:
        measured = replace(small, segmenter=teacher)
        taught = _iou_of(measured, _TABLES[name], measured.float_bundle)
    else:
        taught = _recorded(small.segmenter, name)
    return [taught, student, taught - student]


def _recorded(checkpoint: Path, name: str) -> float:
    """The best validation IoU of those who taught a checkpoint, or taught its teacher, as recorded.

    Raises:
        NotMeasuredError: nobody taught that checkpoint, or on other photographs.
    """
    from edgeseg.training.checkpoint import load_checkpoint

    teacher: dict[str, Any] | None = load_checkpoint(checkpoint).run.get("teacher")
    found: list[float] = []
    while teacher:
        found += [v for key, v in teacher["evaluation"].items() if key == f"iou_mean/{name}"]
        teacher = teacher.get("teacher")
    if not found:
        raise NotMeasuredError(f"{checkpoint.name} records no teacher's IoU on {name}")
    return max(found)


def _speed(benches: dict[str, Workbench]) -> Sequence[float]:
    paths = {name: _model(bench) for name, bench in benches.items()}
    small = benches["small"]
    side_px = small.open_bundle().manifest.segmenter.preprocessing.input_px
    large = fcdensenet103(small, side_px)
    p50_ms = _bench(small, [large, *paths.values()])
    fast_ms = dict(zip(paths, p50_ms[1:], strict=True))
    return [
        p50_ms[0],
        *fast_ms.values(),
        *(p50_ms[0] / fast_ms[name] for name in PRESETS),
        paths["small"].stat().st_size / _MB,
    ]


def _lost(bench: Workbench, table: str) -> Sequence[float]:
    bench.int8_bundle()
    int8 = _iou(bench, table)
    return [_iou_of(bench, table, bench.float_bundle) - int8, int8]


def _against_plain(small: Workbench) -> Sequence[float]:
    snapshots, street = small.need(*(str(Path(table).parent) for table in _TABLES.values()))
    plain = small.work / "plain-int8.tflite"
    command = [sys.executable, "-c", _PLAIN_INT8, str(small.segmenter), str(plain)]
    run([*command, str(snapshots), str(street)], "plain tf.lite int8")
    opened = small.int8_bundle()
    bundle = small.work / "plain-int8.bundle"
    manifest = replace(opened.manifest, embedder=None)
    write_bundle(bundle, manifest, {SEGMENTER_SECTION: plain.read_bytes(), REPORT_SECTION: b"{}"})
    ours_ms, plain_ms = _bench(small, [_model(small), plain])
    return [
        *(_iou(small, table) - _iou_of(small, table, bundle) for table in _TABLES.values()),
        plain_ms / ours_ms,
    ]


def _pruned(benches: dict[str, Workbench]) -> Sequence[float]:
    nano, small = benches["nano"], benches["small"]
    small_ms, nano_ms = _bench(small, [_model(small), _model(nano)])
    lost = [_iou(small, table) - _iou(nano, table) for table in _TABLES.values()]
    return [nano_ms / small_ms, *lost]


def _quality(small: Workbench) -> Sequence[float]:
    found = segmentation(small, SNAPSHOTS, *small.bundle_options)
    grabcut = segmentation(small, SNAPSHOTS, "--method", "grabcut")
    street = segmentation(small, STREET, *small.bundle_options)
    return [
        found["iou_mean"],
        found["iou_p10"],
        found["pixel_accuracy"],
        found["boundary_f"] - grabcut["boundary_f"],
        street["iou_mean"],
        street["boundary_f"],
    ]


def _iou(bench: Workbench, table: str) -> float:
    return float(segmentation(bench, table, *bench.bundle_options)["iou_mean"])


def _iou_of(bench: Workbench, table: str, bundle: Path) -> float:
    return float(segmentation(bench, table, "--bundle", str(bundle))["iou_mean"])


def _model(bench: Workbench) -> Path:
    """The segmenter of a workbench's bundle, as a file of its own."""
    opened = bench.int8_bundle()
    path = bench.work / f"segmenter-{opened.digest[:12]}.tflite"
    path.write_bytes(opened.segmenter_model)
    return path


def _bench(bench: Workbench, models: Sequence[Path]) -> list[float]:
    """Median milliseconds of each model, one thread, in one run."""
    document = bench.edgeseg(
        "bench", *map(str, models), "--threads", "1", "--samples", str(_SAMPLES),
        "--cold-samples", "0",
    )  # fmt: skip
    # The bench adds a target of its own, which measures the harness.
    return [
        t["scenarios"]["single_stream"]["p50_ms"]
        for t in document["targets"]
        if t["kind"] == "model"
    ]
