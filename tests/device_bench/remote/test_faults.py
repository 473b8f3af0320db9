"""Every way in which a device cannot be used costs one line, against a real sshd."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeseg.cli import main
from tests.device_bench.remote import sshd

THIS_PYTHON = ["--remote-python", sys.executable]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[list[str]], str]:
    """Runs a bench that fails; the line that it tells."""

    def run(arguments: list[str]) -> str:
        code = main(["bench", "run", *arguments, "--json"])
        captured = capsys.readouterr()
        assert code == 1, captured.err
        assert captured.out == ""
        assert captured.err.count("\n") == 1, captured.err
        return captured.err.removeprefix("edgeseg: ").rstrip("\n")

    return run


def test_no_such_host(told: Callable[[list[str]], str]) -> None:
    if sshd.ABSENT:
        pytest.skip(sshd.ABSENT)
    line = told(["--on", "ssh://no-such-host.invalid"])
    assert line.startswith("ssh://no-such-host.invalid: there is no such host")


def test_nobody_listens(told: Callable[[list[str]], str]) -> None:
    if sshd.ABSENT:
        pytest.skip(sshd.ABSENT)
    assert "refuses the connection" in told(["--on", f"ssh://127.0.0.1:{sshd.free_port()}"])


def test_a_host_key_that_is_not_known(
    device: sshd.Device, told: Callable[[list[str]], str]
) -> None:
    arguments = device.arguments()
    known = arguments.index(f"UserKnownHostsFile={device.folder}/known_hosts")
    line = told([*arguments[:known], "UserKnownHostsFile=/dev/null", *arguments[known + 1 :]])
    assert "its host key is not known here: log in once by hand" in line


def test_a_host_key_that_has_changed(
    make_device: Callable[..., sshd.Device], told: Callable[[list[str]], str]
) -> None:
    device = make_device()
    device.trust("other_key")
    line = told(device.arguments())
    assert "its host key is not the one known here" in line
    assert f"ssh-keygen -R '[127.0.0.1]:{device.port}'" in line


def test_no_key_that_is_accepted(device: sshd.Device, told: Callable[[list[str]], str]) -> None:
    wrong = ["--ssh-option", f"IdentityFile={device.folder}/other_key"]
    arguments = device.arguments()
    right = arguments.index(f"IdentityFile={device.folder}/user_key")
    line = told([*arguments[: right - 1], *wrong, *arguments[right + 1 :]])
    assert "it accepts none of your keys" in line
    assert "ssh-copy-id" in line


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH with the tools of a bare system, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "mktemp", "rm", "cat", "env"):
        (folder / name).symlink_to(shutil.which(name) or name)
    return folder


def test_no_python(
    make_device: Callable[..., sshd.Device], bare_path: Path, told: Callable[[list[str]], str]
) -> None:
    device = make_device(variables={"PATH": str(bare_path)})
    line = told(device.arguments())
    assert "it has no Python 3.10 to 3.13 on its PATH: install one, or name one" in line
    line = told(device.arguments("--remote-python", "/opt/no/python"))
    assert "/opt/no/python is no Python 3.10 to 3.13 there" in line
    assert device.gone()


def test_a_python_that_is_too_old(
    make_device: Callable[..., sshd.Device], bare_path: Path, told: Callable[[list[str]], str]
) -> None:
    old = bare_path / "python3"
    old.write_text("#!/bin/sh\necho Python 3.7.3\n")
    old.chmod(0o755)
    device = make_device(variables={"PATH": str(bare_path)})
    assert "(python3 is Python 3.7.3): install one" in told(device.arguments())
    assert device.gone()


@pytest.mark.parametrize("words", [["--remote-python", "-c"], ["--remote-tmp", "here"]])
def test_what_a_shell_would_misread_is_refused(
    words: list[str], device: sshd.Device, told: Callable[[list[str]], str]
) -> None:
    assert f"{words[0]} " in told(device.arguments(*words))


def test_no_folder_can_be_made(device: sshd.Device, told: Callable[[list[str]], str]) -> None:
    line = told(device.arguments(*THIS_PYTHON, "--remote-tmp", "/proc"))
    assert "no folder can be made there (mktemp: " in line
    assert "name one with --remote-tmp DIR" in line


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte, where this process may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system takes root to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_no_space(device: sshd.Device, small_disk: Path, told: Callable[[list[str]], str]) -> None:
    line = told(device.arguments(*THIS_PYTHON, "--remote-tmp", str(small_disk)))
    assert f"No space left on device in {small_disk}/edgeseg-bench." in line
    assert "which had 1.0 MB: free some, or name another folder" in line
    assert list(small_disk.iterdir()) == []


def test_a_read_only_disk(
    device: sshd.Device, small_disk: Path, told: Callable[[list[str]], str]
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    line = told(device.arguments(*THIS_PYTHON, "--remote-tmp", str(small_disk)))
    assert "Read-only file system): name one with --remote-tmp DIR" in line


def test_files_may_not_be_large(
    make_device: Callable[..., sshd.Device], told: Callable[[list[str]], str]
) -> None:
    device = make_device(prelude="ulimit -f 100")
    line = told(device.arguments(*THIS_PYTHON))
    assert f"File too large in {device.tmp}/edgeseg-bench." in line
    assert device.gone()


def test_a_file_that_is_missing_here_costs_no_connection(told: Callable[[list[str]], str]) -> None:
    line = told(["no-such.bundle", "--on", "ssh://no-such-host.invalid"])
    assert line == "No such file or directory: no-such.bundle"
