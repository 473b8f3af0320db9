"""Which interpreter there is, whether it works, and how one is got where there is none."""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Mapping

from edgeseg.diagnosis.child import Outcome
from edgeseg.diagnosis.finding import Finding, pip
from edgeseg.diagnosis.installation import Installation
from edgeseg.diagnosis.machine import Machine
from edgeseg.diagnosis.networks import ROLES, delegated_share
from edgeseg.diagnosis.requirements import Requirement, installed_version, release

LITERT, TFLITE = "ai-edge-litert", "tflite-runtime"
_MODULES = {LITERT: "ai_edge_litert", TFLITE: "tflite_runtime"}
# tflite-runtime has no wheel for a later one.
_LAST_TFLITE_PYTHON = (3, 11)


def versions_here() -> dict[str, str | None]:
    """The versions of ``LITERT``, ``TFLITE`` and ``numpy``; None for what is not there."""
    versions = {name: installed_version(name) for name in (LITERT, TFLITE, "numpy")}
    for name, module in _MODULES.items():
        if versions[name] is None and importlib.util.find_spec(module) is not None:
            versions[name] = "unknown"  # unpacked by hand, as on small boards
    return versions


def interpreter_finding(
    installation: Installation, machine: Machine, versions: Mapping[str, str | None], run: Outcome
) -> Finding:
    """Which interpreter there is, and whether it runs the built-in bundle's networks.

    Args:
        installation: what edgeseg asks for.
        machine: this one.
        versions: of ``LITERT``, ``TFLITE`` and ``numpy``; None for what is not installed.
        run: how the task ``selftest`` ended, or ``networks`` where the built-in bundle does not
            open; with all facts of both.
    """
    runtime = str(run.facts.get("interpreter", ""))
    asked = installation.requirement(LITERT)
    delegated = {role: delegated_share(run.facts[role]) for role in ROLES if role in run.facts}
    facts = {
        "runtime": runtime or None,
        "versions": {name: versions.get(name) for name in (LITERT, TFLITE)},
        "asked": asked.versions,
        "ending": run.ending,
        "delegated": delegated,
    }
    found = runtime or ", ".join(
        f"{name} {versions[name]}" for name in (LITERT, TFLITE) if versions.get(name)
    )
    if "segmenter" in delegated:
        found += f"; XNNPACK takes {delegated['segmenter']} operators of the segmenter"
    if not found:
        told, mend = _to_install(installation, machine)
        why = told or "no TFLite interpreter is installed"
        return Finding("interpreter", "broken", "not installed", why, mend, facts)
    if run.untried:
        return Finding("interpreter", "absent", f"{found}, {run.detail}", facts=facts)
    if not is_to_blame(run):
        version = versions.get(LITERT) if runtime.startswith(LITERT) else None
        if version and not asked.takes(version):
            why = f"edgeseg asks for {asked.specifier} on {machine.machine}"
            return Finding(
                "interpreter", "warning", found, why, pip("install", asked.specifier), facts
            )
        return Finding("interpreter", "ok", found, facts=facts)
    used = runtime or found
    if used.startswith(TFLITE) and release(versions.get("numpy") or "") >= (2,):
        why = f"{TFLITE} does not work beside NumPy {versions['numpy']}: {run.told()}"
        mend = pip("install", "edgeseg[tflite]")
    else:
        why = run.told()
        if run.ending == "memory":
            mend = ""
        elif used.startswith(TFLITE):
            mend = pip("install", "--force-reinstall", "--no-deps", "tflite-runtime>=2.14")
        else:
            options = () if not _in_range(asked, versions) else ("--force-reinstall", "--no-deps")
            mend = pip("install", *options, _litert(asked))
    return Finding("interpreter", "broken", found, why, mend, facts)


def is_to_blame(run: Outcome) -> bool:
    """Whether a trial failed by the interpreter; a bundle that does not read says nothing."""
    return not run.done and not run.untried and not run.stage.startswith("reading ")


def _in_range(asked: Requirement, versions: Mapping[str, str | None]) -> bool:
    version = versions.get(LITERT)
    return version is not None and asked.takes(version)


def _litert(asked: Requirement) -> str:
    return asked.specifier if asked.versions else f"{LITERT}>=2.0,<2.2"


def _to_install(installation: Installation, machine: Machine) -> tuple[str, str]:
    """Why there is no interpreter where none can be had, and the command that gets one."""
    asked = installation.requirement(LITERT)
    if machine.libc in ("musl", "bionic"):
        return f"no interpreter is published for {machine.libc}: see architecture", ""
    if machine.machine in ("x86_64", "aarch64", "arm64") and machine.bits == 64:
        return "", pip("install", _litert(asked))
    if not machine.machine.startswith("arm") and machine.bits == 64:
        return f"no interpreter is published for {machine.machine}", ""
    if release(platform.python_version())[:2] > _LAST_TFLITE_PYTHON:
        why = (
            f"32-bit ARM has only {TFLITE}, which is published for Python 3.11 at most, and this "
            f"is {platform.python_version()}"
        )
        last = "python3.11"
        return why, f"{last} -m venv edgeseg-venv && edgeseg-venv/bin/pip install 'edgeseg[tflite]'"
    return "", pip("install", "edgeseg[tflite]")
