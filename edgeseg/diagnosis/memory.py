"""What memory this process has and had."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak_memory_bytes() -> int:
    """The most memory that this process had resident.

    Linux hands a parent's ``ru_maxrss`` down through fork and exec, so a small child of a large
    parent would report the parent's. ``VmHWM`` is the same figure for this program alone.
    """
    peak_bytes = status_bytes("VmHWM")
    if peak_bytes is not None:
        return peak_bytes
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_bytes


def steady_memory_bytes() -> int | None:
    """The memory that this process has resident now; None where there is no /proc."""
    return status_bytes("VmRSS")


def status_bytes(field: str) -> int | None:
    """A field of the process's own status, such as ``VmPeak``; None where there is no /proc."""
    try:
        with Path("/proc/self/status").open(encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith(f"{field}:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass  # no /proc here: macOS, or a container that hides it
    return None
