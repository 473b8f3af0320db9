"""What a figure depends on besides the target: the machine and the installed software."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from device_bench import sensors
from device_bench.energy import EnergyMeter
from edgeseg.diagnosis.machine import read_machine
from edgeseg.runtime import INTERPRETERS

_LIBRARIES = ("numpy", "opencv-python-headless", "opencv-python", "hnswlib", "edgeseg")
_MAX_SYSTEM_FILE_CHARS = 1 << 20


def read() -> dict[str, Any]:
    """Describe this machine as JSON values; None stands for what cannot be read here."""
    machine = read_machine()
    return {
        "on": None,  # the address where a desk had this measured elsewhere
        "cpu": machine.processor or None,
        "machine": machine.machine,
        "cpu_features": list(machine.features),
        "cores": os.cpu_count(),
        "usable_cores": machine.cores,
        "quota_cores": machine.quota_cores,
        "affinity": _affinity(),
        "memory_bytes": machine.memory_bytes,
        "governors": sensors.governors(),
        "niceness": os.nice(0),
        "system": f"{platform.system()} {platform.release()}",
        "libc": machine.libc or None,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "interpreters": [
            f"{name} {found}" for name in INTERPRETERS if (found := _version(name)) is not None
        ],
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
        "energy": EnergyMeter().source,
        **moving(),
    }


def moving() -> dict[str, Any]:
    """What of it changes in the course of a run."""
    machine = read_machine()
    load = _load_average()
    clocks = sensors.frequencies_mhz() or _told_mhz(_system_file("/proc/cpuinfo") or "")
    return {
        "load_average": load,
        "busy": None if load is None else load > 0.5 * machine.cores,
        "frequencies_mhz": clocks,
        "temperature_c": sensors.temperature_c(),
        "available_memory_bytes": machine.available_bytes,
    }


def _told_mhz(cpuinfo: str) -> list[float]:
    """Each core's clock as /proc/cpuinfo has it, for a virtual machine that shows no driver."""
    clocks = []
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "cpu MHz":
            with contextlib.suppress(ValueError):
                clocks.append(float(value))
    return clocks


def _affinity() -> list[int] | None:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _load_average() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def _system_file(path: str) -> str | None:
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_SYSTEM_FILE_CHARS).strip() or None
    except OSError:
        return None


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
