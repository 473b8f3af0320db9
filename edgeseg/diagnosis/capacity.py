"""Whether what the machine gives is enough: architecture, threads, memory, limits."""

from __future__ import annotations

from collections.abc import Iterator

from edgeseg import limits
from edgeseg.diagnosis.finding import Finding, Status, pip
from edgeseg.diagnosis.machine import Machine

_MIB = 1024 * 1024
# A photo of 12 megapixels is 36 MB decoded, where a match of the drawn picture decodes none.
_PHOTO_BYTES = 36_000_000
# Files, libraries, pipes to children, a catalogue and a bundle: far fewer than this.
_LEAST_OPEN_FILES = 64
# These have wheels of an interpreter; see `dependencies` and the extra tflite in pyproject.toml.
_64_BIT = frozenset({"x86_64", "aarch64", "arm64"})
_32_BIT_ARM = ("armv7", "armv8l")


def machine_findings(machine: Machine) -> Iterator[Finding]:
    """What does not depend on anything that was run."""
    yield _architecture(machine)
    yield Finding(
        "processor",
        "ok",
        f"{machine.processor or 'unknown'}; {' '.join(machine.features) or 'features unknown'}",
        facts={"processor": machine.processor, "cpu_features": list(machine.features)},
    )
    yield _threads(machine)


def _architecture(machine: Machine) -> Finding:
    found = f"{machine.machine}, {machine.bits} bits, {machine.libc or 'unknown C library'}"
    facts = {"machine": machine.machine, "bits": machine.bits, "libc": machine.libc}
    status: Status = "warning"
    why = mend = ""
    if machine.machine in _64_BIT and machine.bits == 32:
        why = (
            "this is a 32-bit Python on a 64-bit kernel, so pip looks for an interpreter of the "
            "kernel's kind, which this Python cannot load"
        )
        mend = f"setarch linux32 {pip('install', 'edgeseg[tflite]')}"
    elif machine.libc == "musl":
        why = (
            "OpenCV and the TFLite interpreter are published for glibc alone: use a system with "
            "glibc (such as Debian), be it in a container"
        )
    elif machine.libc == "bionic":
        why = (
            "OpenCV and the TFLite interpreter are not published for Android's C library: use a "
            "Debian inside Termux"
        )
        mend = "pkg install proot-distro && proot-distro install debian"
    elif machine.machine not in _64_BIT and not machine.machine.startswith(_32_BIT_ARM):
        why = f"no TFLite interpreter is published for {machine.machine}"
    else:
        status = "ok"
    return Finding("architecture", status, found, why, mend, facts)


def _threads(machine: Machine) -> Finding:
    quota = machine.quota_cores
    found = f"{machine.cores} cores" if machine.cores != 1 else "1 core"
    facts = {"cores": machine.cores, "quota_cores": quota}
    if quota is None:
        return Finding("threads", "ok", found, facts=facts)
    found += f", limited to the time of {quota:g}"
    if quota >= 1.0:
        return Finding("threads", "ok", found, facts=facts)
    why = f"a control group leaves {quota:g} of a core's time: it takes {1 / quota:.1f}x as long"
    return Finding("threads", "warning", found, why, facts=facts)


def memory_finding(machine: Machine, peak_bytes: int | None) -> Finding:
    """Whether a match fits into memory.

    Args:
        machine: what it gives.
        peak_bytes: what a match of the drawn picture took; None where it did not run.
    """
    available, total = machine.available_bytes, machine.memory_bytes
    facts = {
        "memory_bytes": total,
        "available_bytes": available,
        "match_peak_bytes": peak_bytes,
    }
    if available is None:
        return Finding("memory", "ok", "unknown", facts=facts)
    found = f"{_shown(available)} available"
    found += f" of {_shown(total)}" if total is not None else ""
    if peak_bytes is None:
        return Finding("memory", "ok", found, facts=facts)
    found += f"; a match took {_shown(peak_bytes)}"
    needed = peak_bytes + _PHOTO_BYTES
    if available >= needed:
        return Finding("memory", "ok", found, facts=facts)
    why = f"a match of a photo needs about {_shown(needed)}: end what takes the most"
    return Finding("memory", "warning", found, why, "ps -eo rss,pid,args | sort -rn | head", facts)


def limits_finding(machine: Machine, address_space_bytes: int | None) -> Finding:
    """Whether the limits of the process leave room.

    Args:
        machine: what it gives.
        address_space_bytes: what a match took; None where it did not run.
    """
    given = {
        "address space": machine.address_space_bytes,
        "file size": machine.file_bytes,
        "open files": machine.open_files,
    }
    facts = {f"{name.replace(' ', '_')}_limit": value for name, value in given.items()}
    limited = [
        f"{name} {value if name == 'open files' else _shown(value)}"
        for name, value in given.items()
        if value is not None
    ]
    found = ", ".join(limited) or "none"
    space, file_bytes, files = given.values()
    if space is not None and address_space_bytes and space < address_space_bytes + _PHOTO_BYTES:
        why = f"a match takes {_shown(address_space_bytes)} of address space besides its photo"
        return Finding("limits", "warning", found, why, "ulimit -v unlimited", facts)
    if file_bytes is not None and file_bytes < limits.MAX_CATALOGUE_BYTES:
        why = f"a catalogue may be a file of up to {_shown(limits.MAX_CATALOGUE_BYTES)}"
        return Finding("limits", "warning", found, why, "ulimit -f unlimited", facts)
    if files is not None and files < _LEAST_OPEN_FILES:
        why = "libraries, pictures and catalogues are files too"
        return Finding("limits", "warning", found, why, "ulimit -n 1024", facts)
    return Finding("limits", "ok", found, facts=facts)


def _shown(number_bytes: int) -> str:
    mebibytes = number_bytes / _MIB
    return f"{mebibytes / 1024:.1f} GiB" if mebibytes >= 1024 else f"{mebibytes:.0f} MiB"
