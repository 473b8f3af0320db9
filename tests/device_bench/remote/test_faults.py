"""Every way in which a device cannot be used costs one line, against a real sshd."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeseg.cli import main
from tests.device_bench.remote import sshd
from tests.device_bench.remote.faults import FAULTS, THIS_PYTHON, Fault

pytestmark = pytest.mark.long


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[list[str]], str]:
    """Runs a bench that fails; the line that it tells."""

    def run(arguments: list[str]) -> str:
        code = main(["bench", "run", "--json", *arguments])
        captured = capsys.readouterr()
        assert code == 1, captured.err
        assert captured.out == ""
        assert captured.err.count("\n") == 1, captured.err
        return captured.err.removeprefix("edgeseg: ").rstrip("\n")

    return run


@pytest.mark.skipif(sshd.ABSENT is not None, reason=str(sshd.ABSENT))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_told_in_one_line(
    fault: Fault, told: Callable[[list[str]], str], model: Path, tmp_path: Path
) -> None:
    with sshd.device(tmp_path, **fault.kind) as device:
        assert re.search(fault.words, told(fault.arguments(device, model)))
        assert device.gone(), (device.files(), device.processes())


@pytest.mark.skipif(sshd.ABSENT is not None, reason=str(sshd.ABSENT))
def test_a_read_only_disk(told: Callable[[list[str]], str], tmp_path: Path) -> None:
    with sshd.device(tmp_path) as device:
        disk = device.small_disk("ro")
        if disk is None:
            pytest.skip("a small file system takes root to mount")
        line = told(device.arguments(*THIS_PYTHON, "--remote-tmp", str(disk)))
        assert "Read-only file system): name one with --remote-tmp DIR" in line


@pytest.mark.parametrize("words", [["--remote-python", "-c"], ["--remote-tmp", "here"]])
def test_what_a_shell_would_misread_is_refused(
    words: list[str], told: Callable[[list[str]], str]
) -> None:
    assert f"{words[0]} " in told(["--on", "ssh://no-such-host.invalid", *words])


def test_a_file_that_is_missing_here_costs_no_connection(told: Callable[[list[str]], str]) -> None:
    line = told(["no-such.bundle", "--on", "ssh://no-such-host.invalid"])
    assert line == "No such file or directory: no-such.bundle"
