"""However a run ends, at the desk, on the way or on the device, nothing is left there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from device_bench.errors import BenchError
from device_bench.remote import agent
from device_bench.remote.address import parse_address
from device_bench.remote.connection import Connection
from device_bench.remote.transport import transport_for
from tests.device_bench.remote.faults import THIS_PYTHON
from tests.device_bench.remote.sshd import Device, wait_until

pytestmark = pytest.mark.long

# A desk that has something run there: two processes, and one that left their group's leader.
_BUSY = """
import sys
from device_bench.remote.address import parse_address
from device_bench.remote.connection import Connection
from device_bench.remote.transport import transport_for
transport = transport_for(parse_address(sys.argv[1]), sys.argv[3:])
with Connection(transport, sys.argv[2], None) as connection:
    connection.run(["sh", "-c", "sh -c 'sleep 99 & echo > $TMPDIR/busy; wait' & sleep 98"],
                   {"TMPDIR": "{folder}/tmp"})
"""


@pytest.fixture
def busy(device: Device) -> subprocess.Popen[str]:
    """Such a desk, once its device is busy."""
    command = [sys.executable, "-c", _BUSY, device.address, sys.executable, *device.ssh_options()]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_until(lambda: any(name.endswith("/busy") for name in device.files()))
    assert sum("sleep 9" in line for line in device.processes()) >= 3
    return process


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_desk_is_ended(
    busy: subprocess.Popen[str], device: Device, number: signal.Signals
) -> None:
    busy.send_signal(number)
    busy.communicate(timeout=60)
    assert device.gone(), (device.files(), device.processes())


def test_the_connection_is_lost(busy: subprocess.Popen[str], device: Device) -> None:
    device.cut()
    _, told = busy.communicate(timeout=60)
    assert "the connection was lost" in told
    assert f"the device removes by itself what was there, within {agent.SILENCE_S:.0f} s" in told
    assert device.gone(), (device.files(), device.processes())


def test_the_device_kills_the_agent(busy: subprocess.Popen[str], device: Device) -> None:
    (line,) = _agents(device)
    os.kill(_pid(line), signal.SIGKILL)
    _, told = busy.communicate(timeout=60)
    assert "the connection was lost" in told
    assert device.gone(), (device.files(), device.processes())


def test_the_device_ends_the_agent(busy: subprocess.Popen[str], device: Device) -> None:
    (line,) = _agents(device)
    os.kill(_pid(line), signal.SIGTERM)
    _, told = busy.communicate(timeout=60)
    assert "the connection was lost" in told
    assert device.gone(), (device.files(), device.processes())


def test_a_desk_that_falls_silent_is_taken_for_gone(
    device: Device, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    impatient = tmp_path / "agent.py"
    text = Path(agent.__file__).read_text(encoding="utf-8")
    impatient.write_text(text.replace("SILENCE_S = 120.0", "SILENCE_S = 0.3"), encoding="utf-8")
    monkeypatch.setattr(agent, "__file__", str(impatient))
    transport = transport_for(parse_address(device.address), device.ssh_options())
    with Connection(transport, sys.executable, None) as connection:
        with pytest.raises(BenchError, match="the connection was lost"):
            connection.run(["sleep", "97"], {"TMPDIR": "{folder}/tmp"})
        assert device.gone(), (device.files(), device.processes())


def test_ctrl_c_at_the_command(device: Device, model: Path) -> None:
    program = "import sys; from edgeseg.cli import main; sys.exit(main())"
    arguments = device.arguments(*THIS_PYTHON, "--samples", "1000000", "--", str(model))
    command = [sys.executable, "-c", program, "bench", "run", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.endswith(": measuring\n"):
            break
    wait_until(lambda: any("device_bench.worker" in line for line in device.processes()))
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told == "edgeseg: interrupted\n"
    # It waits for the device, which had nothing left to do by then.
    assert device.files() == []


def _agents(device: Device) -> list[str]:
    return [
        line
        for line in device.processes()
        if " -I -B -X utf8 -c " in line and not line.startswith("sh ")
    ]


def _pid(line: str) -> int:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                found = (entry / "cmdline").read_text(errors="replace").replace("\0", " ")
            except OSError:
                continue
            if found == line:
                return int(entry.name)
    raise AssertionError(line)
