"""The service, the cron line and the server's configuration do what they are there for."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgeseg.formats.bundle import Bundle
from edgeseg.presets import preset_path
from edgeseg.sync.store import Store
from tests.edgeseg.sync.shop import Shop, skus


@pytest.fixture
def shop(tmp_path: Path, small_bundle: Path) -> Shop:
    made = Shop.make(tmp_path, small_bundle)
    made.publish(skus(30))
    return made


@pytest.fixture(scope="session")
def small_bundle() -> Path:
    assert Bundle.open(preset_path("nano")).embedder_digest is not None
    return preset_path("nano")


@pytest.fixture
def program(tmp_path: Path, repository: Path) -> Path:
    """``edgeseg`` of this working tree, as an executable file."""
    path = tmp_path / "bin" / "edgeseg"
    path.parent.mkdir()
    code = "import sys; from edgeseg.cli import main; sys.exit(main())"
    path.write_text(
        f"#!/bin/sh\ncd {shlex.quote(str(repository))}\n"
        f'exec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"\n'
    )
    path.chmod(0o755)
    return path


def test_the_service_brings_the_newest_generation(
    shop: Shop, program: Path, repository: Path, tmp_path: Path
) -> None:
    unit = (repository / "examples/sync/edgeseg-sync.service").read_text()
    places = {
        "/opt/edgeseg/bin/edgeseg": str(program),
        "/etc/edgeseg/root.json": str(shop.folder / "keys" / "root.json"),
        "/var/lib/edgeseg": str(tmp_path / "store"),
        "${EDGESEG_URL}": shop.url,
    }
    for named, here in places.items():
        assert named in unit
        unit = unit.replace(named, here)
    settings = dict(line.split("=", 1) for line in unit.splitlines() if re.match(r"\w+=", line))
    name, value = settings["Environment"].split("=")
    subprocess.run(
        shlex.split(settings["ExecStart"]), env=os.environ | {name: value}, check=True, timeout=100
    )
    assert Store(tmp_path / "store").open_active().installed.generation == 1


def test_systemd_accepts_the_units(program: Path, repository: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine")
    for name in ("edgeseg-sync.service", "edgeseg-sync.timer"):
        text = (repository / "examples/sync" / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/edgeseg/bin/edgeseg", str(program)))
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
         str(tmp_path / "edgeseg-sync.service"), str(tmp_path / "edgeseg-sync.timer")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "edgeseg-sync" not in ran.stderr


def test_the_cron_line_brings_the_newest_generation(
    shop: Shop, program: Path, repository: Path, tmp_path: Path
) -> None:
    lines = (repository / "examples/sync/crontab").read_text().splitlines()
    line = next(line for line in lines if line.startswith("*/15 * * * * "))
    # cron takes a bare % for a line's end, and `\%` for a %.
    command = line.removeprefix("*/15 * * * * ").replace("\\%", "%")
    assert "%" not in line.replace("\\%", "")
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(shop.folder / "keys" / "root.json", home / "root.json")
    environment = os.environ | {
        "HOME": str(home),
        "EDGESEG_URL": shop.url,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
    }
    environment.pop("XDG_DATA_HOME", None)
    ran = subprocess.run(
        ["sh", "-c", re.sub(r"sleep [^;]+;", "sleep 0;", command)], env=environment, check=False
    )
    assert ran.returncode == 0, (home / "edgeseg-sync.log").read_text()
    assert Store(home / ".local/share/edgeseg").open_active().installed.generation == 1
    pause = subprocess.run(
        ["sh", "-c", f"echo {command.split(';')[0].removeprefix('sleep ')}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert 0 <= int(pause.stdout) < 180


def test_nginx_accepts_the_configuration(repository: Path, tmp_path: Path) -> None:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is not on this machine")
    site = repository / "examples/sync/nginx.conf"
    whole = tmp_path / "nginx.conf"
    whole.write_text(
        f"pid {tmp_path}/pid; error_log {tmp_path}/log;\n"
        f"events {{}}\nhttp {{ access_log off; include {site}; }}\n"
    )
    ran = subprocess.run(
        [program, "-t", "-p", str(tmp_path), "-c", str(whole)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
