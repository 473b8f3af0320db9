"""Checks of the per-operator profile: its parts against the whole, and against a known cost."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

from device_bench.profile.report import profile
from device_bench.runner import quietly
from edgeseg.presets import preset_path
from tests.device_bench import profile_models
from tests.verify.figure import Check, Figure
from tests.verify.workbench import Workbench

NAMES = ("profile",)
PRESETS = ("nano", "small", "base")
# A disturbance of some seconds spoils one profile; the middle one of three is what stands.
_PROFILES = 3
_ROUNDS = 50
# What cutting changes: the caches between two operators, and the delegate's work for each part.
# Three presets were within 0.06 on a machine with other work; a part that is left out, or timed on
# other kernels, is off by more than this.
_WORST_ACCOUNT = 0.15


def checks(bench: Workbench) -> list[Check]:
    """All of them; a workbench is not needed, for the presets are part of the package."""
    del bench
    rows = [
        Check(
            "profile",
            (
                Figure(f"profile: {name}'s operators' sum over the whole invocation", "told"),
                Figure(f"profile: {name}'s, off 1 by", "<=", _WORST_ACCOUNT),
            ),
            partial(_accounted, name),
        )
        for name in PRESETS
    ]
    known = Check(
        "profile",
        (
            Figure("profile: 4 times the work of a convolution, times as long", ">=", 3.0),
            Figure("profile: the same, at most", "<=", 5.0),
        ),
        _known_work,
    )
    return [*rows, known]


def _accounted(name: str) -> Sequence[float]:
    ratios = [
        float(profile(preset_path(name), "segmenter", 1, _ROUNDS, quietly)["accounted_for"])
        for _ in range(_PROFILES)
    ]
    middle = median(ratios)
    return middle, abs(middle - 1)


def _known_work() -> Sequence[float]:
    """Two convolutions of one input in one model; their filters fill what a kernel does at once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "known.tflite"
        path.write_bytes(profile_models.quarter_and_whole(56, filters=64))
        ratios = []
        for _ in range(_PROFILES):
            few, many = profile(path, None, 1, _ROUNDS, quietly)["operators"]
            ratios.append(float(many["ms"] / few["ms"]))
    return median(ratios), median(ratios)
