"""What a figure depends on besides the target: the machine and the installed software."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

# The instruction sets that TFLite's and XNNPACK's kernels choose between.
_KERNEL_FEATURES = (
    "sse4_1", "sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw",
    "avx512_vnni", "amx_int8",
    "neon", "asimd", "asimdhp", "asimddp", "i8mm", "sve",
)  # fmt: skip
_INTERPRETERS = ("ai-edge-litert", "tflite-runtime")
_LIBRARIES = ("numpy", "opencv-python-headless", "opencv-python", "hnswlib", "edgeseg")
_MAX_SYSTEM_FILE_CHARS = 1 << 20


def read() -> dict[str, Any]:
    """Describe this machine as JSON values; None stands for what cannot be read here."""
    text = _system_file("/proc/cpuinfo") or ""
    load = _load_average()
    cores = usable_cores()
    model = _first_field(text, "model name", "Model", "Hardware")
    return {
        "on": None,  # the address where a desk had this measured elsewhere
        "cpu": model or platform.processor() or None,
        "machine": platform.machine(),
        "cpu_features": cpu_features(text),
        "cores": os.cpu_count(),
        "usable_cores": cores,
        "memory_bytes": _memory_bytes(),
        "governor": _system_file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "frequency_mhz": _frequency_mhz(text),
        "niceness": os.nice(0),
        "load_average": load,
        "busy": None if load is None else load > 0.5 * cores,
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "interpreter": next(
            (f"{name} {found}" for name in _INTERPRETERS if (found := _version(name))), None
        ),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
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


def _frequency_mhz(cpuinfo: str) -> float | None:
    """The first core's clock at this moment, in MHz."""
    kilohertz = _system_file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")
    text = _first_field(cpuinfo, "cpu MHz")
    try:
        if kilohertz is not None:
            return int(kilohertz) / 1000
        return float(text) if text else None
    except ValueError:
        return None


def _memory_bytes() -> int | None:
    text = _first_field(_system_file("/proc/meminfo") or "", "MemTotal")
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
