"""Each Python of this machine with each runtime and NumPy that it can have, on x86-64."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.devices import comparison
from tests.devices.aarch64 import Run, Tell, difference_of, on_this_machine, versions_of
from tests.devices.errors import CannotRunError
from tests.devices.golden import make_job
from tests.devices.wheels import CONSTRAINTS, make_venv, native_hnswlib, pip, project_wheel

PYTHONS = ("3.10", "3.11", "3.12", "3.13")


@dataclass(frozen=True)
class Combination:
    """What to install beside the wheel.

    Attributes:
        name: of the combination.
        extra: of edgeseg, with its brackets; empty for none.
        requirements: beside edgeseg.
        constrained: whether at the versions of constraints.txt.
        without: a distribution to take away again.
        pythons: that have wheels of all of it.
    """

    name: str
    extra: str = ""
    requirements: tuple[str, ...] = ()
    constrained: bool = False
    without: str | None = None
    pythons: tuple[str, ...] = PYTHONS


COMBINATIONS = (
    Combination("litert-numpy2", constrained=True),
    # The least OpenCV and NumPy that edgeseg declares.
    Combination(
        "litert-numpy1",
        requirements=("numpy==1.26.4", "opencv-python-headless==4.10.0.84"),
        pythons=("3.10", "3.11", "3.12"),
    ),
    # ai-edge-litert would be taken before it; 32-bit ARM does not have that.
    Combination("tflite", extra="[tflite]", without="ai-edge-litert", pythons=("3.10", "3.11")),
)


def find_python(version: str) -> str | None:
    """A Python of this machine, pyenv's included; None if there is none that can be started."""
    pyenv = Path.home() / ".pyenv" / "versions"
    candidates = [f"python{version}", *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))]
    # A pyenv shim exists for versions that cannot be run; only a start tells.
    script = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    for candidate in candidates:
        try:
            done = subprocess.run(
                [candidate, "-c", script], capture_output=True, text=True, check=False
            )
        except OSError:
            continue
        if done.returncode == 0 and done.stdout.strip() == version:
            return candidate
    return None


def measure(work: Path, wheels: Path, data: Path, tell: Tell) -> dict[str, Any]:
    """Match the golden photos in each environment, and compare with the first one's results.

    Args:
        work: folder for environments, wheels and results; a next run uses them again.
        wheels: folder with edgeseg's wheel.
        data: folder of real photographs, used where it exists.
        tell: is given progress lines.

    Returns:
        ``runs`` (each against the reference: this process's own environment), and ``absent``: the
        Pythons that this machine does not have.

    Raises:
        CannotRunError: there is none of them, or a run ended badly.
    """
    wheel = project_wheel(wheels)
    job, reference = make_job(work / "job", data), work / "out" / "x86-64"
    on_this_machine("build", job, job)
    on_this_machine("match", job, reference)
    runs, absent = [], []
    for version in PYTHONS:
        python = find_python(version)
        if python is None:
            tell(f"python {version}: not on this machine")
            absent.append(version)
            continue
        for combination in _possible(version):
            name = f"python{version}-{combination.name}"
            environment = _environment(work, wheel, version, python, combination)
            out = work / "out" / name
            on_this_machine("match", job, out, python=environment)
            runs.append(Run(name, versions_of(out), difference_of(reference, out)))
            tell(f"{name}: {'; '.join(runs[-1].shortcomings) or 'held'}")
    if not runs:
        raise CannotRunError(f"none of Python {', '.join(PYTHONS)} is on this machine")
    return {"runs": [each.to_dict() for each in runs], "absent": absent}


def table(document: dict[str, Any]) -> tuple[list[str], list[Any]]:
    """The document's runs for people."""
    return comparison.table_of(document["runs"])


def held(document: dict[str, Any]) -> bool:
    """Whether every run is within tolerance."""
    return all(each["held"] for each in document["runs"])


def _possible(version: str) -> Iterator[Combination]:
    return (each for each in COMBINATIONS if version in each.pythons)


def _environment(
    work: Path, wheel: Path, version: str, python: str, combination: Combination
) -> Path:
    """An environment with the wheel; only the wheel is installed again in a next run."""
    made = make_venv(work / "environments" / f"python{version}-{combination.name}", python)
    hnswlib = native_hnswlib(made, work / f"wheels-python{version}")
    options: list[str | Path] = ["--quiet", "--find-links", hnswlib.parent]
    # Wheels only: what has none for this Python is a finding, not a quarter of an hour.
    options += ["--only-binary", ":all:"]
    if combination.constrained:
        options += ["--constraint", CONSTRAINTS]
    pip(made, "install", *options, f"{wheel}{combination.extra}", *combination.requirements,
        what=f"installing {combination.name} for Python {version}")  # fmt: skip
    pip(made, "install", "--quiet", "--no-deps", "--force-reinstall", wheel,
        what=f"installing edgeseg for Python {version}")  # fmt: skip
    if combination.without is not None:
        pip(made, "uninstall", "--quiet", "--yes", combination.without,
            what=f"taking {combination.without} away")  # fmt: skip
    return made
