"""64-bit ARM: the wheel in an emulated Debian, beside x86-64 in the same run."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.devices import comparison
from tests.devices.comparison import Difference
from tests.devices.debian_root import AARCH64, DebianRoot, make_root
from tests.devices.errors import CannotRunError, run
from tests.devices.golden import make_job
from tests.devices.wheels import CONSTRAINTS, cross_hnswlib, pip, project_wheel

ON_DEVICE = Path(__file__).with_name("on_device.py")
# Python's headers are for the cross compiler; the rest is what a minimal handheld has, too.
_PACKAGES = ("ca-certificates", "libpython3-dev", "libstdc++6", "python3")
# Enough for each kind of kernel to run; all photos go through the first processor.
_PHOTOS_ON_OTHER_PROCESSORS = 2
_PICTURES_OF_A_CATALOGUE = 6
# Beside the pinned one: it dies of SIGSEGV where /proc/cpuinfo tells of another architecture, as it
# does under qemu unless the root has its own.
_LATER_LITERT = "ai-edge-litert==2.3.0"
_WORKS = "works there"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Site:
    """What is installed for the emulated Python.

    Attributes:
        name: of its runtime.
        folder: what goes onto PYTHONPATH.
        libraries: folders of shared libraries that Debian would name when it is configured.
    """

    name: str
    folder: Path
    libraries: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Run:
    """One run of the job.

    Attributes:
        name: which runtime on which processor.
        versions: what it ran with.
        difference: from x86-64.
    """

    name: str
    versions: dict[str, str]
    difference: Difference

    @property
    def shortcomings(self) -> list[str]:
        """What is not within tolerance; tflite-runtime's kernels are older ones."""
        return self.difference.shortcomings("tflite" not in self.versions["runtime"])

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = {"name": self.name, "versions": self.versions, **self.difference.to_dict()}
        return told | {"shortcomings": self.shortcomings, "held": not self.shortcomings}


def measure(work: Path, wheels: Path, data: Path, tell: Tell) -> dict[str, Any]:
    """Match the golden photos on both, and compare.

    Args:
        work: folder for roots, environments and results; a next run uses them again.
        wheels: folder with edgeseg's wheel.
        data: folder of real photographs, used where it exists.
        tell: is given progress lines.

    Returns:
        ``runs`` (each against x86-64), ``catalogue`` (one built on aarch64 against one built
        here) and ``later_litert``.

    Raises:
        CannotRunError: something is missing here, or a run ended badly.
    """
    wheel = project_wheel(wheels)
    root = make_root(work / "debian-arm64", AARCH64, _PACKAGES, "test-aarch64")
    tell("Debian arm64 is unpacked")
    hnswlib = cross_hnswlib(
        work / "wheels-aarch64", work / "cross-env", root.folder / "usr/include", AARCH64
    )
    tell(f"{hnswlib.name}: portable")
    job, reference = make_job(work / "job", data), work / "out" / "x86-64"
    on_this_machine("build", job, job)
    on_this_machine("match", job, reference)
    tell("the reference is made")
    first, *others = AARCH64.processors
    runs = []
    for site in (_litert(root, work, wheel, hnswlib), _tflite(root, work, wheel, hnswlib)):
        tell(f"{site.name} is installed")
        for processor, some in ((first, ()), *((p, _few()) for p in others)):
            out = work / "out" / f"{site.name}-{processor}"
            emulated(root, site, processor, "match", job, out, *some)
            made = Run(
                f"{site.name} on {processor}", versions_of(out), difference_of(reference, out)
            )
            runs.append(made)
            tell(f"{made.name}: {'; '.join(made.shortcomings) or 'held'}")
        if site.name == "ai-edge-litert":
            catalogue = _catalogue(root, site, work, job)
    return {
        "runs": [each.to_dict() for each in runs],
        "catalogue": catalogue,
        "later_litert": _later_litert(root, work, job, reference),
    }


def table(document: dict[str, Any]) -> tuple[list[str], list[Any]]:
    """The document's runs for people."""
    return comparison.table_of(document["runs"])


