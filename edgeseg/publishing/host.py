"""Where a publisher puts files: a folder, or anything that fsspec reaches (``s3://...``)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeseg.errors import LimitExceededError, SyncError
from edgeseg.file_system import file_system, is_address
from edgeseg.files import made_folder, read_bounded, write_atomic


class Host:
    """Reads and writes published files by their path below one place.

    Args:
        place: a folder, or an address with ``://`` that fsspec knows.

    Raises:
        MissingExtraError: fsspec, or what it needs for the address, is not installed.
        EdgesegError: the address is none.
    """

    def __init__(self, place: str) -> None:
        self._place = place.rstrip("/")
        self._folder = None if is_address(place) else Path(place)
        self._files: Any = None
        if self._folder is None:
            self._files, self._place = file_system(place, "publish")

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """A file whole; None where there is none.

        Raises:
            EdgesegError: it cannot be read, or is larger than ``max_bytes``.
        """
        if self._folder is not None:
            file = self._folder / path
            return read_bounded(file, max_bytes, "published file") if file.exists() else None
        with self._told(path):
            try:
                with self._files.open(self._at(path), "rb") as opened:
                    data: bytes = opened.read(max_bytes + 1)
            except FileNotFoundError:
                return None
        if len(data) > max_bytes:
            raise LimitExceededError(f"{self._at(path)} has more than {max_bytes} bytes")
        return data

    def write(self, path: str, data: bytes) -> None:
        """Make or replace a file.

        Raises:
            EdgesegError: it cannot be written.
        """
        if self._folder is not None:
            made_folder((self._folder / path).parent)
            write_atomic(self._folder / path, data)
            return
        with self._told(path):
            self._files.makedirs(self._at(path).rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(self._at(path), data)

    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder.

        Raises:
            SyncError: they cannot be listed.
        """
        if self._folder is not None:
            here = self._folder / folder
            return sorted(path.name for path in here.iterdir()) if here.is_dir() else []
        with self._told(folder):
            if not self._files.exists(self._at(folder)):
                return []
            listed = self._files.ls(self._at(folder), detail=False)
        return sorted(str(name).rpartition("/")[2] for name in listed)

    def remove(self, path: str) -> None:
        """Remove a file; nothing happens where there is none.

        Raises:
            SyncError: it cannot be removed.
        """
        with self._told(path), contextlib.suppress(FileNotFoundError):
            if self._folder is not None:
                (self._folder / path).unlink()
            else:
                self._files.rm_file(self._at(path))

    def _at(self, path: str) -> str:
        return f"{self._place}/{path}"

    @contextlib.contextmanager
    def _told(self, path: str) -> Iterator[None]:
        """File systems of others raise what they like."""
        try:
            yield
        except (SyncError, FileNotFoundError):
            raise
        except Exception as error:
            raise SyncError(f"{self._at(path)}: {type(error).__name__}: {error}") from error
