"""A bench on a device, from end to end, through a real sshd."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeseg.cli import main
from tests.device_bench.remote.faults import THIS_PYTHON
from tests.device_bench.remote.schema import keys
from tests.device_bench.remote.sshd import Device

QUICK = ["--samples", "2", "--cold-samples", "1"]


def test_the_report_is_a_local_ones(
    device: Device, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Two files of one name: they have to stay apart, and to be called by their local paths.
    twin = tmp_path / model.name
    twin.write_bytes(model.read_bytes())
    files = ["--", str(model), str(twin)]
    documents = []
    for arguments in (QUICK, device.arguments(*THIS_PYTHON, *QUICK)):
        assert main(["bench", "run", *arguments, "--json", *files]) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        documents.append(json.loads(captured.out))
    local, remote = documents
    assert keys(remote) == keys(local)
    for told in ("name", "kind", "source"):
        assert [t[told] for t in remote["targets"]] == [t[told] for t in local["targets"]]
    assert local["environment"]["on"] is None
    assert remote["environment"]["on"] == device.address
    assert remote["environment"]["libraries"] == local["environment"]["libraries"]
    assert device.gone(), (device.files(), device.processes())


def test_a_bench_that_fails_there_tells_its_own_line(
    device: Device, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(model.read_bytes()[:200])
    arguments = [str(damaged), *QUICK]
    assert main(["bench", "run", *arguments]) == 1
    local = capsys.readouterr().err.removeprefix("edgeseg: ")
    assert main(["bench", "run", *device.arguments(*THIS_PYTHON), *arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    *progress, last = captured.err.splitlines(keepends=True)
    assert last == f"edgeseg: {device.address}: {local}"
    assert [line.split(": ", 1)[1].split()[0] for line in progress] == [
        "connecting", "Python", "copying", "copying", "it", "measuring",
    ]  # fmt: skip
    assert device.gone(), (device.files(), device.processes())
