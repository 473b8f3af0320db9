"""urllib3 as a sync uses it: with the proxy that the environment names, and its errors in words."""

from __future__ import annotations

import socket
import urllib.request
import weakref
from typing import Any
from urllib.parse import urlsplit

import urllib3

from edgeseg import __version__
from edgeseg.errors import DownloadError, SlowDownloadError

PORTAL = "is this the network's sign-in page?"


def pool_manager(url: str, sockets: weakref.WeakSet[socket.socket]) -> urllib3.PoolManager:
    """One for an address, which notes its sockets in ``sockets`` so that they can be shut down."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    headers = {"User-Agent": f"edgeseg/{__version__}", "Accept-Encoding": "identity"}
    manager: urllib3.PoolManager
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        manager = urllib3.ProxyManager(proxy, num_pools=2, headers=headers)
    else:
        manager = urllib3.PoolManager(num_pools=2, headers=headers)
    noting: dict[str, Any] = {}
    for scheme, pool in (
        ("http", urllib3.HTTPConnectionPool),
        ("https", urllib3.HTTPSConnectionPool),
    ):
        noting[scheme] = _noting(pool, sockets)
    manager.pool_classes_by_scheme = noting
    return manager


def _noting(pool: Any, sockets: weakref.WeakSet[socket.socket]) -> Any:
    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            sockets.add(self.sock)

    class Pool(pool):  # type: ignore[misc]
        ConnectionCls = Connection

    return Pool


def told(url: str, error: Exception, silence_s: float) -> DownloadError:
    """A failed request in words; silence is told apart."""
    reason: BaseException = error
    if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason is not None:
        reason = error.reason
    if isinstance(reason, urllib3.exceptions.TimeoutError):
        return SlowDownloadError(f"{url}: the server was silent for {silence_s:g} s")
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        return DownloadError(f"{url}: there is no such host, or no network")
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return DownloadError(f"{url}: the server is not reached; is there a network?")
    if isinstance(reason, urllib3.exceptions.ResponseError):
        return DownloadError(f"{url}: it is redirected again and again; {PORTAL}")
    if isinstance(reason, urllib3.exceptions.SSLError):
        return DownloadError(f"{url}: no trusted connection ({reason}); is the clock right?")
    return DownloadError(f"{url}: the connection broke ({type(reason).__name__}: {reason})")
