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
from edgeseg.runtime import INTERPRETERS

# The instruction sets that TFLite's and XNNPACK's kernels choose between.
_KERNEL_FEATURES = (
    "sse4_1", "sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw",
    "avx512_vnni", "amx_int8",
    "neon", "asimd", "asimdhp", "asimddp", "i8mm", "sve",
)  # fmt: skip
_LIBRARIES = ("numpy", "opencv-python-headless", "opencv-python", "hnswlib", "edgeseg")
_MAX_SYSTEM_FILE_CHARS = 1 << 20


def read() -> dict[str, Any]:
    """Describe this machine as JSON values; None stands for what cannot be read here."""
    text = _system_file("/proc/cpuinfo") or ""
    return {
        "on": None,  # the address where a desk had this measured elsewhere
        "cpu": _first_field(text, "model name", "Model", "Hardware")
        or platform.processor()
        or None,
        "machine": platform.machine(),
        "cpu_features": cpu_features(text),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "affinity": _affinity(),
        "memory_bytes": _kilobytes("MemTotal"),
        "governors": sensors.governors(),
        "niceness": os.nice(0),
        "system": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()).strip() or None,
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
    load = _load_average()
    clocks = sensors.frequencies_mhz() or _told_mhz(_system_file("/proc/cpuinfo") or "")
    return {
        "load_average": load,
        "busy": None if load is None else load > 0.5 * usable_cores(),
        "frequencies_mhz": clocks,
        "temperature_c": sensors.temperature_c(),
        "available_memory_bytes": _kilobytes("MemAvailable"),
    }


def cpu_features(cpuinfo: str) -> list[str]:
    """Those of ``/proc/cpuinfo``'s flags that inference kernels make use of."""
    flags = (_first_field(cpuinfo, "flags", "Features") or "").split()
    return [feature for feature in _KERNEL_FEATURES if feature in flags]


def usable_cores() -> int:
    """The cores that this process may run on, which a container makes fewer than exist."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _first_field(cpuinfo: str, *names: str) -> str | None:
    """The first value of the first of ``names`` that occurs: x86 and ARM label them otherwise."""
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    return next((fields[name] for name in names if fields.get(name)), None)


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


def _kilobytes(field: str) -> int | None:
    text = _first_field(_system_file("/proc/meminfo") or "", field)
    return int(text.split()[0]) * 1024 if text and text.split()[0].isdigit() else None


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
