"""The same bench through adb. A pretended one: no phone was tried."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeseg.cli import main
from tests.device_bench.remote.adb import Phone

QUICK = ["--samples", "2", "--cold-samples", "0", "--json"]


def test_a_bench_through_adb(phone: Phone, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--on", phone.address, "--remote-python", phone.python, *QUICK, "--", str(model)]
    assert main(["bench", "run", *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["environment"]["on"] == phone.address
    assert report["targets"][0]["name"] == f"{model.name}: model"
    assert phone.gone()


def test_a_phone_that_adb_does_not_know(phone: Phone, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--on", "adb://other", *QUICK]) == 1
    told = capsys.readouterr().err
    assert told == "edgeseg: adb://other: adb knows no such device: compare `adb devices`\n"


def test_no_adb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["bench", "--on", "adb://other", *QUICK]) == 1
    told = capsys.readouterr().err
    assert told == "edgeseg: adb://other cannot be reached: adb: No such file or directory\n"
