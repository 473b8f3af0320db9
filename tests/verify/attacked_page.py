"""The attack list: over a socket, as no browser would, and out of a catalogue into a browser."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeseg import limits
from edgeseg.catalogue import Catalogue, Item
from tests.edgeseg.web.driven import browser, tab
from tests.verify.figure import NotMeasuredError
from tests.verify.served_page import Server, serve_page
from tests.verify.workbench import Workbench

_EVIL = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
_TOKEN = "a-token-that-only-the-worker-has"
_PATIENCE_S = 20.0
_LOG_S = 5.0


@dataclass(frozen=True)
class Attack:
    """A request that must not be answered as asked.

    Attributes:
        name: of the attack.
        head: request line and headers; ``{host}`` is the server's own.
        body: behind it.
    """

    name: str
    head: tuple[str, ...]
    body: bytes = b""


def attacked(bench: Workbench, photo: Path) -> Sequence[float]:
    """Every attack on a page for this machine, and those without the token on one for others."""
    catalogue = _hostile_catalogue(bench)
    options = ("--catalogue", str(catalogue), *bench.bundle_options)
    token = bench.work / "token.txt"
    token.write_text(_TOKEN)
    with serve_page(bench, *options) as server:
        local = _attacks(photo.read_bytes())
        first = through(server, local, f"127.0.0.1:{server.port}")
        ran = _scripts_run(server, photo)
    others = (*options, "--host", "0.0.0.0", "--token-file", str(token))
    with serve_page(bench, *others) as server:
        remote = _without_token()
        second = through(server, remote, f"127.0.0.1:{server.port}")
    faults = (*first, *second)
    for told in faults:
        sys.stderr.write(f"page-attacks: {told}\n")
    admitted = sum("not refused" in told for told in faults)
    return [admitted, len(faults) - admitted, ran, len(local) + len(remote)]


def through(server: Server, attacks: Sequence[Attack], host: str) -> list[str]:
    """What got through, or was not logged in one line of its own."""
    faults = []
    for attack in attacks:
        before = len(server.lines)
        status = _status(server.port, attack, host)
        if not 400 <= status < 500:
            faults.append(f"{attack.name}: not refused ({status})")
        deadline_s = time.monotonic() + _LOG_S
        while len(server.lines) == before and time.monotonic() < deadline_s:
            time.sleep(0.01)
        # A second line would come as late as the first.
        time.sleep(0.05)
        added = server.lines[before:]
        plain = all(line.isascii() and line.isprintable() for line in added)
        if len(added) != 1 or not plain or not json.loads(added[0])["why"]:
            faults.append(f"{attack.name}: {len(added)} lines in the log")
    return faults


def _status(port: int, attack: Attack, host: str) -> int:
    """The status that is answered; 0 where there is no answer."""
    lines = [line.format(host=host) for line in attack.head]
    if not any(line.lower().startswith("host:") for line in lines):
        lines.insert(1, f"Host: {host}")
    sent = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S) as connection:
        # A server that refuses reads no further.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent)
            for start in range(0, len(attack.body), 1 << 16):
                connection.sendall(attack.body[start : start + (1 << 16)])
        answered = b""
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            answered = connection.recv(64)
    return int(answered.split()[1]) if answered.startswith(b"HTTP/1.1 ") else 0


def _post(path: str, *headers: str, length: int | None = None) -> tuple[str, ...]:
    own = ("Origin: http://{host}",) if not any(h.startswith("Origin") for h in headers) else ()
    size = () if length is None else (f"Content-Length: {length}",)
    return (f"POST {path} HTTP/1.1", *own, *headers, *size)


def _photo(photo: bytes, *headers: str) -> tuple[tuple[str, ...], bytes]:
    head = _post("/api/answers", "Content-Type: image/jpeg", *headers, length=len(photo))
    return head, photo


def _attacks(photo: bytes) -> list[Attack]:
    jpeg, chunked = "Content-Type: image/jpeg", "Transfer-Encoding: chunked"
    paths = (
        "/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd",
        "//etc/passwd", "/page/../../../pyproject.toml", "/page.css/..%5c..%5cetc%5cpasswd",
        "/api/answers/..%2f..%2fetc%2fpasswd/cutout", "/api/answers/x/thumbnails/..%2f..%2f1",
        "/%00", "/icon.svg%00.html", "/\x1b[31m%0d%0aSet-Cookie:a=b", "/.git/config",
    )  # fmt: skip
    chunk = b"%x\r\n" % (1 << 20) + b"\xff" * (1 << 20) + b"\r\n"
    endless = chunk * (limits.MAX_PHOTO_BYTES // (1 << 20) + 2)
    large = limits.MAX_PHOTO_BYTES + 1
    text = (b"<html><script>alert(1)</script>", b"%PDF-1.7", b"\x7fELF" + b"\0" * 100)
    return [
        *(Attack(f"traversal {path!r}", (f"GET {path} HTTP/1.1",)) for path in paths),
        Attack("oversize, stated", _post("/api/answers", jpeg, length=large), b"\xff" * 1000),
        Attack("oversize, in chunks", _post("/api/answers", jpeg, chunked), endless),
        Attack("oversize JSON", _post("/api/answers/x/decision", "Content-Type: application/json",
                                      length=10**9)),
        Attack("a head without end", ("GET / HTTP/1.1", "X: " + "x" * 200_000)),
        *(_bomb(name, side) for name, side in (("bomb", 60_000), ("long bomb", 2**31 - 1))),
        *(Attack(f"no photo {data[:4]!r}", *_photo(data)) for data in text),
        Attack("cut short", *_photo(photo[: len(photo) // 3])),
        *(
            Attack(f"type {kind}", _post("/api/answers", f"Content-Type: {kind}",
                                         length=len(photo)), photo)
            for kind in ("text/html", "multipart/form-data; boundary=x", "image/svg+xml",
                         "application/x-www-form-urlencoded")
        ),
        Attack("compressed", *_photo(photo, "Content-Encoding: gzip")),
        *(
            Attack(f"cross-site post {origin}", *_photo(photo, f"Origin: {origin}"))
            for origin in ("http://evil.example", "null", "http://{host}.evil.example",
                           "https://127.0.0.1", "http://localhost:1")
        ),
        Attack("cross-site by its own word", *_photo(photo, "Sec-Fetch-Site: cross-site")),
        Attack("a post from nowhere", ("POST /api/answers HTTP/1.1", jpeg, "Content-Length: 1"),
               b"x"),
        Attack("a cross-site form", _post("/api/answers/x/decision", "Origin: http://evil.example",
               "Content-Type: text/plain", length=2), b"{{}}"[:2]),
        Attack("read by another site", ("GET /api/state HTTP/1.1", "Sec-Fetch-Site: cross-site",
                                        "Sec-Fetch-Mode: cors")),
        *(
            Attack(f"rebound name {name}", ("GET / HTTP/1.1", f"Host: {name}"))
            for name in ("evil.example", "127.0.0.1.evil.example", "192.168.1.5", "a@127.0.0.1", "")
        ),
        Attack("two hosts", ("GET / HTTP/1.1", "Host: {host}", "Host: evil.example")),
        Attack("strokes of NaN", *_json("/api/answers/x/strokes", b'{"strokes":[NaN]}')),
        Attack("deep JSON", *_json("/api/answers/x/decision", b"[" * 3000)),
        Attack("another method", ("DELETE /api/answers/x HTTP/1.1", "Origin: http://{host}")),
        Attack("an answer of somebody else", ("GET /api/answers/" + "0" * 32 + "/photo HTTP/1.1",)),
    ]  # fmt: skip


def _without_token() -> list[Attack]:
    tokens = ("", _TOKEN[:-1], _TOKEN + "x", "%00", _TOKEN.upper())
    return [
        Attack("no token", ("GET / HTTP/1.1",)),
        Attack("no token, API", ("GET /api/state HTTP/1.1",)),
        Attack("no token, script", ("GET /page.js HTTP/1.1",)),
        Attack("no token, post", *_json("/api/answers/x/decision", b"{}")),
        *(Attack(f"token {token!r}", (f"GET /?token={token} HTTP/1.1",)) for token in tokens),
        Attack("token at another address", (f"GET /api/state?token={_TOKEN} HTTP/1.1",)),
        Attack("token as another cookie", ("GET / HTTP/1.1", f"Cookie: edgeseg-1={_TOKEN}")),
        Attack("token, cross-site post", _post("/api/answers/x/decision", "Content-Length: 2",
               "Origin: http://evil.example", f"Authorization: Bearer {_TOKEN}"), b"xx"),
        Attack("token, rebound name", ("GET / HTTP/1.1", "Host: evil.example",
                                       f"Authorization: Bearer {_TOKEN}")),
    ]  # fmt: skip


def _json(path: str, body: bytes) -> tuple[tuple[str, ...], bytes]:
    return _post(path, "Content-Type: application/json", length=len(body)), body


def _bomb(name: str, side_px: int) -> Attack:
    """A PNG of few bytes and very many pixels."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", side_px, side_px, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 10_000_000, 9)),
        (b"IEND", b""),
    ]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(held)) + kind + held + struct.pack(">I", zlib.crc32(kind + held))
        for kind, held in parts
    )
    return Attack(name, _post("/api/answers", "Content-Type: image/png", length=len(data)), data)


