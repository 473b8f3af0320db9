"""Checks of a bench on a device from the desk, against a real sshd on loopback."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from edgeseg.presets import preset_path
from tests.device_bench.remote import sshd
from tests.device_bench.remote.faults import FAULTS, THIS_PYTHON
from tests.device_bench.remote.schema import keys
from tests.verify.figure import Check, Figure, NotMeasuredError
from tests.verify.workbench import EDGESEG, REPOSITORY, Workbench

NAMES = ("on", "faults")
_QUICK = ("--samples", "5", "--cold-samples", "1")
_ENDLESS = ("--samples", "1000000", "--cold-samples", "0", "--target", "model")
_PATIENCE_S = 120.0


def checks(bench: Workbench) -> list[Check]:
    """All of them, bound to a workbench."""
    return [
        Check(
            "on",
            (
                Figure("--on ssh://: report has a local one's schema (1 = yes)", ">=", 1, "{:.0f}"),
                Figure("--on ssh://: files and processes left behind", "<=", 0, "{:.0f}"),
            ),
            partial(_on, bench),
        ),
        Check(
            "faults",
            (
                Figure(
                    "--on ssh://: faults told in one line",
                    ">=",
                    len(FAULTS),
                    f"{{:.0f}} of {len(FAULTS)}",
                ),
            ),
            partial(_faults, bench),
        ),
    ]


def _on(bench: Workbench) -> Sequence[float]:
    """A run to its end, and runs that are cut off in four ways: what they leave is counted."""
    bundle = str(bench.bundle or preset_path())
    local = bench.edgeseg("bench", "run", *_QUICK, bundle)
    left = 0
    with _device() as device:
        done = _start([*device.arguments(*THIS_PYTHON), *_QUICK, "--json", bundle])
        told, complaint = done.communicate()
        if done.returncode:
            raise NotMeasuredError(f"edgeseg bench --on: {complaint.splitlines()[-1]}")
        same = keys(json.loads(told)) == keys(local)
        left += _left(device)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, None):
            desk = _start([*device.arguments(*THIS_PYTHON), *_ENDLESS, bundle])
            sshd.wait_until(lambda: any("device_bench.worker" in p for p in device.processes()))
            if number is None:
                device.cut()
            else:
                desk.send_signal(number)
            desk.communicate(timeout=_PATIENCE_S)
            left += _left(device)
    return [float(same), left]


def _faults(bench: Workbench) -> Sequence[float]:
    told = 0
    model = bench.work / "segmenter-for-faults.tflite"
    model.write_bytes(bench.open_bundle().segmenter_model)
    for fault in FAULTS:
        with _device(**fault.kind) as device:
            desk = _start(["--json", *fault.arguments(device, model)])
            output, complaint = desk.communicate(timeout=_PATIENCE_S)
            one_line = complaint.startswith("edgeseg: ") and complaint.count("\n") == 1
            if desk.returncode == 1 and not output and one_line:
                told += re.search(fault.words, complaint) is not None
    return [told]


@contextmanager
def _device(**kind: object) -> Iterator[sshd.Device]:
    if sshd.ABSENT is not None:
        raise NotMeasuredError(sshd.ABSENT)
    with (
        tempfile.TemporaryDirectory(prefix="device-") as folder,
        sshd.device(Path(folder), **kind) as started,  # type: ignore[arg-type]
    ):
        yield started


def _start(arguments: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*EDGESEG, "bench", "run", *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _left(device: sshd.Device) -> int:
    return 0 if device.gone() else len(device.files()) + len(device.processes())
