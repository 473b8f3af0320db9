"""A web server on the loopback that serves a folder, and misbehaves as it is told to.

What it does by itself is what any static host does: whole files, and the rest of one from an
offset (``Range: bytes=N-``). A behaviour is a function that answers one request in its own way.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_RANGE = re.compile(r"bytes=(\d+)-")
_PIECE = b"\0" * 65_536


@dataclass
class Asked:
    """One request.

    Attributes:
        path: below the folder.
        start: where the range starts that is asked for; 0 for the whole.
        body: that came with it.
        sent: bytes of the answer's body, so far.
    """

    path: str
    start: int = 0
    body: bytes = b""
    sent: int = 0


class Answer(BaseHTTPRequestHandler):
    """A request and the ways to answer it.

    Attributes:
        asked: the request.
    """

    protocol_version = "HTTP/1.1"
    # Else a body waits for the head to be acknowledged, which takes 40 ms.
    disable_nagle_algorithm = True
    server: _Server
    asked = Asked("")

    def do_GET(self) -> None:
        start = _RANGE.fullmatch(self.headers.get("Range", ""))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked = Asked(self.path.lstrip("/"), int(start[1]) if start else 0, body)
        self.server.home.asked.append(self.asked)
        with contextlib.suppress(OSError):
            self.server.home.behaviour(self.asked.path)(self)

    def do_POST(self) -> None:
        self.do_GET()

    @property
    def file(self) -> bytes | None:
        """The file that is asked for."""
        path = self.server.home.folder / self.asked.path
        return path.read_bytes() if path.is_file() else None

    @property
    def stopping(self) -> threading.Event:
        """Set when the test is over; a behaviour that waits waits on it."""
        return self.server.home.stopping

    def head(self, status: int, **headers: object) -> None:
        """The status and headers; underscores in names stand for hyphens."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def send(self, data: bytes) -> None:
        """Part of the body."""
        self.wfile.write(data)
        self.wfile.flush()
        self.asked.sent += len(data)

    def drop(self) -> None:
        """Close the connection at once."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


Behaviour = Callable[[Answer], None]


def honest(answer: Answer) -> None:
    """As a static host answers."""
    data = answer.file
    if data is None:
        answer.head(404, Content_Length=0)
    elif answer.asked.start >= len(data) and answer.asked.start:
        answer.head(416, Content_Range=f"bytes */{len(data)}", Content_Length=0)
    elif answer.asked.start:
        rest = data[answer.asked.start :]
        where = f"bytes {answer.asked.start}-{len(data) - 1}/{len(data)}"
        answer.head(206, Content_Length=len(rest), Content_Range=where)
        answer.send(rest)
    else:
        answer.head(200, Content_Length=len(data))
        answer.send(data)


def cut_after(count: int) -> Behaviour:
    """An honest answer whose connection is closed after some bytes, if more are left."""

    def behave(answer: Answer) -> None:
        data = answer.file or b""
        rest = data[answer.asked.start :]
        if len(rest) <= count:
            honest(answer)
            return
        if answer.asked.start:
            where = f"bytes {answer.asked.start}-{len(data) - 1}/{len(data)}"
            answer.head(206, Content_Length=len(rest), Content_Range=where)
        else:
            answer.head(200, Content_Length=len(rest))
        answer.send(rest[:count])
        answer.drop()

    return behave


def status(code: int, body: bytes = b"", **headers: object) -> Behaviour:
    """Always this answer."""

    def behave(answer: Answer) -> None:
        answer.head(code, **({"Content_Length": len(body)} | headers))
        answer.send(body)

    return behave


def first(count: int, then: Behaviour) -> Behaviour:
    """A behaviour for the first requests only."""
    left = [count]

    def behave(answer: Answer) -> None:
        left[0] -= 1
        (then if left[0] >= 0 else honest)(answer)

    return behave


def silent(answer: Answer) -> None:
    """The connection stays open, and nothing comes."""
    answer.stopping.wait()


def silent_in_the_middle(answer: Answer) -> None:
    """The head and half of the file, and nothing more."""
    data = answer.file or b""
    answer.head(200, Content_Length=len(data))
    answer.send(data[: len(data) // 2])
    answer.stopping.wait()


def dripping(every_s: float) -> Behaviour:
    """The file byte by byte."""

    def behave(answer: Answer) -> None:
        data = answer.file or b"x" * 1000
        answer.head(200, Content_Length=len(data))
        for number in range(len(data)):
            answer.send(data[number : number + 1])
            if answer.stopping.wait(every_s):
                return

    return behave


def dripping_headers(answer: Answer) -> None:
    """Headers byte by byte, without an end."""
    answer.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not answer.stopping.wait(0.1):
        answer.wfile.write(b"x")
        answer.wfile.flush()


def endless(code: int = 200, at_most: int = 32 << 20, **headers: object) -> Behaviour:
    """A body without an end, or nearly."""

    def behave(answer: Answer) -> None:
        answer.head(code, **headers)
        while answer.asked.sent < at_most and not answer.stopping.is_set():
            answer.send(_PIECE)
        answer.drop()

    return behave


def chunked(code: int, body: bytes) -> Behaviour:
    """A body in chunks, as many hosts send their error pages, in one piece with its head."""

    def behave(answer: Answer) -> None:
        chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        text = f"HTTP/1.1 {code} Told\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        answer.wfile.write(text + chunk)
        answer.wfile.flush()

    return behave


def raw(data: bytes) -> Behaviour:
    """These very bytes in place of an answer."""

    def behave(answer: Answer) -> None:
        answer.wfile.write(data)
        answer.drop()

    return behave


@dataclass
class HostileServer:
    """Serves a folder.

    Attributes:
        folder: what is served.
        rules: paths, as patterns, and what is done for them; the last that fits counts.
        asked: all requests, oldest first.
    """

    folder: Path
    rules: list[tuple[str, Behaviour]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def on(self, pattern: str, behaviour: Behaviour) -> None:
        """Misbehave for paths of a pattern."""
        self.rules.append((pattern, behaviour))

    def behave(self) -> None:
        """Serve honestly again."""
        self.rules.clear()
        self.asked.clear()

    def behaviour(self, name: str) -> Behaviour:
        """What is done for a path."""
        fitting = [behaviour for pattern, behaviour in self.rules if fnmatch(name, pattern)]
        return fitting[-1] if fitting else honest

    def asked_for(self, pattern: str) -> list[Asked]:
        """Requests of a pattern."""
        return [each for each in self.asked if fnmatch(each.path, pattern)]

    @contextlib.contextmanager
    def running(self) -> Iterator[HostileServer]:
        """Serve until the end of the block."""
        server = _Server(("127.0.0.1", 0), Answer)
        server.home = self
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stopping.set()
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    home: HostileServer
