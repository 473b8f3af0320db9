"""Fetching published files: bounded in bytes and time, resumed where it broke off.

What a server sends is not believed here, only kept within bounds; :mod:`edgeseg.sync.trust` and
:mod:`edgeseg.sync.install` check it against signed metadata.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from edgeseg.errors import DownloadError, EndlessDataError, SlowDownloadError
from edgeseg.partial_file import PartialFile
from edgeseg.sync.transfer.caps import Caps
from edgeseg.sync.transfer.folder import Folder
from edgeseg.sync.transfer.web import Web, is_web

OnBytes = Callable[[int], None]


class Source(Protocol):
    """Where published files are read; every byte is counted by its caps."""

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """A small file whole; None where there is none."""
        ...

    def pieces(self, path: str, length_bytes: int, part: PartialFile) -> Iterator[bytes]:
        """What follows ``part`` of a file of known length; drops ``part`` to begin again."""
        ...


class Transport:
    """Reads published files from a web server, or from a folder such as a memory stick's.

    Args:
        url: ``http://`` or ``https://``, else a folder.
        caps: bounds of all transfers together.

    Raises:
        DownloadError: the address is none.
    """

    def __init__(self, url: str, caps: Caps | None = None) -> None:
        self.caps = Caps() if caps is None else caps
        self._url = url.rstrip("/")
        self._source: Source
        if is_web(url):
            self._source = Web(self._url, self.caps)
        elif "://" in url:
            raise DownloadError(f"{url}: a sync reads from http://, https:// or a folder")
        else:
            self._source = Folder(self._url, self.caps)

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """A small file whole; None where there is none.

        Raises:
            EndlessDataError: it has more than ``max_bytes``.
            DownloadError: it cannot be fetched.
        """
        return self._source.read(path, max_bytes)

    def fetch(
        self, path: str, length_bytes: int, part: PartialFile, on_bytes: OnBytes = lambda _: None
    ) -> None:
        """A file of known length, from where it broke off.

        Args:
            path: below the address.
            length_bytes: of the whole.
            part: what there is of it; complete afterwards.
            on_bytes: told how many bytes have come after each piece.

        Raises:
            DownloadError: it cannot be fetched; ``part`` keeps what has come.
        """
        if part.size_bytes > length_bytes:
            part.restart()
        failures = 0
        while part.size_bytes < length_bytes:
            before = part.size_bytes
            try:
                self._fetch_once(path, length_bytes, part, on_bytes)
            except DownloadError as error:
                failures = 1 if part.size_bytes > before else failures + 1
                final = isinstance(error, SlowDownloadError | EndlessDataError)
                if final or failures >= self.caps.attempts:
                    raise
                pause_s = self.caps.backoff_s * 2 ** (failures - 1)
                time.sleep(min(pause_s, self.caps.left_s()))

    def _fetch_once(
        self, path: str, length_bytes: int, part: PartialFile, on_bytes: OnBytes
    ) -> None:
        where = f"{self._url}/{path}"
        for piece in self._source.pieces(path, length_bytes, part):
            if part.size_bytes + len(piece) > length_bytes:
                raise EndlessDataError(f"{where} has more than its {length_bytes} bytes")
            part.append(piece)
            on_bytes(part.size_bytes)
        if part.size_bytes < length_bytes:
            raise DownloadError(f"{where} broke off: the connection was closed early")
