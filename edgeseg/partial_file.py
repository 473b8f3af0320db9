"""A file that arrives piece by piece."""

from __future__ import annotations

import os
from pathlib import Path

from edgeseg.errors import EdgesegError
from edgeseg.files import PathLike, cannot, sync_folder, write_all


class PartialFile:
    """A file that grows piece by piece, over several runs, until it takes its name.

    Attributes:
        path: the unfinished file; made when absent.
        size_bytes: how much of it is there.

    Raises:
        EdgesegError: here and in each method: the folder is missing or not writable, or the disk is
            full.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, 0o666)
            self.size_bytes = os.fstat(self._descriptor).st_size
        except OSError as error:
            raise EdgesegError(cannot("write", "", path, error)) from error

    def append(self, data: bytes) -> None:
        """Add bytes at the end."""
        try:
            write_all(self._descriptor, memoryview(data))
        except OSError as error:
            raise EdgesegError(cannot("write", "", self.path, error)) from error
        self.size_bytes += len(data)

    def restart(self) -> None:
        """Drop all bytes."""
        try:
            os.ftruncate(self._descriptor, 0)
        except OSError as error:
            raise EdgesegError(cannot("write", "", self.path, error)) from error
        self.size_bytes = 0

    def settle(self, target: PathLike) -> None:
        """Take another name for good: the bytes outlive a power cut, and so does the name."""
        try:
            os.fsync(self._descriptor)
            self.path.replace(target)
            sync_folder(Path(target).parent)
        except OSError as error:
            raise EdgesegError(cannot("write", "", target, error)) from error

    def __enter__(self) -> PartialFile:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