def _scripts_run(server: Server, photo: Path) -> int:
    """Scripts that ran, dialogs that opened, errors and foreign requests, in a real browser."""
    with browser() as chromium, tab(chromium, server.origin) as opened:
        opened.page.goto(server.url)
        opened.page.set_input_files("#take", photo)
        opened.page.locator("#result").wait_for()
        opened.page.locator("input[name=item]").first.check()
        if _EVIL not in opened.page.locator("#items bdi").first.inner_text():
            raise NotMeasuredError("the page does not show the SKU as it is")
        opened.page.locator("#confirm").click()
        opened.page.get_by_text("Kept:").wait_for()
        planted = opened.page.locator("main script, main [onerror]").count()
        return len(opened.troubles) + len(opened.outside) + planted


def _hostile_catalogue(bench: Workbench) -> Path:
    """Items whose SKUs and attributes are scripts."""
    bundle = bench.open_bundle()
    digest, dim = bundle.embedder_digest, bundle.manifest.embedder and bundle.manifest.embedder.dim
    if digest is None or not dim:
        raise NotMeasuredError("the bundle has no embedder")
    path = bench.work / "hostile.catalogue"
    items = [Item(f"{_EVIL}{row}", {_EVIL: _EVIL, "b": "\u202e</bdi>"}) for row in range(20)]
    drawn = np.random.default_rng(0).standard_normal((len(items), dim)).astype(np.float32)
    unit = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    Catalogue.from_embeddings(items, unit, digest).save(path)
    return path
