"""An exclusive lock between processes, which no kill leaves behind."""

from __future__ import annotations

import fcntl
import os
from types import TracebackType

from edgeseg.errors import EdgesegError
from edgeseg.files import PathLike, cannot, shown_path


class Lock:
    """An exclusive lock between processes, held on a small file that stays in place.

    The kernel drops it when the process ends, however that happens, so there are no stale locks.

    Args:
        path: the lock file; made when absent. Its folder must exist.
    """

    def __init__(self, path: PathLike) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, *, wait: bool = False) -> None:
        """Take the lock.

        Args:
            wait: wait for another holder to finish instead of failing.

        Raises:
            EdgesegError: another process holds it, or the lock file cannot be made.
        """
        if self._descriptor is not None:
            raise ValueError("this lock is already held")
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise EdgesegError(cannot("lock", "", self._path, error)) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise EdgesegError(
                    f"{shown_path(self._path)} is in use by another process; wait until it is done"
                ) from error
            if isinstance(error, OSError):
                raise EdgesegError(cannot("lock", "", self._path, error)) from error
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Let the lock go; nothing happens when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
