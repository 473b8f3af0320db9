"""Whether the disk has room, by writing to it: quotas and full inodes tell nothing beforehand."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import tempfile
from pathlib import Path

from edgeseg import limits
from edgeseg.diagnosis.finding import Finding
from edgeseg.files import cannot

_MIB = 1024 * 1024
# The interpreter's messages and a graph pass through temporary files: 66 MB at 100,000 items.
_WANTED_TEMPORARY_BYTES = 128 * _MIB
_LEAST_TEMPORARY_BYTES = _MIB


def temporary_finding() -> Finding:
    """Whether files can be written where temporary ones go."""
    try:
        folder = tempfile.gettempdir()
    except OSError as error:
        why = f"no folder takes temporary files: {error.strerror}"
        mend = "mkdir -p ~/tmp && export TMPDIR=~/tmp"
        return Finding("temporary folder", "broken", "none", why, mend)
    return room_finding("temporary folder", folder, _LEAST_TEMPORARY_BYTES, _WANTED_TEMPORARY_BYTES)


def store_finding(folder: str, active_bytes: int) -> Finding:
    """Whether a store has room for the next generation, beside the one in use.

    Args:
        folder: of the store.
        active_bytes: what the generation in use takes.
    """
    least = limits.SPARE_DISK_BYTES
    return room_finding("store's disk", folder, least, least + active_bytes)


def room_finding(name: str, folder: str, least_bytes: int, wanted_bytes: int) -> Finding:
    """Whether a folder can be written to, and has room.

    Args:
        name: of the check.
        folder: where.
        least_bytes: below which it is broken; that much is written, as quotas do not tell.
        wanted_bytes: below which it is a warning.
    """
    there = Path(folder)
    mend = f"du -xh {shlex.quote(folder)} | sort -h | tail"
    try:
        free_bytes = shutil.disk_usage(there).free
        _write(there, least_bytes)
    except OSError as error:
        why = cannot("write", "to", folder, error)
        if not there.exists():
            mend = f"mkdir -p {shlex.quote(folder)}"
        return Finding(name, "broken", folder, why, mend, {"folder": folder})
    facts = {"folder": folder, "free_bytes": free_bytes, "wanted_bytes": wanted_bytes}
    found = f"{free_bytes / _MIB:,.0f} MiB free in {folder}"
    if free_bytes < wanted_bytes:
        why = f"{wanted_bytes / _MIB:,.0f} MiB are wanted there"
        return Finding(name, "warning", found, why, mend, facts)
    return Finding(name, "ok", found, facts=facts)


def _write(folder: Path, size_bytes: int) -> None:
    """Write a file of some size and remove it.

    Raises:
        OSError: it cannot be written.
    """
    # Named, though a nameless one would do, for that is what a store's files are.
    descriptor, name = tempfile.mkstemp(prefix=".edgeseg-", suffix=".tmp", dir=folder)
    try:
        # Not sparse, and not compressible.
        block = os.urandom(_MIB)
        left = size_bytes
        while left > 0:
            left -= os.write(descriptor, block[: min(left, len(block))])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108
