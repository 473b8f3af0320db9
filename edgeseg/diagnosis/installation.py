"""What is installed beside edgeseg, and whether it is what edgeseg's own metadata asks for."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import sys
from collections.abc import Collection
from dataclasses import dataclass, replace

from edgeseg import __version__
from edgeseg.diagnosis.child import Outcome
from edgeseg.diagnosis.finding import Finding, pip
from edgeseg.diagnosis.requirements import (
    Requirement,
    declared,
    installed_version,
)

_REINSTALL = ("install", "--force-reinstall", "--no-deps", "edgeseg")


@dataclass(frozen=True)
class Installation:
    """What edgeseg's metadata says.

    Attributes:
        version: of edgeseg; None where it has no metadata, such as unpacked by hand.
        python: the range of versions; empty where there is no metadata.
        lines: its ``Requires-Dist``.
        extras: that it knows.
    """

    version: str | None
    python: str
    lines: tuple[str, ...]
    extras: tuple[str, ...]

    def requirement(self, name: str, extra: str = "") -> Requirement:
        """What is asked of a distribution on this machine; any version where nothing is.

        Args:
            name: of the distribution.
            extra: whose requirement comes before that without any.
        """
        narrower = declared(self.lines, extra) if extra else ()
        asked = (*narrower, *declared(self.lines))
        return next((each for each in asked if each.name == name), Requirement(name))


def read_installation() -> Installation:
    """Read edgeseg's metadata."""
    try:
        found = importlib.metadata.metadata("edgeseg")
    except importlib.metadata.PackageNotFoundError:
        return Installation(None, "", (), ())
    return Installation(
        found["Version"],
        found["Requires-Python"] or "",
        tuple(found.get_all("Requires-Dist") or ()),
        tuple(found.get_all("Provides-Extra") or ()),
    )


def edgeseg_finding(installation: Installation) -> Finding:
    """Whether edgeseg is installed as it was built."""
    facts = {"version": __version__, "prefix": sys.prefix, "installed": installation.version}
    found = f"{__version__} in {sys.prefix}"
    if installation.version is None:
        return Finding(
            "edgeseg",
            "warning",
            f"{found}, without metadata",
            "it was not installed by pip, so the versions that it asks for are not known here",
            pip("install", f"edgeseg=={__version__}"),
            facts,
        )
    if installation.version != __version__:
        why = f"{installation.version} is installed, and another {__version__} comes before it"
        return Finding("edgeseg", "warning", found, why, pip(*_REINSTALL), facts)
    return Finding("edgeseg", "ok", found, facts=facts)


def python_finding(installation: Installation, version: str = "") -> Finding:
    """Whether this Python is one that edgeseg is made for.

    Args:
        installation: what edgeseg asks for.
        version: of Python; empty for this one.
    """
    version = version or platform.python_version()
    kind = platform.python_implementation()
    facts = {"version": version, "implementation": kind, "executable": sys.executable}
    found = f"{version} ({kind}), {sys.executable}"
    wanted = Requirement("python", versions=installation.python)
    if not wanted.takes(version):
        why = f"edgeseg {__version__} is made for Python {installation.python}"
        mend = "python3.11 -m venv edgeseg-venv && edgeseg-venv/bin/pip install edgeseg"
        return Finding("python", "broken", found, why, mend, facts)
    if kind != "CPython":
        why = f"OpenCV and the TFLite interpreter are published for CPython, not for {kind}"
        return Finding("python", "warning", found, why, facts=facts)
    return Finding("python", "ok", found, facts=facts)


def pure_finding(installation: Installation, name: str) -> Finding:
    """Whether a distribution of plain Python is there; it is not run."""
    asked = installation.requirement(name)
    version = installed_version(name)
    facts = {"version": version, "asked": asked.versions}
    mend = pip("install", asked.specifier)
    if version is None and importlib.util.find_spec(name) is None:
        return Finding(name, "broken", "not installed", "it is not installed", mend, facts)
    if version is not None and not asked.takes(version):
        return Finding(name, "warning", version, f"edgeseg asks for {asked.versions}", mend, facts)
    return Finding(name, "ok", version or "without metadata", facts=facts)


def extra_finding(
    installation: Installation, extra: str, modules: Collection[str], needed: bool
) -> Finding:
    """Whether an extra is complete; it is not run.

    Args:
        installation: what edgeseg asks for.
        extra: its name.
        modules: that it brings, for an installation that does not know it.
        needed: whether it was asked for.
    """
    name, mend = f"extra {extra}", pip("install", f"edgeseg[{extra}]")
    versions = {each: installed_version(each.name) for each in declared(installation.lines, extra)}
    lacking = [each.specifier for each, version in versions.items() if version is None]
    other = [
        f"{each.name} {version} (asked for: {each.versions})"
        for each, version in versions.items()
        if version is not None and not each.takes(version)
    ]
    unpublished = False
    if not lacking:
        lacking = [each for each in sorted(modules) if importlib.util.find_spec(each) is None]
        # All that is asked for here is installed, and its modules are still not there.
        unpublished = bool(lacking) and extra in installation.extras
    facts = {"extra": extra, "lacks": lacking, "other_versions": other, "needed": needed}
    if not lacking and not other:
        return Finding(name, "ok", "complete", facts=facts)
    told = ", ".join([*(f"no {each}" for each in lacking), *other])
    if unpublished:
        mend = ""
        told += f": not published for {platform.machine()} and Python {platform.python_version()}"
    if not needed:
        return Finding(name, "absent", told, mend=mend, facts=facts)
    if lacking:
        return Finding(
            name, "broken", "incomplete", f"it was asked for, and has {told}", mend, facts
        )
    return Finding(name, "warning", "other versions", told, mend, facts)


def tried_extra_finding(finding: Finding, outcome: Outcome) -> Finding:
    """What is to be said of an extra after its modules were imported, too."""
    if outcome.done:
        return finding
    return replace(
        finding,
        status="broken",
        found="does not load",
        why=outcome.told(),
        mend=finding.mend
        or pip("install", "--force-reinstall", f"edgeseg[{finding.facts['extra']}]"),
    )
