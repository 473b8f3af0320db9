"""A network that is slow, broken, or somebody's: silence, drips, sign-in pages, endless answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeseg.errors import (
    DigestMismatchError,
    DownloadError,
    EdgesegError,
    EndlessDataError,
    LimitExceededError,
    SlowDownloadError,
)
from tests.attacks import forged
from tests.attacks import hostile_server as hostile
from tests.attacks.forged import goes_on, quick_caps, refused, synced
from tests.attacks.hostile_server import Behaviour, HostileServer
from tests.edgeseg.sync.shop import Shop, answering

TIMESTAMP = "metadata/timestamp.json"
DELTA = "targets/*.delta"
BUNDLE = "targets/*.bundle"
RELEASE = "targets/*.release.json"
PAGE = b"<html><body>Please sign in</body></html>"
GZIP = bytes.fromhex("1f8b0800000000000003") + b"\0" * 200


@pytest.fixture
def server(shop: Shop) -> Iterator[HostileServer]:
    """Serves the shop."""
    with HostileServer(Path(shop.url)).running() as running:
        yield running


def beaten(
    shop: Shop,
    server: HostileServer,
    pattern: str,
    behaviour: Behaviour,
    kind: type[EdgesegError],
    told: str = "",
) -> None:
    """The attack is refused in time, and an honest sync goes on."""
    server.on(pattern, behaviour)
    started_s = time.monotonic()
    refused(shop, kind, told, url=server.url)
    # Far from what it takes, so that a busy machine fails no test, and nearer than for ever.
    assert time.monotonic() - started_s < 60.0
    server.behave()
    assert forged.believed(shop, server.url).release.generation == 2


def test_an_honest_server_is_asked_for_little(shop: Shop, server: HostileServer) -> None:
    goes_on(shop, url=server.url)
    assert len(server.asked) == len({each.path for each in server.asked}) <= 8
    server.behave()
    assert synced(shop, server.url).result == "current"
    assert [each.path for each in server.asked] == ["metadata/2.root.json", TIMESTAMP]


SILENCE = "silent for 0.5 s"


@pytest.mark.parametrize("pattern", [TIMESTAMP, BUNDLE])
@pytest.mark.parametrize(
    ("behaviour", "kind", "told"),
    [
        (hostile.silent, SlowDownloadError, SILENCE),
        (hostile.silent_in_the_middle, SlowDownloadError, SILENCE),
        (hostile.dripping(1.0), SlowDownloadError, SILENCE),
        (hostile.dripping(0.1), SlowDownloadError, "bytes a second"),
        (hostile.status(302, Location="/loop"), DownloadError, ""),
        (hostile.status(302, Location="file:///etc/passwd"), DownloadError, ""),
        (hostile.status(302, Location="http://nothing.invalid/"), DownloadError, "no such host"),
        (hostile.status(302, Location="/portal"), DownloadError, "sign-in page"),
        (hostile.status(200, PAGE), DownloadError, "sign-in page"),
        (hostile.status(204), DownloadError, "answers 204"),
        (hostile.status(500), DownloadError, "answers 500"),
        (hostile.status(503, Retry_After=100), DownloadError, "503"),
        (hostile.status(416), DownloadError, ""),
        (hostile.status(206, PAGE), DownloadError, ""),
        (hostile.status(200, GZIP, Content_Encoding="gzip"), DownloadError, ""),
        (hostile.chunked(200, PAGE), DownloadError, ""),
        (hostile.cut_after(0), DownloadError, ""),
        (hostile.raw(b""), DownloadError, "broke"),
        (hostile.raw(b"\x16\x03\x01\x1b[31m\n\n"), DownloadError, "broke"),
        (hostile.raw(b"HTTP/1.1 2\x1b[31m OK\r\n\r\n"), DownloadError, "broke"),
        (hostile.raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000), DownloadError, "broke"),
        (hostile.raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200), DownloadError, "broke"),
        (
            hostile.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n \x1b[31mx\r\n\r\nhello"),
            DownloadError,
            "",
        ),
        (hostile.raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"), DownloadError, ""),
        (
            hostile.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"),
            DownloadError,
            "",
        ),
    ],
    ids=[
        "silent",
        "silent in the middle",
        "a byte a second",
        "ten bytes a second",
        "redirected in circles",
        "redirected to a file",
        "redirected to nowhere",
        "redirected to a portal",
        "page",
        "204",
        "500",
        "503",
        "416",
        "206 without a range",
        "gzip",
        "chunked page",
        "cut",
        "closed",
        "TLS",
        "no status",
        "long header",
        "many headers",
        "folded length",
        "negative length",
        "bad chunk",
    ],
)
def test_a_broken_answer_is_refused(
    shop: Shop,
    server: HostileServer,
    pattern: str,
    behaviour: Behaviour,
    kind: type[EdgesegError],
    told: str,
) -> None:
    server.on("loop", hostile.status(302, Location="/loop"))
    server.on("portal", hostile.status(200, PAGE))
    beaten(shop, server, pattern, behaviour, kind, told)


def test_dripped_headers_end_with_the_time_of_the_sync(shop: Shop, server: HostileServer) -> None:
    server.on(TIMESTAMP, hostile.dripping_headers)
    caps = quick_caps(max_seconds=1.0)
    refused(shop, SlowDownloadError, "longer than the 1 s", url=server.url, caps=caps)
    server.behave()
    goes_on(shop, url=server.url)


def test_a_sync_ends_with_its_time_however_fast_the_bytes_come(
    shop: Shop, server: HostileServer
) -> None:
    server.on(BUNDLE, hostile.dripping(0.001))
    caps = quick_caps(max_seconds=2.0, silence_s=0.5)
    refused(shop, SlowDownloadError, "is kept for the next", url=server.url, caps=caps)
    server.behave()
    goes_on(shop, url=server.url)
    assert server.asked_for(BUNDLE)[0].start > 0


@pytest.mark.parametrize(
    ("pattern", "behaviour", "kind"),
    [
        (TIMESTAMP, hostile.endless(), EndlessDataError),
        ("metadata/2.root.json", hostile.endless(), EndlessDataError),
        ("metadata/2.snapshot.json", hostile.endless(), EndlessDataError),
        (RELEASE, hostile.endless(), EndlessDataError),
        (BUNDLE, hostile.endless(), DownloadError),
        (TIMESTAMP, hostile.endless(500), DownloadError),
        (TIMESTAMP, hostile.endless(302, Location="/metadata/timestamp.json"), DownloadError),
    ],
    ids=["timestamp", "root", "snapshot", "release", "bundle", "500", "redirect"],
)
def test_an_endless_answer_is_not_read_on(
    shop: Shop,
    server: HostileServer,
    pattern: str,
    behaviour: Behaviour,
    kind: type[EdgesegError],
) -> None:
    server.on(pattern, behaviour)
    refused(shop, kind, url=server.url, caps=quick_caps(max_bytes=1 << 20))
    # What the kernel holds on both sides is sent and never read.
    assert sum(each.sent for each in server.asked_for(pattern)) < 24 << 20


@pytest.mark.parametrize("body", [b"", b"<Error>NoSuchKey</Error>", b"x" * 20_000], ids=range(3))
@pytest.mark.parametrize("code", [403, 404])
def test_an_error_page_for_what_is_not_there_is_no_trouble(
    shop: Shop, server: HostileServer, code: int, body: bytes
) -> None:
    server.on("metadata/2.root.json", hostile.chunked(code, body))
    goes_on(shop, url=server.url)


def test_an_endless_error_page_for_what_is_not_there_is_not_read(
    shop: Shop, server: HostileServer
) -> None:
    server.on("metadata/2.root.json", hostile.endless(404))
    goes_on(shop, url=server.url)


def test_a_range_with_endless_bytes_is_cut_off(shop: Shop, server: HostileServer) -> None:
    size = forged.blob_path(shop, "bundle").stat().st_size
    server.on(BUNDLE, hostile.endless(206, Content_Range=f"bytes 0-{size - 1}/{size}"))
    refused(shop, EndlessDataError, "more than its", url=server.url)
    server.behave()
    goes_on(shop, url=server.url)


@pytest.mark.parametrize("code", [500, 503, 429])
def test_a_server_that_recovers_is_asked_again(
    shop: Shop, server: HostileServer, code: int
) -> None:
    server.on(BUNDLE, hostile.first(2, hostile.status(code)))
    goes_on(shop, url=server.url)
    assert len(server.asked_for(BUNDLE)) == 3


def test_a_page_as_long_as_the_file_is_no_file(shop: Shop, server: HostileServer) -> None:
    page = PAGE.ljust(forged.blob_path(shop, "bundle").stat().st_size)
    beaten(shop, server, BUNDLE, hostile.status(200, page), DigestMismatchError)


def test_a_portal_in_place_of_all_is_told(shop: Shop, server: HostileServer) -> None:
    beaten(shop, server, "*", hostile.status(200, PAGE), DownloadError, "sign-in page")


def test_a_redirect_to_the_same_files_is_followed(shop: Shop, server: HostileServer) -> None:
    path = forged.blob_path(shop, "bundle")
    path.rename(Path(shop.url) / "moved")
    server.on(BUNDLE, hostile.status(302, Location="/moved"))
    goes_on(shop, url=server.url)


def test_more_bytes_than_may_be_received_are_not_fetched(shop: Shop, server: HostileServer) -> None:
    caps = quick_caps(max_bytes=6_000)
    refused(shop, LimitExceededError, "raise --max-bytes", url=server.url, caps=caps)
    assert not server.asked_for(BUNDLE)
    caps = quick_caps(max_bytes=300)
    refused(shop, EndlessDataError, "the 300 bytes", url=server.url, caps=caps)
    goes_on(shop, url=server.url)


def test_no_network_is_told(shop: Shop) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        refused(shop, DownloadError, "not reached", url=f"http://127.0.0.1:{port}")
    refused(shop, DownloadError, "no such host", url="http://nothing.invalid/")
    goes_on(shop)


def test_a_server_that_never_accepts_is_told(shop: Shop) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as waiting:
        port = waiting.getsockname()[1]
        refused(shop, SlowDownloadError, SILENCE, url=f"http://127.0.0.1:{port}")
        refused(shop, SlowDownloadError, url=f"https://127.0.0.1:{port}")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "s3://bucket/x", "file:///etc", "://x"])
def test_another_kind_of_address_is_refused(shop: Shop, url: str) -> None:
    with pytest.raises(DownloadError) as caught:
        synced(shop, url)
    assert str(caught.value).isprintable()
    assert answering(shop.store()) == 1


@pytest.mark.parametrize("url", ["http://", "http://[", "http://127.0.0.1:99999/", "http://a b/"])
def test_an_address_that_is_none_is_refused(shop: Shop, url: str) -> None:
    with pytest.raises(EdgesegError) as caught:
        synced(shop, url)
    assert str(caught.value).isprintable()
    assert answering(shop.store()) == 1


def test_a_folder_that_is_not_there_is_told(shop: Shop) -> None:
    refused(shop, DownloadError, url=str(shop.folder / "nowhere"))
