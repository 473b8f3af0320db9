"""What edgeseg needs on a device: which of it is there, and how the rest gets there."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

from device_bench.errors import BenchError
from device_bench.remote.connection import Connection, Done
from device_bench.remote.transport import last_line, quoted
from device_bench.remote.wheel import metadata

# A module and the distributions that bring it, the usual one first.
_MODULES = {
    "numpy": ("numpy",),
    "cv2": ("opencv-python-headless",),
    "hnswlib": ("hnswlib",),
    "typer": ("typer",),
    "rich": ("rich",),
    # One of the two will do, and imports nothing of the other.
    "ai_edge_litert.interpreter|tflite_runtime.interpreter": ("ai-edge-litert", "tflite-runtime"),
}
# ai-edge-litert has wheels for these; elsewhere it takes the extra that brings its predecessor.
_LITERT_MACHINES = ("x86_64", "aarch64", "arm64")
# Says of each module whether it can be imported, before the next one may kill the process.
_PROBE = """
import importlib, json, sys
def tell(**what):
    print(json.dumps(what), flush=True)
def there(name):
    try:
        importlib.import_module(name)
    except Exception:
        return False
    return True
for names in sys.argv[1:]:
    tell(trying=names)
    tell(module=names, there=any(there(name) for name in names.split("|")))
def able(name):
    return importlib.util.find_spec(name) is not None
import importlib.util
paths = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
tell(venv=able("venv"), pip=able("pip"), ensurepip=able("ensurepip"), paths=paths)
"""
# An environment sees the packages of the Python that it was made with, but not those of an
# environment that it was made in: a line in a .pth file for each of their folders does that.
_SEE = """
import pathlib, sys, sysconfig
path = pathlib.Path(sysconfig.get_path("purelib"), "edgeseg-bench.pth")
path.write_text("".join(line + chr(10) for line in sys.argv[1:]), encoding="utf-8")
"""
# glibc's versions for which wheels of the above are tagged, beside the older name of the first.
_MANYLINUX = ((2, 17), (2, 24), (2, 26), (2, 27), (2, 28), (2, 31), (2, 34), (2, 35))
#: Variables of every program that is run there: nothing is written outside the run's folder.
CONTAINED = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUTF8": "1",
    "TMPDIR": "{folder}/tmp",
    "XDG_CACHE_HOME": "{folder}/tmp",
}
_PIP = (
    "install", "--quiet", "--no-input", "--no-cache-dir", "--disable-pip-version-check",
    "--retries", "1", "--timeout", "20",
)  # fmt: skip


@dataclass(frozen=True)
class Device:
    """What the agent said of its machine; see its ``probe``."""

    python: str
    executable: str
    machine: str
    libc: Sequence[str]


@dataclass(frozen=True)
class _Found:
    missing: list[str]
    venv: bool
    pip: bool
    ensurepip: bool
    paths: list[str]


def provide(
    connection: Connection, device: Device, wheels: Path | None, tell: Callable[[str], None]
) -> str:
    """See that everything can be imported; the Python to use from now on.

    Where all is there, that is the device's own and nothing is installed. Else an environment is
    made in the run's folder, which sees what is there, and the rest is installed into that.

    Args:
        connection: To the device.
        device: What it is.
        wheels: Folder of wheels to install from; None lets the device use its package index.
        tell: Takes a line for each step.

    Raises:
        BenchError: Something cannot be imported and cannot be installed.
    """
    found = _look(connection, device)
    if not found.missing:
        tell(f"{connection.name}: it has all that is needed; nothing is installed")
        return device.executable
    wanted = [name for module in found.missing for name in _MODULES[module]]
    requirements = _requirements(wanted, device.machine)
    names = ", ".join(_MODULES[module][0] for module in found.missing)
    if not requirements:
        raise BenchError(
            f"{connection.name} lacks {names}, and this edgeseg, which is not installed, knows not "
            "in which version: install it here (pip install .), or those there"
        )
    if not found.venv:
        raise BenchError(
            f"{connection.name}: its Python lacks {names}, and venv to install them with: install "
            "either (Debian: apt-get install python3-venv)"
        )
    copied = [] if wheels is None else _copy(connection, wheels, tell)
    python = _environment(connection, device, found, copied)
    source = ["--no-index", "--find-links", "{folder}/wheels"] if wheels is not None else []
    where = "the wheels given" if wheels is not None else "its package index"
    tell(f"{connection.name}: installing {names} from {where}")
    done = connection.run([*python, *_PIP, *source, *requirements], CONTAINED)
    if done.code != 0:
        raise BenchError(_told(connection, device, names, requirements, done, wheels))
    left = _look(connection, device, "{folder}/venv/bin/python").missing
    if left:
        names = ", ".join(_MODULES[module][0] for module in left)
        raise BenchError(f"{connection.name}: {names} cannot be imported there, though installed")
    return "{folder}/venv/bin/python"


def _look(connection: Connection, device: Device, python: str | None = None) -> _Found:
    argv = [python or device.executable, "-c", _PROBE, *_MODULES]
    done = connection.run(argv, CONTAINED)
    lines = [json.loads(line) for line in done.output.splitlines() if line.startswith(b"{")]
    if done.code != 0 or not lines or "paths" not in lines[-1]:
        tried = next((line["trying"] for line in reversed(lines) if "trying" in line), "")
        raise BenchError(f"{connection.name}: {_crash(done, tried)}")
    there = {line["module"]: line["there"] for line in lines if "module" in line}
    return _Found([module for module in _MODULES if not there[module]], **lines[-1])


def _crash(done: Done, tried: str) -> str:
    name = _MODULES[tried][0] if tried else "Python"
    if done.code < 0:
        number = -done.code
        ending = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        return (
            f"importing {name} kills Python there ({ending}): it was built for another processor; "
            "install one that was built for this one (hnswlib: with HNSWLIB_NO_NATIVE=1)"
        )
    return f"its Python fails before anything is measured: {last_line(done.complaint)}"


def _environment(
    connection: Connection, device: Device, found: _Found, copied: Sequence[str]
) -> list[str]:
    """Make an environment; the command line of a pip for it."""
    carried = [name for name in copied if name.startswith("pip-")]
    if not (found.pip or carried or found.ensurepip):
        raise BenchError(
            f"{connection.name}: its Python has neither pip nor ensurepip: install one of them "
            "(Debian: apt-get install python3-pip), or put pip's own wheel among those of --wheels"
        )
    options = ["--system-site-packages"]
    options += ["--without-pip"] if found.pip or carried else []
    make = [device.executable, "-m", "venv", *options, "{folder}/venv"]
    python = "{folder}/venv/bin/python"
    for argv in (make, [python, "-c", _SEE, *found.paths]):
        done = connection.run(argv, CONTAINED)
        if done.code != 0:
            why = last_line(done.complaint) or last_line(done.output.decode(errors="replace"))
            raise BenchError(f"{connection.name}: no environment can be made there: {why}")
    # A wheel is a zip file, and Python runs a package out of one.
    return [python, f"{{folder}}/wheels/{carried[0]}/pip"] if carried else [python, "-m", "pip"]


def _copy(connection: Connection, wheels: Path, tell: Callable[[str], None]) -> list[str]:
    try:
        paths = sorted(path for path in wheels.iterdir() if path.suffix == ".whl")
    except OSError as error:
        raise BenchError(f"{error.strerror}: {wheels}") from error
    if not paths:
        raise BenchError(f"{wheels} holds no wheel (*.whl)")
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    tell(f"{connection.name}: copying {len(paths)} wheels, {megabytes:.1f} MB")
    for path in paths:
        connection.put_path(path, f"wheels/{path.name}")
    return [path.name for path in paths]


def _requirements(names: Sequence[str], machine: str) -> list[str]:
    """Of edgeseg's own requirements, those on some distributions for a machine."""
    extra = None if machine in _LITERT_MACHINES else "tflite"
    lines = []
    for line in Parser().parsestr(metadata()).get_all("Requires-Dist") or []:
        named = re.match(r"[A-Za-z0-9._-]+", line)
        condition = re.search(r"""extra == ['"]([^'"]+)['"]""", line)
        if named is None or named[0] not in names or (condition and condition[1] != extra):
            continue
        machines = re.findall(r"""platform_machine == ['"]([^'"]+)['"]""", line)
        if machines and machine not in machines:
            continue
        # Extra and machine are decided here; what else a marker asks is for pip to judge there.
        plain = re.sub(r"""\s*(and\s+)?extra == ['"][^'"]+['"]""", "", line)
        lines.append(plain.rstrip(" ;"))
    return lines


