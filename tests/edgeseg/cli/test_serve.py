"""``edgeseg serve`` as a process: it tells its address, answers, and ends when told to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="needs the extra serve")

from tests.edgeseg.cli.conftest import RunCli

_EDGESEG = (sys.executable, "-c", "import sys; from edgeseg.cli import main; sys.exit(main())")


def test_it_serves_until_ctrl_c(
    catalogue: Path, bundle_path: Path, tmp_path: Path, repository: Path
) -> None:
    kept = tmp_path / "kept.jsonl"
    process = subprocess.Popen(
        [
            *_EDGESEG, "serve", "--catalogue", str(catalogue), "--bundle", str(bundle_path),
            "--port", "0", "--confirmations", str(kept), "--json",
        ],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        told = json.loads("".join(process.stdout.readline() for _ in range(4)))
        assert told["confirmations"] == str(kept)
        with urllib.request.urlopen(f"{told['url']}api/state") as answer:
            assert json.load(answer)["items"] == 3
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")


def test_a_port_in_use_is_one_line(cli: RunCli, catalogue: Path, bundle_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = cli("serve", "--catalogue", catalogue, "--bundle", bundle_path, "--port", str(port))
    assert ran.code == 1
    assert ran.lines == [
        f"edgeseg: port {port} is in use: stop what uses it, or name another with --port"
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("-k", "3"), "name what to search: --catalogue or --store"),
        (("--catalogue", "a", "--store", "b"), "name what to search: --catalogue or --store"),
        (("--store", "b", "--bundle", "small"), "--store has a bundle of its own"),
        (("--catalogue", "a", "--certificate", "c"), "--certificate and --key go together"),
    ],
)
def test_wrong_usage(cli: RunCli, arguments: tuple[str, ...], told: str) -> None:
    ran = cli("serve", *arguments)
    assert ran.code == 2
    assert told in ran.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--host", "203.0.113.7"), "there is no address 203.0.113.7 on this machine"),
        (("--token-file", "SHORT"), "holds no token"),
        (("--certificate", "SHORT", "--key", "SHORT"), "cannot serve HTTPS with"),
        (("--pictures", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_what_cannot_be_served(
    cli: RunCli,
    catalogue: Path,
    bundle_path: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    told: str,
) -> None:
    short = tmp_path / "short.txt"
    short.write_text("short")
    named = [str(short) if each == "SHORT" else each for each in arguments]
    ran = cli("serve", "--catalogue", catalogue, "--bundle", bundle_path, "--port", "0", *named)
    assert ran.code == 1
    assert len(ran.lines) == 1
    assert told in ran.err
