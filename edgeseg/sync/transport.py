"""Fetching published files: bounded in bytes and time, resumed where it broke off.

What a server sends is not believed here, only kept within bounds; :mod:`edgeseg.sync.trust` and
:mod:`edgeseg.sync.client` check it against signed metadata.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import urllib3

from edgeseg.errors import (
    DownloadError,
    EdgesegError,
    EndlessDataError,
    LimitExceededError,
    SlowDownloadError,
)
from edgeseg.files import PartialFile, map_bounded, read_bounded
from edgeseg.sync import web

_CHUNK_BYTES = 64 * 1024
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_NOT_FOUND = (403, 404)

OnBytes = Callable[[int], None]


@dataclass
class Caps:
    """What a sync may take, and what it has taken.

    Attributes:
        max_bytes: of all that is received.
        max_seconds: from the start to the end of all transfers.
        silence_s: without a byte, after which a server counts as gone.
        min_bytes_per_s: over ``silence_s``, below which it counts as too slow.
        attempts: at one file, as long as nothing more of it arrives.
        backoff_s: before the second attempt; twice that before the third, and so on.
        received_bytes: so far.
        requests: so far.
    """

    max_bytes: int = 1 << 30
    max_seconds: float = 900.0
    silence_s: float = 20.0
    min_bytes_per_s: float = 256.0
    attempts: int = 3
    backoff_s: float = 0.5
    received_bytes: int = 0
    requests: int = 0
    _started_s: float = field(default_factory=time.monotonic)

    def left_s(self) -> float:
        """Seconds left.

        Raises:
            SlowDownloadError: none.
        """
        left_s = self._started_s + self.max_seconds - time.monotonic()
        if left_s <= 0:
            raise SlowDownloadError(
                f"the sync took longer than the {self.max_seconds:g} s that it may; what has "
                "arrived is kept for the next one"
            )
        return left_s

    def count(self, received_bytes: int) -> None:
        """Add what was received.

        Raises:
            EndlessDataError: that is more than it may be.
        """
        self.received_bytes += received_bytes
        if self.received_bytes > self.max_bytes:
            raise EndlessDataError(
                f"the sync received more than the {self.max_bytes} bytes that it may; what has "
                "arrived is kept for the next one"
            )


class Transport:
    """Reads published files from a web server, or from a folder such as a memory stick's.

    Args:
        url: ``http://`` or ``https://``, else a folder.
        caps: bounds of all transfers together.
    """

    def __init__(self, url: str, caps: Caps | None = None) -> None:
        self.caps = Caps() if caps is None else caps
        self._url = url.rstrip("/")
        self._remote = urlsplit(url).scheme in ("http", "https")
        if not self._remote and "://" in url:
            raise DownloadError(f"{url}: a sync reads from http://, https:// or a folder")
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._pool = web.pool_manager(url, self._sockets) if self._remote else None

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """A small file whole; None where there is none.

        Raises:
            EndlessDataError: it has more than ``max_bytes``.
            DownloadError: it cannot be fetched.
        """
        if self._pool is None:
            file = Path(self._url, path)
            if not file.is_file():
                return None
            with _as_download_error():
                data = read_bounded(file, max_bytes, "published file")
            self.caps.count(len(data))
            return data
        pieces: list[bytes] = []
        length = 0
        with self._answer(self._pool, path, 0) as response:
            if response.status in _NOT_FOUND:
                return None
            self._refuse_failure(response, path)
            for piece in self._pieces(response):
                length += len(piece)
                if length > max_bytes:
                    raise EndlessDataError(
                        f"{self._url}/{path} has more than the {max_bytes} bytes that it may have"
                    )
                pieces.append(piece)
        return b"".join(pieces)

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
        if self._pool is None:
            with _as_download_error():
                data = map_bounded(Path(self._url, path), length_bytes, "published file")
            for start in range(part.size_bytes, len(data), _CHUNK_BYTES):
                self.caps.left_s()
                self._keep(bytes(data[start : start + _CHUNK_BYTES]), part, on_bytes)
        else:
            with self._answer(self._pool, path, part.size_bytes) as response:
                self._check_answer(response, path, length_bytes, part)
                for piece in self._pieces(response):
                    if part.size_bytes + len(piece) > length_bytes:
                        raise EndlessDataError(
                            f"{self._url}/{path} has more than its {length_bytes} bytes"
                        )
                    self._keep(piece, part, on_bytes, counted=True)
        if part.size_bytes < length_bytes:
            raise DownloadError(f"{self._url}/{path} broke off: the connection was closed early")

    def _keep(
        self, piece: bytes, part: PartialFile, on_bytes: OnBytes, counted: bool = False
    ) -> None:
        if not counted:
            self.caps.count(len(piece))
        part.append(piece)
        on_bytes(part.size_bytes)

    def _check_answer(
        self, response: urllib3.BaseHTTPResponse, path: str, length_bytes: int, part: PartialFile
    ) -> None:
        """Whether the answer goes on where the file broke off; else it is begun again."""
        where = f"{self._url}/{path}"
        if response.status == 206:
            stated = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if stated and (int(stated[1]), int(stated[2])) == (part.size_bytes, length_bytes):
                return
            raise DownloadError(f"{where} answers with another range than was asked for")
        if response.status == 416:
            part.restart()
            raise DownloadError(f"{where} has fewer bytes than have come of it")
        self._refuse_failure(response, path)
        stated_bytes = response.headers.get("Content-Length")
        if stated_bytes != str(length_bytes):
            raise DownloadError(
                f"{where} answers {stated_bytes or 'who knows how many'} bytes where the file has "
                f"{length_bytes}; {web.PORTAL}"
            )
        if part.size_bytes:
            part.restart()

    def _refuse_failure(self, response: urllib3.BaseHTTPResponse, path: str) -> None:
        if response.status != 200:
            raise DownloadError(f"{self._url}/{path}: the server answers {response.status}")

    @contextlib.contextmanager
    def _answer(
        self, pool: urllib3.PoolManager, path: str, start: int
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """A response, its body unread; its errors are DownloadErrors, also while it is read."""
        url = f"{self._url}/{path}"
        left_s = self.caps.left_s()
        self.caps.requests += 1
        silence_s = min(self.caps.silence_s, left_s)
        headers = {"Range": f"bytes={start}-"} if start else {}
        # A timeout runs anew with every byte, so a server can drip for ever: this one does not.
        watchdog = threading.Timer(left_s, self._cut)
        watchdog.daemon = True
        watchdog.start()
        response = None
        try:
            response = pool.request(
                "GET",
                url,
                headers=headers,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=silence_s, read=silence_s),
                retries=urllib3.Retry(connect=0, read=0, status=0, other=0, redirect=3),
            )
            yield response
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            self.caps.left_s()
            raise web.told(url, error, self.caps.silence_s) from error
        finally:
            watchdog.cancel()
            if response is not None:
                # Read to its end it serves the next request; else it is of no use.
                if response.length_remaining:
                    response.close()
                response.release_conn()

    def _pieces(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        started_s, received = time.monotonic(), 0
        # `read` would wait for a whole chunk however slowly it comes; `read1` gives what there is.
        while piece := response.read1(_CHUNK_BYTES):
            self.caps.left_s()
            self.caps.count(len(piece))
            received += len(piece)
            yield piece
            taken_s = time.monotonic() - started_s
            if taken_s > self.caps.silence_s:
                if received < self.caps.min_bytes_per_s * taken_s:
                    raise SlowDownloadError(
                        f"{self._url} sends {received / taken_s:.0f} bytes a second; at least "
                        f"{self.caps.min_bytes_per_s:g} are asked for"
                    )
                started_s, received = time.monotonic(), 0

    def _cut(self) -> None:
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _as_download_error() -> Iterator[None]:
    try:
        yield
    except LimitExceededError as error:
        raise EndlessDataError(str(error)) from error
    except EdgesegError as error:
        raise DownloadError(str(error)) from error
