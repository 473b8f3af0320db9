"""Starting, stopping, and what is no HTTP at all."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="needs the extra serve")

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edgeseg import limits
from edgeseg.errors import ServeError
from edgeseg.web.access import Access
from edgeseg.web.application import make_application
from edgeseg.web.server import Listener, listen, serving


async def _page(request: Request) -> Response:
    return Response("the page", media_type="text/plain")


@contextlib.contextmanager
def _served(lines: list[str]) -> Iterator[Listener]:
    listener = listen("127.0.0.1", 0)
    access = Access.to("127.0.0.1", listener.port)
    with serving(
        make_application([Route("/", _page)], access, lines.append), listener, lines.append
    ):
        yield listener


def test_a_page_over_the_network() -> None:
    lines: list[str] = []
    with (
        _served(lines) as listener,
        urllib.request.urlopen(f"http://localhost:{listener.port}/") as answer,
    ):
        assert answer.read() == b"the page"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["server"] is None
    assert lines == []


def test_a_port_in_use() -> None:
    first = listen("127.0.0.1", 0)
    try:
        with pytest.raises(ServeError, match=f"port {first.port} is in use: stop .* --port"):
            listen("127.0.0.1", first.port)
    finally:
        first.close()


@pytest.mark.parametrize("host", ["203.0.113.7", "no such name", "no-such-name.invalid"])
def test_an_address_that_is_not_here(host: str) -> None:
    with pytest.raises(ServeError, match=f"there is no address {host} on this machine"):
        listen(host, 0)


@pytest.mark.parametrize(
    ("host", "token", "url"),
    [
        ("127.0.0.1", None, "http://127.0.0.1:81/"),
        ("::1", None, "http://[::1]:81/"),
        ("192.168.1.5", "abc", "http://192.168.1.5:81/?token=abc"),
        ("0.0.0.0", "abc", f"http://{socket.gethostname()}:81/?token=abc"),
    ],
)
def test_the_address_to_open(host: str, token: str | None, url: str) -> None:
    with socket.socket() as unused:
        assert Listener(unused, host, 81).url(Access.to(host, 81, token)) == url


def _answered(port: int, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(4096), b""))


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost b\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"x" * limits.MAX_REQUEST_HEAD_BYTES + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_http(sent: bytes) -> None:
    lines: list[str] = []
    with _served(lines) as listener:
        assert _answered(listener.port, sent)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 403")
        assert _answered(listener.port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")[:12] == (
            b"HTTP/1.1 200"
        )
    assert len(lines) == 1
    assert json.loads(lines[0])["why"]


_SCRIPT = """
import sys
from starlette.responses import Response
from starlette.routing import Route
from edgeseg.web.access import Access
from edgeseg.web.application import make_application
from edgeseg.web.server import listen, serve

async def page(request):
    return Response("the page")

listener = listen("127.0.0.1", 0)
access = Access.to("127.0.0.1", listener.port)
print(listener.url(access), flush=True)
serve(make_application([Route("/", page)], access, print), listener, print)
print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(number: signal.Signals, repository: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT],
        cwd=repository,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(url) as answer:
            assert answer.read() == b"the page"
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (0, "stopped\n", "")
