"""Published files on a web server, and reports to one, within bounds that no server can pass.

A redirect is followed by hand, an answer is read as it comes, and a watchdog shuts the sockets down
when the time is over: a server that drips a byte at a time never makes a timeout pass.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
import urllib.request
import weakref
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import urllib3

from edgeseg import __version__
from edgeseg.errors import DownloadError, EndlessDataError, SlowDownloadError
from edgeseg.partial_file import PartialFile
from edgeseg.sync.transfer.caps import Caps

_PORTAL = "is this the network's sign-in page?"
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-\d{1,15}/(\d{1,15})")
_CHUNK_BYTES = 64 * 1024
_NOT_FOUND = (403, 404)
_REDIRECTS, _MAX_REDIRECTS = (301, 302, 303, 307, 308), 3
# What is read of an answer that is of no use, so that its connection serves the next request.
_MAX_DRAINED_BYTES = 16 * 1024


def is_web(url: str) -> bool:
    """Whether an address is a web server's.

    Raises:
        DownloadError: it is no address.
    """
    try:
        return urlsplit(url).scheme in ("http", "https")
    except ValueError as error:
        raise DownloadError(f"{url}: this is no address ({error})") from error


class Web:
    """Reads files below an address.

    Args:
        url: ``http://`` or ``https://``.
        caps: bounds of all that is received.
    """

    def __init__(self, url: str, caps: Caps) -> None:
        self._url = url
        self._caps = caps
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._pool = _pool_manager(url, self._sockets)

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """A small file whole; None where there is none.

        Raises:
            EndlessDataError: it has more than ``max_bytes``.
            DownloadError: it cannot be fetched.
        """
        where = f"{self._url}/{path}"
        kept: list[bytes] = []
        with self._answer("GET", where) as response:
            missing = response.status in _NOT_FOUND
            if not missing:
                _refuse_failure(response, where)
            length, most = 0, _MAX_DRAINED_BYTES if missing else max_bytes
            for piece in self._arriving(response):
                length += len(piece)
                if length > most:
                    break
                kept.append(piece)
        if missing:
            return None
        if length > max_bytes:
            raise EndlessDataError(f"{where} has more than the {max_bytes} bytes that it may have")
        return b"".join(kept)

    def pieces(self, path: str, length_bytes: int, part: PartialFile) -> Iterator[bytes]:
        """What follows ``part`` of a file; ``part`` is dropped where the server begins anew.

        Raises:
            DownloadError: it cannot be fetched.
        """
        where = f"{self._url}/{path}"
        headers = {"Range": f"bytes={part.size_bytes}-"} if part.size_bytes else {}
        with self._answer("GET", where, headers) as response:
            _check_answer(response, where, length_bytes, part)
            yield from self._arriving(response)

    def post(self, data: bytes) -> None:
        """Post a JSON document to the address itself; what it answers is not read.

        Raises:
            DownloadError: it does not take it.
        """
        with self._answer(
            "POST", self._url, {"Content-Type": "application/json"}, data
        ) as response:
            if not 200 <= response.status < 300:
                raise DownloadError(f"{self._url}: the server answers {response.status}")

    @contextlib.contextmanager
    def _answer(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """An answer, its body unread; its errors are DownloadErrors, also while it is read."""
        left_s = self._caps.left_s()
        silence_s = min(self._caps.silence_s, left_s)
        watchdog = threading.Timer(left_s, self._cut)
        watchdog.daemon = True
        watchdog.start()
        response = None
        try:
            here = url
            for _ in range(1 + _MAX_REDIRECTS):
                self._caps.requests += 1
                response = self._pool.request(
                    method,
                    here,
                    body=body,
                    headers={**self._pool.headers, **(headers or {})},
                    preload_content=False,
                    decode_content=False,
                    timeout=urllib3.Timeout(connect=silence_s, read=silence_s),
                    retries=False,
                    redirect=False,
                )
                if method != "GET" or response.status not in _REDIRECTS:
                    break
                response.close()
                here = urljoin(here, response.headers.get("Location", ""))
                if not is_web(here):
                    raise DownloadError(f"{url}: it is redirected to what is no web server")
            else:
                raise DownloadError(f"{url}: it is redirected again and again; {_PORTAL}")
            yield response
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            self._caps.left_s()
            raise _told(url, error, silence_s) from error
        finally:
            watchdog.cancel()
            if response is not None:
                # Read to its end it serves the next request; else it is of no use.
                if not response.closed:
                    response.close()
                response.release_conn()

    def _arriving(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        """The body as it comes."""
        started_s, received = time.monotonic(), 0
        # `read` would wait for a whole chunk however slowly it comes; `read1` gives what there is.
        while piece := response.read1(_CHUNK_BYTES):
            self._caps.left_s()
            self._caps.count(len(piece))
            received += len(piece)
            yield piece
            taken_s = time.monotonic() - started_s
            if taken_s > self._caps.silence_s:
                if received < self._caps.min_bytes_per_s * taken_s:
                    raise SlowDownloadError(
                        f"{self._url} sends {received / taken_s:.0f} bytes a second; at least "
                        f"{self._caps.min_bytes_per_s:g} are asked for"
                    )
                started_s, received = time.monotonic(), 0
        # What the watchdog cut off ends as if it were complete.
        self._caps.left_s()

    def _cut(self) -> None:
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _refuse_failure(response: urllib3.BaseHTTPResponse, where: str) -> None:
    if response.status != 200:
        raise DownloadError(f"{where}: the server answers {response.status}")


def _check_answer(
    response: urllib3.BaseHTTPResponse, where: str, length_bytes: int, part: PartialFile
) -> None:
    """Whether an answer goes on where the file broke off; else it is begun again."""
    if response.status == 206:
        stated = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if stated and (int(stated[1]), int(stated[2])) == (part.size_bytes, length_bytes):
            return
        raise DownloadError(f"{where} answers with another range than was asked for")
    if response.status == 416:
        part.restart()
        raise DownloadError(f"{where} has fewer bytes than have come of it")
    _refuse_failure(response, where)
    stated_length = response.headers.get("Content-Length", "")
    if stated_length != str(length_bytes):
        answered = (
            stated_length if re.fullmatch(r"\d{1,15}", stated_length) else "who knows how many"
        )
        raise DownloadError(
            f"{where} answers {answered} bytes where the file has {length_bytes}; {_PORTAL}"
        )
    if part.size_bytes:
        part.restart()


def _pool_manager(url: str, sockets: weakref.WeakSet[socket.socket]) -> urllib3.PoolManager:
    """Through the proxy that the environment names; its sockets are noted, to be shut down."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    headers = {"User-Agent": f"edgeseg/{__version__}", "Accept-Encoding": "identity"}
    manager: urllib3.PoolManager
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        manager = urllib3.ProxyManager(proxy, num_pools=2, headers=headers)
    else:
        manager = urllib3.PoolManager(num_pools=2, headers=headers)
    manager.pool_classes_by_scheme = {
        "http": _noting(urllib3.HTTPConnectionPool, sockets),
        "https": _noting(urllib3.HTTPSConnectionPool, sockets),
    }
    return manager


def _noting(pool: Any, sockets: weakref.WeakSet[socket.socket]) -> Any:
    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            sockets.add(self.sock)

    class Pool(pool):  # type: ignore[misc]
        ConnectionCls = Connection

    return Pool


def _told(url: str, error: Exception, silence_s: float) -> DownloadError:
    """A failed request in words; silence is told apart."""
    # The first two count as timeouts too, for urllib3.
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return DownloadError(f"{url}: there is no such host, or no network")
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return DownloadError(f"{url}: the server is not reached; is there a network?")
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return SlowDownloadError(f"{url}: the server was silent for {silence_s:g} s")
    if isinstance(error, urllib3.exceptions.SSLError):
        return DownloadError(f"{url}: no trusted connection ({error}); is the clock right?")
    reason = "".join(c if c.isprintable() else " " for c in str(error))[:200]
    return DownloadError(f"{url}: the connection broke ({type(error).__name__}: {reason})")
