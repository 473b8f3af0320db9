"""What a child's end says of the library that it tried, and the command that mends it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

from edgeseg.diagnosis.child import Outcome
from edgeseg.diagnosis.finding import Finding, pip
from edgeseg.diagnosis.requirements import Requirement

HEADLESS = "opencv-python-headless"
# All of them are the module cv2, and each overwrites the others' files.
OPENCVS = (HEADLESS, "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")
# The words of a loader that misses a library of the desktop, which only the others link to.
_DESKTOP_LIBRARIES = ("libGL", "libgthread", "libglib", "libSM", "libXext", "libxcb")


def library_finding(
    name: str,
    asked: Requirement,
    version: str | None,
    there: bool,
    outcome: Outcome,
    needs: Sequence[str] = (),
) -> Finding:
    """What is to be said of NumPy, hnswlib, or another library that was tried.

    Args:
        name: of the check.
        asked: what edgeseg asks for.
        version: that is installed; None where there is no metadata.
        there: whether its module is found.
        outcome: how the trial ended.
        needs: libraries that it works on and that are broken themselves.
    """
    told = version or str(outcome.facts.get("version", "")) or None
    facts = {"version": told, "asked": asked.versions, "ending": outcome.ending}
    mend = _install(asked)
    if outcome.done:
        if told and asked.versions and not asked.takes(told):
            why = f"it works, but edgeseg asks for {asked.specifier}"
            return Finding(name, "warning", told, why, mend, facts)
        found = told or "version unknown"
        return Finding(name, "ok", found if version else f"{found}, without metadata", facts=facts)
    if told is None and not there:
        return Finding(name, "broken", "not installed", "it is not installed", mend, facts)
    found = told or "does not load"
    if needs:
        why = f"could not be tried without {' and '.join(needs)}: mend that first"
        return Finding(name, "broken", found, why, facts=facts)
    if outcome.ending in ("signal", "import", "error"):
        mend = _install(asked, again=True)
    elif outcome.ending == "memory":
        mend = ""
    return Finding(name, "broken", found, outcome.told(), mend, facts)


def opencv_finding(
    asked: Requirement,
    installed: Mapping[str, str],
    there: bool,
    outcome: Outcome,
    needs: Sequence[str] = (),
) -> Finding:
    """What is to be said of OpenCV, which is published under four names.

    Args:
        asked: what edgeseg asks for.
        installed: versions by those of ``OPENCVS`` that are.
        there: whether the module cv2 is found.
        outcome: how the trial ended.
        needs: libraries that it works on and that are broken themselves.
    """
    others = [name for name in installed if name != HEADLESS]
    if not others:
        version = installed.get(HEADLESS)
        finding = library_finding("opencv", asked, version, there, outcome, needs)
        if finding.status == "broken" and _is_desktop(outcome):
            why = f"{outcome.told()}: what is loaded as cv2 is made for a desktop"
            return Finding("opencv", "broken", finding.found, why, finding.mend, finding.facts)
        return finding
    told = ", ".join(f"{name} {version}" for name, version in installed.items())
    mend = f"{pip('uninstall', '-y', *installed)} && {_install(asked)}"
    facts = {"version": installed.get(HEADLESS), "asked": asked.versions, "others": others}
    facts["ending"] = outcome.ending
    if len(installed) > 1:
        why = "they overwrite each other's files: one alone may be installed"
    else:
        why = f"it needs the desktop's libraries; edgeseg asks for {HEADLESS}"
    if outcome.done:
        return Finding("opencv", "warning", told, f"{why} (it works just now)", mend, facts)
    return Finding("opencv", "broken", told, f"{outcome.told()}; {why}", mend, facts)


def _is_desktop(outcome: Outcome) -> bool:
    return any(library in outcome.detail for library in _DESKTOP_LIBRARIES)


def _install(asked: Requirement, again: bool = False) -> str:
    """The command that installs what is asked for; `again` over what is there."""
    force = ("--force-reinstall", "--no-deps", "--no-cache-dir") if again else ()
    if asked.name != "hnswlib":
        return pip("install", *force, asked.specifier)
    # Published as source only: the wheel that pip has kept, or that was copied, was compiled for
    # the very processor of another machine.
    command = pip("install", *force, "--no-binary", "hnswlib", asked.specifier)
    command = f"HNSWLIB_NO_NATIVE=1 {command}"
    if shutil.which("c++") is None and shutil.which("g++") is None:
        return f"sudo apt-get install g++ python3-dev && {command}"
    return command
