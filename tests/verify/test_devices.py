"""The devices' rows are made of what the make targets leave, and only of that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.verify import devices
from tests.verify.figure import NotMeasuredError
from tests.verify.workbench import Workbench


def _run(runtime: str, **changes: Any) -> dict[str, Any]:
    run = {"photos": 4, "same_top_10": 4, "same_first": 4, "min_cosine": 1.0, "min_iou": 1.0}
    return {"versions": {"runtime": runtime}, **run, **changes}


DOCUMENTS = {
    "aarch64": {
        "runs": [_run("ai-edge-litert 2", same_top_10=3), _run("tflite-runtime 2", min_iou=0.99)],
        "catalogue": {"min_cosine": 0.9999},
    },
    "runtimes": {"runs": [_run("ai-edge-litert 2"), _run("tflite-runtime 2", same_top_10=1)]},
    "constrained": {
        "runs": [
            {"limit_bytes": 512e6, "peak_bytes": 200e6, "held": True},
            {"limit_bytes": 40e6, "peak_bytes": None, "held": False},
        ]
    },
}


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(command: list[str], name: str) -> str:
        what = command[-1]
        if what not in DOCUMENTS:
            return ""
        (tmp_path / f"{what}.json").write_text(json.dumps(DOCUMENTS[what]))
        # As a target does whose figures are short.
        raise NotMeasuredError(f"{name} ended with exit code 2")

    monkeypatch.setattr(devices, "_RESULTS", tmp_path)
    monkeypatch.setattr(devices, "run", make)
    devices._document.cache_clear()
    bench = Workbench(tmp_path, tmp_path, None, tmp_path)
    yield {row.what: row for check in devices.checks(bench) for row in check.rows()}
    devices._document.cache_clear()


def test_every_name_is_a_check(tmp_path: Path) -> None:
    checks = devices.checks(Workbench(tmp_path, tmp_path, None, tmp_path))
    assert tuple(check.name for check in checks) == devices.NAMES


def test_short_figures_are_rows_of_their_own(rows: dict[str, Any]) -> None:
    short = {what for what, row in rows.items() if row.status == "short"}
    assert short == {
        "aarch64: golden photos with the same top 10, share",
        "aarch64, tflite-runtime: lowest mask IoU",
        "with less: done, or refused with nothing half-written",
    }
    assert rows["aarch64: golden photos with the same top 10, share"].value == 0.75
    assert rows["512 MB, one core, 100,000 items: match works (1 = yes)"].value == 1
    assert rows["tflite-runtime and ai-edge-litert: same top 10, share"].status == "told"


def test_what_cannot_be_run_is_not_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(command: list[str], name: str) -> str:
        raise NotMeasuredError("missing here: apt-get install debootstrap")

    monkeypatch.setattr(devices, "_RESULTS", tmp_path)
    monkeypatch.setattr(devices, "run", missing)
    devices._document.cache_clear()
    (tmp_path / "aarch64.json").write_text("what an earlier run left")
    check = devices.checks(Workbench(tmp_path, tmp_path, None, tmp_path))[0]
    assert {row.status for row in check.rows()} == {
        "not run: missing here: apt-get install debootstrap"
    }
