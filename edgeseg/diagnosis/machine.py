"""What the machine gives: processor, threads, memory, limits. Read from the system's own files."""

from __future__ import annotations

import os
import platform
import re
import resource
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

# Instruction sets that the interpreter's int8 and float kernels choose between.
_TELLING_CPU_FEATURES = (
    "sse4_1", "sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw",
    "avx512_vnni", "amx_int8",
    "neon", "asimd", "asimdhp", "asimddp", "i8mm", "sve",
)  # fmt: skip
_MAX_SYSTEM_FILE_CHARS = 1 << 20
# A version 1 control group without a limit tells the largest number of pages that there could be.
_NO_LIMIT_BYTES = 1 << 60


@dataclass(frozen=True)
class Machine:
    """What was read.

    Attributes:
        machine: as ``uname -m`` tells it.
        bits: of Python's pointers, 32 or 64.
        libc: ``glibc 2.36``, ``musl``, ``bionic``, or empty where it is unknown.
        processor: its name, empty where it is unknown.
        features: instruction sets that kernels choose between.
        cores: that this process may run on.
        quota_cores: how many cores' time its control groups allow it; None for no limit.
        memory_bytes: of main memory; None where it is unknown.
        available_bytes: of memory that a process could get now, within its control groups; None
            where it is unknown.
        address_space_bytes, file_bytes: limits of the process; None for none.
        open_files: limit of the process; None for none.
    """

    machine: str
    bits: int
    libc: str
    processor: str
    features: tuple[str, ...]
    cores: int
    quota_cores: float | None
    memory_bytes: int | None
    available_bytes: int | None
    address_space_bytes: int | None
    file_bytes: int | None
    open_files: int | None


def read_machine(root: Path = Path("/")) -> Machine:
    """Read what this machine gives.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    cpuinfo = _text(root / "proc/cpuinfo")
    words = set(" ".join(_fields(cpuinfo, "flags", "Features")).split())
    names = _fields(cpuinfo, "model name", "Model", "Hardware") or [platform.processor()]
    memory = _text(root / "proc/meminfo")
    groups = _control_groups(root)
    left = [_kilobytes(memory, "MemAvailable"), *map(_memory_left, groups)]
    quotas = [quota for quota in map(_quota, groups) if quota is not None]
    return Machine(
        machine=platform.machine(),
        bits=64 if sys.maxsize > 2**32 else 32,
        libc=_libc(),
        processor=names[0],
        features=tuple(name for name in _TELLING_CPU_FEATURES if name in words),
        cores=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        quota_cores=min(quotas, default=None),
        memory_bytes=_kilobytes(memory, "MemTotal"),
        available_bytes=min((each for each in left if each is not None), default=None),
        address_space_bytes=_limit(resource.RLIMIT_AS),
        file_bytes=_limit(resource.RLIMIT_FSIZE),
        open_files=_limit(resource.RLIMIT_NOFILE),
    )


def _libc() -> str:
    if hasattr(sys, "getandroidapilevel"):
        return "bionic"
    name, version = platform.libc_ver()
    if name:
        return f"{name} {version}"
    told = f"{sysconfig.get_config_var('SOABI')} {sysconfig.get_config_var('HOST_GNU_TYPE')}"
    return "musl" if "musl" in told else ""


def _limit(which: int) -> int | None:
    soft = resource.getrlimit(which)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _fields(text: str, *names: str) -> list[str]:
    """The values of the first of ``names`` that occurs: x86 and ARM label them otherwise."""
    for name in names:
        found = re.findall(rf"^{re.escape(name)}\s*:\s*(.*)$", text, re.MULTILINE)
        if found:
            return [value.strip() for value in found]
    return []


def _kilobytes(text: str, name: str) -> int | None:
    values = _fields(text, name)
    number = values[0].split()[0] if values and values[0] else ""
    return int(number) * 1024 if number.isdigit() else None


def _control_groups(root: Path) -> list[Path]:
    """Folders of this process's control groups and all above them, of version 1 and 2."""
    folders: dict[Path, None] = {}
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, own = [*line.split(":", 2), "", ""][:3]
        tops = [f"sys/fs/cgroup/{name}" for name in controllers.split(",") if name]
        for top in [root / each for each in tops] or [root / "sys/fs/cgroup"]:
            # Inside a container the path may be that of the host: what does not exist reads as
            # no limit, and the top is always looked at.
            inner = top / own.lstrip("/")
            for folder in (inner, *inner.parents):
                folders[folder] = None
                if folder == top:
                    break
    return list(folders)


def _quota(group: Path) -> float | None:
    """Cores' time that a control group allows."""
    told = _text(group / "cpu.max").split()
    if len(told) != 2:
        told = [_text(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    quota, period = told
    return (
        int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None
    )


def _memory_left(group: Path) -> int | None:
    """Bytes that a control group still gives; pages of files count as given back."""
    for limit_name, used_name, cache_name in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        limit = _text(group / limit_name).strip()
        used = _text(group / used_name).strip()
        if limit.isdigit() and used.isdigit() and int(limit) < _NO_LIMIT_BYTES:
            cached = re.search(rf"^{cache_name} (\d+)$", _text(group / "memory.stat"), re.MULTILINE)
            kept = int(used) - (int(cached.group(1)) if cached else 0)
            return max(int(limit) - kept, 0)
    return None


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_SYSTEM_FILE_CHARS)
    except OSError:
        return ""
