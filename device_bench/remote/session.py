"""A bench on a device, from the desk: copy, run, bring the report back, leave nothing."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device_bench.errors import BenchError
from device_bench.remote.connection import Connection, DeviceFullError, Done
from device_bench.remote.requirements import CONTAINED, Device, provide
from device_bench.remote.transport import Transport, last_line
from device_bench.remote.wheel import write_wheel
from edgeseg.runtime import INTERPRETER_VARIABLE, XNNPACK_VARIABLE

_SITE = "{folder}/site"
# ``-c`` puts the working directory first on the path; edgeseg's folder takes its place.
_PROGRAM = "import sys; sys.path[0] = sys.argv.pop(1); from edgeseg.cli import main; "
_PROGRAM += "sys.exit(main(sys.argv[1:]))"
_ERROR = "edgeseg: "


@dataclass(frozen=True)
class Place:
    """What a user may say of the device's side.

    Attributes:
        python: A path or name of a Python there; None takes the first that fits.
        folder: An existing folder to work in; None takes ``$TMPDIR``, ``/tmp`` and so on.
        wheels: A local folder of wheels for what the device lacks; None leaves it to its own pip.
    """

    python: str | None = None
    folder: str | None = None
    wheels: Path | None = None


def bench_on(
    transport: Transport,
    arguments: Sequence[str | Path],
    place: Place = Place(),
    tell: Callable[[str], None] = lambda _line: None,
) -> dict[str, Any]:
    """Run ``edgeseg bench run`` on a device with the edgeseg that runs here.

    Args:
        transport: How the device is reached.
        arguments: Of ``bench run`` but ``--json``. A ``Path`` is a local file or folder, which is
            copied and whose place there is the argument; a ``str`` is handed on as it is.
        place: What to use there.
        tell: Takes a line for each step.

    Returns:
        The report, with local paths in it as a local run has, and the device's address as
        ``environment["on"]``.

    Raises:
        BenchError: The device can't be reached or lacks something; a file is missing here; or the
            bench failed there, with its own message after the device's address.
    """
    for path in [word for word in arguments if isinstance(word, Path)]:
        if not path.exists():
            raise BenchError(f"No such file or directory: {path}")
    tell(f"{transport.name}: connecting")
    with Connection(transport, place.python, place.folder) as connection:
        told = connection.ask("probe")
        device = Device(told["python"], told["executable"], told["machine"], told["libc"])
        folder: str = told["folder"]
        tell(f"{connection.name}: Python {device.python} on {device.machine}, in {folder}")
        try:
            places = _stage(connection, arguments, folder, tell)
            python = provide(connection, device, place.wheels, tell)
        except DeviceFullError as error:
            raise BenchError(
                f"{connection.name}: {error} in {folder}, which had "
                f"{told['free_bytes'] / 1e6:.1f} MB: free some, or name another folder with "
                "--remote-tmp DIR"
            ) from error
        report = _measure(connection, python, arguments, places, tell)
        left = connection.close()
    if left is not None:
        tell(f"{transport.name}: whether {folder} is gone is doubtful: {left}")
    report["environment"]["on"] = transport.name
    return report


def _stage(
    connection: Connection,
    arguments: Sequence[str | Path],
    folder: str,
    tell: Callable[[str], None],
) -> dict[Path, str]:
    """Copy edgeseg and every file; where each file is there."""
    with tempfile.TemporaryFile() as archive:
        write_wheel(archive)
        size = archive.tell()
        archive.seek(0)
        tell(f"{connection.name}: copying edgeseg, {size / 1e6:.1f} MB")
        connection.put(archive, size, "edgeseg.zip")
    connection.ask("unpack", name="edgeseg.zip", to="site")
    places: dict[Path, str] = {}
    for word in arguments:
        if isinstance(word, Path) and word not in places:
            # Each in a folder of its own: files of one name stay apart, and keep it.
            named = word.resolve() if word.name in ("", "..") else word
            name = f"files/{len(places) + 1}/{named.name}"
            places[word] = f"{folder}/{name}"
            for file, below in _files(word):
                tell(f"{connection.name}: copying {file}, {file.stat().st_size / 1e6:.1f} MB")
                connection.put_path(file, name + below)
    return places


def _files(path: Path) -> list[tuple[Path, str]]:
    """A file, or all files in a folder, each with its path below ``path``."""
    if not path.is_dir():
        return [(path, "")]
    found = sorted(file for file in path.rglob("*") if file.is_file())
    return [(file, f"/{file.relative_to(path).as_posix()}") for file in found]


def _measure(
    connection: Connection,
    python: str,
    arguments: Sequence[str | Path],
    places: Mapping[Path, str],
    tell: Callable[[str], None],
) -> dict[str, Any]:
    # As an installation does: else each fresh process would compile edgeseg, and be timed at it.
    connection.run([python, "-m", "compileall", "-q", _SITE], CONTAINED)
    words = [places[word] if isinstance(word, Path) else word for word in arguments]
    switches = {
        name: os.environ[name]
        for name in (INTERPRETER_VARIABLE, XNNPACK_VARIABLE)
        if name in os.environ
    }
    tell(f"{connection.name}: measuring")
    argv = [python, "-c", _PROGRAM, _SITE, "bench", "run", *words, "--json"]
    done = connection.run(argv, CONTAINED | switches)
    local = {there: str(path) for path, there in places.items()}
    if done.code != 0:
        raise BenchError(f"{connection.name}: {_localized(_failure(done), local)}")
    try:
        report: dict[str, Any] = _localized(json.loads(done.output), local)
    except ValueError as error:
        raise BenchError(f"{connection.name}: what it sent is no report") from error
    tell(f"{connection.name}: done, a report of {len(done.output) / 1e3:.0f} kB")
    return report


def _failure(done: Done) -> str:
    """The one line that the bench told, or the nearest to one."""
    lines = [line for line in done.complaint.splitlines() if line.startswith(_ERROR)]
    if lines:
        return lines[-1].removeprefix(_ERROR)
    if done.code < 0:
        return f"the bench was killed there (signal {-done.code}), often for want of memory"
    return last_line(done.complaint) or f"the bench ended with status {done.code}"


def _localized(value: Any, local: Mapping[str, str]) -> Any:
    """The device's paths of copied files as the paths that they were copied from."""
    if isinstance(value, str):
        for there, here in local.items():
            value = value.replace(there, here)
        return value
    if isinstance(value, list):
        return [_localized(item, local) for item in value]
    if isinstance(value, dict):
        return {key: _localized(item, local) for key, item in value.items()}
    return value
