"""32-bit ARM: what PyPI lacks there comes from Debian, in older versions than edgeseg declares."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from tests.devices import comparison
from tests.devices.aarch64 import (
    Run,
    Site,
    Tell,
    difference_of,
    emulated,
    on_this_machine,
    pip_itself,
    versions_of,
)
from tests.devices.debian_root import ARMHF, DebianRoot, make_root
from tests.devices.errors import run
from tests.devices.golden import make_job
from tests.devices.wheels import cross_hnswlib, project_wheel

# PyPI has neither NumPy nor OpenCV for it; Debian 12 has 1.24 and 4.6.
_PACKAGES = ("ca-certificates", "libpython3-dev", "python3", "python3-numpy", "python3-opencv")
# edgeseg's own requirements without those two, as docs/devices.md has them.
WITHOUT_DEPENDENCIES = ("tflite-runtime==2.14.0",)
WITH_DEPENDENCIES = ("typer>=0.15", "rich>=13.7")
_PHOTOS = 4


def measure(work: Path, wheels: Path, data: Path, tell: Tell) -> dict[str, Any]:
    """Match some golden photos on both, and compare.

    Args:
        work: folder for roots, environments and results; a next run uses them again.
        wheels: folder with edgeseg's wheel.
        data: folder of real photographs, used where it exists.
        tell: is given progress lines.

    Returns:
        ``runs``, each against x86-64.

    Raises:
        CannotRunError: something is missing here, or a run ended badly.
    """
    wheel = project_wheel(wheels)
    root = make_root(work / "debian-armhf", ARMHF, _PACKAGES, "test-armv7")
    tell("Debian armhf is unpacked")
    hnswlib = cross_hnswlib(
        work / "wheels-armv7", work / "cross-env", root.folder / "usr/include", ARMHF
    )
    tell(f"{hnswlib.name} is compiled")
    job, reference = make_job(work / "job", data), work / "out" / "x86-64"
    on_this_machine("build", job, job)
    on_this_machine("match", job, reference)
    site = _installed(root, work, wheel, hnswlib)
    runs = []
    for processor in ARMHF.processors:
        out = work / "out" / f"armv7-{processor}"
        emulated(root, site, processor, "match", job, out, "--first", str(_PHOTOS))
        runs.append(Run(f"armv7 on {processor}", versions_of(out), difference_of(reference, out)))
        tell(f"{runs[-1].name}: {'; '.join(runs[-1].shortcomings) or 'held'}")
    return {"runs": [each.to_dict() for each in runs]}


def table(document: dict[str, Any]) -> tuple[list[str], list[Any]]:
    """The document's runs for people."""
    return comparison.table_of(document["runs"])


def held(document: dict[str, Any]) -> bool:
    """Whether every run is within tolerance."""
    return all(each["held"] for each in document["runs"])


def _installed(root: DebianRoot, work: Path, wheel: Path, hnswlib: Path) -> Site:
    folder = (work / "site-armv7").absolute()
    if folder.exists():
        shutil.rmtree(folder)
    # What update-alternatives chooses when Debian is configured.
    shared = root.folder / "usr/lib" / ARMHF.gnu
    site = Site("tflite-runtime", folder, (shared / "blas", shared / "lapack"))
    command = root.python(next(iter(ARMHF.processors)), pip_itself(work))
    command += ["install", "--quiet", "--no-compile", "--only-binary", ":all:", "--target"]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    for options in (
        ("--no-deps", str(wheel), str(hnswlib), *WITHOUT_DEPENDENCIES),
        ("--upgrade", *WITH_DEPENDENCIES),
    ):
        run([*command, str(folder), *options], "installing there", environment=environment)
    return site