def on_this_machine(
    action: str, job: Path, out: Path, *options: str | Path, python: str | Path = sys.executable
) -> None:
    """Run the job's script under an environment's Python, which must not see the checkout."""
    command = [str(python), str(ON_DEVICE), action, str(job), str(out), *map(str, options)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    run(command, f"{action} on this machine", environment=environment, cwd=job)


def emulated(
    root: DebianRoot, site: Site, processor: str, action: str, job: Path, out: Path, *options: str
) -> None:
    """Run the job's script under the emulated Python."""
    if out.exists():
        shutil.rmtree(out)
    arguments = [ON_DEVICE, action, job.absolute(), out.absolute(), *options]
    command = root.python(processor, "-B", "-s", *arguments)
    environment = {**os.environ, "PYTHONPATH": str(site.folder), "OMP_NUM_THREADS": "1"}
    if site.libraries:
        environment["LD_LIBRARY_PATH"] = ":".join(str(each) for each in site.libraries)
    run(command, f"{site.name} on {processor}", environment=environment)


def _few() -> tuple[str, ...]:
    return ("--first", str(_PHOTOS_ON_OTHER_PROCESSORS))


def difference_of(reference: Path, out: Path) -> Difference:
    """As `comparison.compare`."""
    return comparison.compare(reference, out)


def versions_of(out: Path) -> dict[str, str]:
    """What a run was made with."""
    versions: dict[str, str] = json.loads((out / "match.json").read_text())["environment"]
    return versions


def _catalogue(root: DebianRoot, site: Site, work: Path, job: Path) -> dict[str, Any]:
    """A catalogue built there against one built here, and whether both answer alike."""
    some = ("--first", str(_PICTURES_OF_A_CATALOGUE))
    here, there = work / "out" / "built-here", work / "out" / "built-there"
    on_this_machine("build", job, here, *some)
    emulated(root, site, next(iter(AARCH64.processors)), "build", job, there, *some)
    for made in (here, there):
        on_this_machine("match", job, made, "--catalogue", (made / "shop.catalogue").absolute())
    difference = comparison.compare(here, there)
    return {
        "min_cosine": comparison.compare_catalogues(here, there),
        "same_file": (here / "shop.catalogue").read_bytes()
        == (there / "shop.catalogue").read_bytes(),
        "photos": difference.photos,
        "same_top_10": difference.same_top_10,
    }


def _litert(root: DebianRoot, work: Path, wheel: Path, hnswlib: Path) -> Site:
    """As a user's `pip install edgeseg` decides, at the pinned versions."""
    site = Site("ai-edge-litert", work / "site-litert")
    _install(root, site, wheel, wheel, hnswlib, "--constraint", CONSTRAINTS)
    return site


def _tflite(root: DebianRoot, work: Path, wheel: Path, hnswlib: Path) -> Site:
    """The extra, and without the runtime that would be taken before it."""
    site = Site("tflite-runtime", work / "site-tflite")
    _install(root, site, wheel, f"{wheel}[tflite]", hnswlib)
    for unwanted in site.folder.glob("ai_edge_litert*"):
        shutil.rmtree(unwanted)
    return site


def _install(
    root: DebianRoot,
    site: Site,
    wheel: Path,
    wanted: str | Path,
    hnswlib: Path,
    *options: str | Path,
) -> None:
    """By the emulated pip, so that markers and tags are judged where they count."""
    there = root.python(next(iter(AARCH64.processors)), pip_itself(site.folder.parent))
    # Nothing is compiled there: what has no wheel is an error, but for hnswlib, which has one here.
    there += [
        "install", "--quiet", "--no-compile", "--only-binary", ":all:",
        "--find-links", str(hnswlib.parent), "--target", str(site.folder.absolute()),
    ]  # fmt: skip
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    stamp = site.folder / ".requirements"
    # A new build of edgeseg that asks for the same is installed alone: under qemu, that counts.
    wanted_before = stamp.read_text() if stamp.is_file() else None
    requirements = "\n".join([*_requirements(wheel), CONSTRAINTS.read_text(encoding="utf-8")])
    if wanted_before != requirements:
        if site.folder.exists():
            shutil.rmtree(site.folder)
        command = [*there, *(str(option) for option in options), str(wanted)]
        run(command, f"installing {site.name} there", environment=environment)
        stamp.write_text(requirements)
    else:
        command = [*there, "--upgrade", "--no-deps", str(wheel)]
        run(command, "installing edgeseg there", environment=environment)


def _requirements(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    return [line for line in lines if line.startswith(("Requires-Dist", "Requires-Python"))]


def pip_itself(work: Path) -> Path:
    """pip as one file that any Python can run: Debian's own would need more of Debian."""
    folder = work / "pip"
    if not list(folder.glob("pip-*.whl")):
        pip(sys.executable, "download", "--quiet", "--no-deps", "--dest", folder, "pip",
            what="downloading pip")  # fmt: skip
    (wheel,) = folder.glob("pip-*.whl")
    return wheel.absolute() / "pip"


def _later_litert(root: DebianRoot, work: Path, job: Path, reference: Path) -> str:
    """What became of a later ai-edge-litert than the pinned one."""
    litert, later = work / "site-litert", work / "site-later-litert"
    installed = later.exists()
    # Anew each time: the wheel may be another than in the last run.
    others = shutil.ignore_patterns("ai_edge_litert*")
    shutil.copytree(litert, later, ignore=others, dirs_exist_ok=True)
    if not installed:
        command = root.python(next(iter(AARCH64.processors)), pip_itself(work))
        command += ["install", "--quiet", "--no-compile", "--no-deps", "--only-binary", ":all:",
                    "--target", str(later.absolute()), _LATER_LITERT]  # fmt: skip
        run(command, f"installing {_LATER_LITERT} there")
    out = work / "out" / "later-litert"
    try:
        emulated(root, Site(_LATER_LITERT, later), next(iter(AARCH64.processors)),
                 "match", job, out, *_few())  # fmt: skip
    except CannotRunError as error:
        return str(error)
    return "; ".join(difference_of(reference, out).shortcomings()) or _WORKS


def held(document: dict[str, Any]) -> bool:
    """Whether every run is within tolerance."""
    runs: Sequence[dict[str, Any]] = document["runs"]
    catalogue = document["catalogue"]
    alike = catalogue["same_top_10"] == catalogue["photos"]
    works = document["later_litert"] == _WORKS
    return bool(runs) and all(each["held"] for each in runs) and alike and works
