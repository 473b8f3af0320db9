"""Checks of the devices: other processors, the older runtime, little memory.

Each is a make target's own document, made anew: `make test-aarch64` and its neighbours.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from tests.verify.figure import Check, Figure, NotMeasuredError
from tests.verify.workbench import REPOSITORY, Workbench, run

NAMES = ("aarch64", "runtimes", "constrained")
_RESULTS = REPOSITORY / "build" / "devices"
_PYTHON = REPOSITORY / ".venv-handheld" / "bin" / "python"


def checks(bench: Workbench) -> list[Check]:
    """All of them; they measure the wheel, with the bundle inside it."""
    del bench
    return [
        Check(
            "aarch64",
            (
                Figure("aarch64: golden photos with the same top 10, share", ">=", 1),
                Figure("aarch64: lowest embedding cosine", ">=", 0.999, "{:.6f}"),
                Figure("aarch64: lowest mask IoU", ">=", 0.995, "{:.5f}"),
                Figure("aarch64: a catalogue built there, lowest cosine", ">=", 0.999, "{:.6f}"),
                Figure("aarch64, tflite-runtime: same first match, share", ">=", 1),
                Figure("aarch64, tflite-runtime: lowest embedding cosine", ">=", 0.999, "{:.6f}"),
                Figure("aarch64, tflite-runtime: lowest mask IoU", ">=", 0.995, "{:.5f}"),
            ),
            _aarch64,
        ),
        Check(
            "runtimes",
            (
                Figure("environments (Python x runtime x NumPy) that match", "told", form="{:.0f}"),
                Figure("ai-edge-litert everywhere: same top 10, share", ">=", 1),
                Figure("tflite-runtime and ai-edge-litert: same first match, share", ">=", 1),
                Figure("tflite-runtime and ai-edge-litert: same top 10, share", "told"),
                Figure("tflite-runtime and ai-edge-litert: cosine", ">=", 0.999, "{:.6f}"),
                Figure("tflite-runtime and ai-edge-litert: mask IoU", ">=", 0.995, "{:.5f}"),
            ),
            _runtimes,
        ),
        Check(
            "constrained",
            (
                Figure("512 MB, one core, 100,000 items: match works (1 = yes)", ">=", 1, "{:.0f}"),
                Figure("the same: resident at its peak, MB", "<", 512, "{:.0f}"),
                Figure("with less: done, or refused with nothing half-written", ">=", 1, "{:.0f}"),
            ),
            _constrained,
        ),
    ]


def _aarch64() -> Sequence[float]:
    document = _document("aarch64")
    litert, tflite = _by_runtime(document["runs"])
    return [
        _share(litert, "same_top_10"), _least(litert, "min_cosine"), _least(litert, "min_iou"),
        document["catalogue"]["min_cosine"],
        _share(tflite, "same_first"), _least(tflite, "min_cosine"), _least(tflite, "min_iou"),
    ]  # fmt: skip


def _runtimes() -> Sequence[float]:
    runs = _document("runtimes")["runs"]
    litert, tflite = _by_runtime(runs)
    return [
        len(runs), _share(litert, "same_top_10"),
        _share(tflite, "same_first"), _share(tflite, "same_top_10"),
        _least(tflite, "min_cosine"), _least(tflite, "min_iou"),
    ]  # fmt: skip


def _constrained() -> Sequence[float]:
    document = _document("constrained")
    most = max(each["limit_bytes"] for each in document["runs"])
    enough = [each for each in document["runs"] if each["limit_bytes"] == most]
    less = [each for each in document["runs"] if each["limit_bytes"] < most]
    peaks = [each["peak_bytes"] or float("nan") for each in enough]
    return [
        float(all(each["held"] for each in enough)),
        max(peaks) / 1e6,
        float(bool(less) and all(each["held"] for each in less)),
    ]


@cache
def _document(what: str) -> dict[str, Any]:
    """What a make target leaves; one that ends badly leaves none, or says what it found.

    Raises:
        NotMeasuredError: it cannot be run here.
    """
    path = _RESULTS / f"{what}.json"
    path.unlink(missing_ok=True)
    run(["make", "--silent", ".venv-handheld/.wheel-installed"], "make .wheel-installed")
    try:
        # Not through make, whose own last line would be taken for the reason.
        run([str(_PYTHON), "-m", "tests.devices", what], f"make test-{what}")
    except NotMeasuredError:
        # A figure that is short ends it with 1 as well; its document then says which.
        if not path.is_file():
            raise
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _by_runtime(runs: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    litert = [each for each in runs if each["versions"]["runtime"].startswith("ai-edge-litert")]
    tflite = [each for each in runs if each not in litert]
    if not (litert and tflite):
        raise NotMeasuredError("not both runtimes can be installed here")
    return litert, tflite


def _share(runs: list[dict[str, Any]], name: str) -> float:
    counted: int = sum(each[name] for each in runs)
    return counted / sum(each["photos"] for each in runs)


def _least(runs: list[dict[str, Any]], name: str) -> float:
    return min(float(each[name]) for each in runs)
