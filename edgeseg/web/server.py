"""Listening, serving and stopping: one page's application on uvicorn."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from edgeseg import limits
from edgeseg.errors import ServeError
from edgeseg.files import shown_path
from edgeseg.web.access import Access
from edgeseg.web.refusal import Log

_START_S = 30.0


@dataclass(frozen=True)
class Tls:
    """What HTTPS needs.

    Attributes:
        certificate: PEM, with those that vouch for it.
        key: PEM, its private key.
    """

    certificate: Path
    key: Path

    def check(self) -> None:
        """Refuse what cannot be served with.

        Raises:
            ServeError: one of the files cannot be read, or they do not belong together.
        """
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
        except OSError as error:
            raise ServeError(
                f"cannot serve HTTPS with {shown_path(self.certificate)} and "
                f"{shown_path(self.key)}: {error.strerror or error}"
            ) from error


@dataclass(frozen=True)
class Listener:
    """A port that is listened at, before anything is served on it.

    Attributes:
        socket: bound.
        host: as it was asked for.
        port: the real one, also where 0 asked for any.
        tls: for HTTPS; None for HTTP.
    """

    socket: socket.socket
    host: str
    port: int
    tls: Tls | None = None

    def url(self, access: Access) -> str:
        """The address to open in a browser, with the token where there is one."""
        anywhere = self.host in ("0.0.0.0", "::")
        name = socket.gethostname() if anywhere else self.host
        shown = f"[{name}]" if ":" in name else name
        query = f"?token={access.token}" if access.token else ""
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://{shown}:{self.port}/{query}"

    def close(self) -> None:
        """Listen no more."""
        self.socket.close()


def listen(host: str, port: int, tls: Tls | None = None) -> Listener:
    """Take a port.

    Args:
        host: address or name of this machine; loopback names reach nobody else.
        port: 0 takes any that is free.
        tls: for HTTPS.

    Raises:
        ServeError: the port is in use or not allowed, the address is not this machine's, or HTTPS
            cannot be served.
    """
    if tls is not None:
        tls.check()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise ServeError(f"there is no address {host} on this machine") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        # Beyond this, uvicorn's own backlog is what counts.
        bound.listen(limits.MAX_CONNECTIONS)
    except OSError as error:
        bound.close()
        raise ServeError(_cannot_listen(host, port, error)) from error
    return Listener(bound, host, bound.getsockname()[1], tls)


def serve(application: ASGIApp, listener: Listener, log: Log) -> None:
    """Serve until Ctrl-C or SIGTERM, which end it as soon as what is under way is answered."""
    # uvicorn raises the signal again when it is done; a service stopped by SIGTERM ends as well as
    # one stopped by Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        _server(application, listener.tls, log).run(sockets=[listener.socket])


@contextlib.contextmanager
def serving(application: ASGIApp, listener: Listener, log: Log) -> Iterator[None]:
    """Serve in a thread as long as the ``with`` block lasts.

    Raises:
        ServeError: it does not start.
    """
    server = _server(application, listener.tls, log)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener.socket]}, daemon=True)
    thread.start()
    deadline_s = time.monotonic() + _START_S
    while not server.started and thread.is_alive() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    if not server.started:
        raise ServeError("the server does not start")
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def _server(application: ASGIApp, tls: Tls | None, log: Log) -> uvicorn.Server:
    _tell_uvicorn_to(log)
    return uvicorn.Server(
        uvicorn.Config(
            application,
            # Plain Python, as on a device that has no wheels of httptools.
            http="h11",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=limits.MAX_CONNECTIONS,
            h11_max_incomplete_event_size=limits.MAX_REQUEST_HEAD_BYTES,
            timeout_keep_alive=limits.MAX_IDLE_CONNECTION_S,
            timeout_graceful_shutdown=limits.MAX_SHUTDOWN_S,
            ssl_certfile=None if tls is None else str(tls.certificate),
            ssl_keyfile=None if tls is None else str(tls.key),
        )
    )


class _Lines(logging.Handler):
    """Gives the log what uvicorn itself refuses, such as what is no HTTP."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        message = " ".join(record.getMessage().split())[: limits.MAX_LOGGED_CHARS]
        self._log(json.dumps({"server": record.levelname.lower(), "why": message}))


def _tell_uvicorn_to(log: Log) -> None:
    logger = logging.getLogger("uvicorn.error")
    logger.propagate = False
    logger.handlers = [_Lines(log)]
    # Less would be lines on every start and stop.
    logger.setLevel(logging.WARNING)


def _cannot_listen(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use: stop what uses it, or name another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} is not allowed: name one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"there is no address {host} on this machine"
    return f"cannot listen at {host} port {port}: {error.strerror}"
