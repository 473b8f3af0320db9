"""A memory control group of one's own, where the system lets one be made (version 1 or 2)."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.devices.errors import CannotRunError

_REMOVAL_TRIES = 20


@dataclass(frozen=True)
class MemoryGroup:
    """A group; what enters it counts against its limit.

    It counts what its processes touch first: their own memory, and pages of files, libraries
    included, which are given back when room is short. Processes that need more are killed.

    Attributes:
        folder: where the system shows it.
        version: 1 or 2.
    """

    folder: Path
    version: int

    @property
    def peak_bytes(self) -> int | None:
        """The most that it held; None where the system does not tell (version 2 before 5.19)."""
        name = "memory.max_usage_in_bytes" if self.version == 1 else "memory.peak"
        try:
            return int((self.folder / name).read_text())
        except OSError:
            return None


@contextmanager
def memory_group(limit_bytes: int) -> Iterator[MemoryGroup]:
    """Make a group below this process's own, and take it away again.

    Raises:
        CannotRunError: the system does not allow it.
    """
    parent, version = _own_group()
    folder = parent / f"edgeseg-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        folder.mkdir()
    except OSError as error:
        raise CannotRunError(
            f"no memory control group can be made here: {error.strerror}"
        ) from error
    try:
        limit, swap = (
            ("memory.limit_in_bytes", ("memory.memsw.limit_in_bytes", str(limit_bytes)))
            if version == 1
            else ("memory.max", ("memory.swap.max", "0"))
        )
        try:
            (folder / limit).write_text(str(limit_bytes))
        except OSError as error:
            raise CannotRunError(f"the memory of a group is not ours to limit: {error}") from error
        # A system without swap may not have it.
        with contextlib.suppress(OSError):
            (folder / swap[0]).write_text(swap[1])
        yield MemoryGroup(folder, version)
    finally:
        _remove(folder)


def _own_group() -> tuple[Path, int]:
    """The folder of this process's memory group.

    Raises:
        CannotRunError: none is mounted.
    """
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    for _, mount, kind, options, *_ in mounts:
        for _, controllers, path in groups:
            first = kind == "cgroup" and "memory" in options.split(",")
            if first and "memory" in controllers.split(","):
                return Path(mount) / path.lstrip("/"), 1
            second = kind == "cgroup2" and not controllers
            own = Path(mount) / path.lstrip("/")
            if second and "memory" in _text(own / "cgroup.subtree_control").split():
                return own, 2
    raise CannotRunError("no memory control group is mounted here")


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _remove(folder: Path) -> None:
    """Remove an empty group; the last process may still be leaving it."""
    for _ in range(_REMOVAL_TRIES):
        try:
            folder.rmdir()
        except OSError:
            time.sleep(0.1)
        else:
            return