def _told(
    connection: Connection,
    device: Device,
    names: str,
    requirements: Sequence[str],
    done: Done,
    wheels: Path | None,
) -> str:
    """Why pip failed, and how to make a folder of wheels for this very device."""
    errors = [line for line in done.complaint.splitlines() if line.startswith("ERROR: ")]
    why = (errors[-1] if errors else last_line(done.complaint)).removeprefix("ERROR: ")
    if "No space left" in done.complaint:
        return f"{connection.name}: no space left for {names}: name a larger folder (--remote-tmp)"
    platforms = [word for tag in _platforms(device) for word in ("--platform", tag)]
    version = ".".join(device.python.split(".")[:2])
    # hnswlib has no wheels to download.
    plain = [re.split(r"\s*;", line)[0] for line in requirements]
    built = [line for line in plain if line.startswith("hnswlib")]
    plain = [line for line in plain if line not in built]
    command = ["pip", "download", "--only-binary=:all:", "--python-version", version, *platforms]
    what = "make a folder of wheels" if wheels is None else f"{wheels} does not suffice: fill it"
    steps = []
    if plain:
        steps.append(f"`{quoted([*command, '-d', 'wheels', *dict.fromkeys(plain)])}`")
    if built:
        build = quoted(["pip", "wheel", "--no-deps", "-w", "wheels", *built])
        steps.append(f"`HNSWLIB_NO_NATIVE=1 {build}` on a machine of its kind")
    return (
        f"{connection.name}: {names} cannot be installed there ({why}); {what} with "
        f"{' and '.join(steps)}, and give it as --wheels wheels"
    )


def _platforms(device: Device) -> list[str]:
    kind, version = (*device.libc, "", "")[:2]
    if kind != "glibc":
        return [f"musllinux_1_2_{device.machine}"]
    found = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    tags = [
        f"manylinux_{major}_{minor}_{device.machine}"
        for major, minor in _MANYLINUX
        if (major, minor) <= found
    ]
    return [*reversed(tags), f"manylinux2014_{device.machine}"]
