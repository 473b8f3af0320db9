"""Downloads that break off, are damaged on the device, or meet a server that counts otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeseg.errors import DigestMismatchError, DownloadError, EdgesegError
from edgeseg.sync.release import Release
from tests.attacks import forged
from tests.attacks import hostile_server as hostile
from tests.attacks.forged import goes_on, quick_caps, refused
from tests.attacks.hostile_server import Behaviour, HostileServer
from tests.edgeseg.sync.shop import Shop

CATALOGUE = "targets/*.catalogue"


@pytest.fixture
def server(shop: Shop) -> Iterator[HostileServer]:
    """Serves a shop whose next catalogue has to be fetched whole."""
    forged.without_deltas(shop)
    with HostileServer(Path(shop.url)).running() as running:
        yield running


def size_of(shop: Shop) -> int:
    return forged.blob_path(shop, "catalogue").stat().st_size


def part(shop: Shop) -> Path:
    """Where the unfinished catalogue is."""
    blob = Release.from_bytes(forged.published_path(shop, "release.json").read_bytes()).catalogue
    return shop.store().folder / "downloads" / f"{blob.sha256}.part"


def ranges(server: HostileServer) -> list[tuple[int, int]]:
    """From where and how much was sent, request by request."""
    return [(each.start, each.sent) for each in server.asked_for(CATALOGUE)]


def assert_no_byte_twice(server: HostileServer, size_bytes: int) -> None:
    reached = 0
    for start, sent in ranges(server):
        assert start == reached
        reached += sent
    assert reached == size_bytes


def test_a_cut_connection_is_taken_up_where_it_broke_off(shop: Shop, server: HostileServer) -> None:
    third = size_of(shop) // 3
    server.on(CATALOGUE, hostile.cut_after(third))
    goes_on(shop, url=server.url)
    assert len(ranges(server)) >= 3
    assert_no_byte_twice(server, size_of(shop))


def test_the_next_sync_takes_up_what_one_left(shop: Shop, server: HostileServer) -> None:
    half = size_of(shop) // 2
    server.on(CATALOGUE, hostile.first(1, hostile.cut_after(half)))
    refused(shop, DownloadError, url=server.url, caps=quick_caps(attempts=1))
    assert part(shop).stat().st_size == half
    goes_on(shop, url=server.url)
    assert [start for start, _ in ranges(server)] == [0, half]
    assert_no_byte_twice(server, size_of(shop))
    assert not part(shop).exists()


def test_what_a_web_server_began_a_folder_completes(shop: Shop, server: HostileServer) -> None:
    server.on(CATALOGUE, hostile.cut_after(100))
    refused(shop, DownloadError, url=server.url, caps=quick_caps(attempts=1))
    goes_on(shop)


def test_a_download_of_another_release_is_dropped(shop: Shop, server: HostileServer) -> None:
    server.on(CATALOGUE, hostile.cut_after(100))
    refused(shop, DownloadError, url=server.url, caps=quick_caps(attempts=1))
    left = part(shop)
    server.behave()
    shop.publish([f"P{number}" for number in range(40)])
    goes_on(shop, 3, url=server.url)
    assert not left.exists()


@pytest.mark.parametrize("length", ["some", "all"])
def test_garbage_in_a_part_is_found_once(shop: Shop, server: HostileServer, length: str) -> None:
    part(shop).write_bytes(b"\xee" * (size_of(shop) if length == "all" else 500))
    refused(shop, DigestMismatchError, "fetches it anew", url=server.url)
    goes_on(shop, url=server.url)


def test_a_part_that_is_too_long_is_begun_again(shop: Shop, server: HostileServer) -> None:
    part(shop).write_bytes(b"\xee" * (size_of(shop) + 1))
    goes_on(shop, url=server.url)
    assert ranges(server) == [(0, size_of(shop))]


def test_a_part_that_is_whole_is_not_fetched(shop: Shop, server: HostileServer) -> None:
    part(shop).write_bytes(forged.blob_path(shop, "catalogue").read_bytes())
    goes_on(shop, url=server.url)
    assert not server.asked_for(CATALOGUE)


def whole_always(answer: hostile.Answer) -> None:
    """A host that knows no ranges."""
    data = answer.file or b""
    answer.head(200, Content_Length=len(data))
    answer.send(data)


def with_range(text: str) -> Behaviour:
    """The right bytes with another Content-Range."""

    def behave(answer: hostile.Answer) -> None:
        data = (answer.file or b"")[answer.asked.start :]
        answer.head(206, Content_Length=len(data), Content_Range=text)
        answer.send(data)

    return behave


def test_a_host_without_ranges_is_asked_for_the_whole(shop: Shop, server: HostileServer) -> None:
    part(shop).write_bytes(forged.blob_path(shop, "catalogue").read_bytes()[:500])
    server.on(CATALOGUE, whole_always)
    goes_on(shop, url=server.url)
    assert ranges(server) == [(500, size_of(shop))]


def test_a_range_that_is_refused_is_begun_again(shop: Shop, server: HostileServer) -> None:
    part(shop).write_bytes(forged.blob_path(shop, "catalogue").read_bytes()[:500])
    server.on(CATALOGUE, hostile.first(1, hostile.status(416)))
    goes_on(shop, url=server.url)
    assert ranges(server) == [(500, 0), (0, size_of(shop))]


@pytest.mark.parametrize(
    "text",
    [
        "bytes 0-999/{size}",
        "bytes 499-999/{size}",
        "bytes 500-999/{less}",
        "bytes 500-999/*",
        "bytes */{size}",
        "bytes 500-999/\u0665\u0660\u0660",
        "items 500-999/{size}",
        "",
        "9" * 5000,
        "bytes 500-999/" + "9" * 5000,
    ],
    ids=range(10),
)
def test_another_range_than_asked_for_is_refused(
    shop: Shop, server: HostileServer, text: str
) -> None:
    size = size_of(shop)
    honest = forged.blob_path(shop, "catalogue").read_bytes()[:500]
    part(shop).write_bytes(honest)
    said = text.format(size=size, less=size - 1).encode().decode("latin-1")
    server.on(CATALOGUE, with_range(said))
    refused(shop, DownloadError, url=server.url)
    assert part(shop).read_bytes() == honest


@pytest.mark.parametrize("more", [-1, 1])
def test_a_wrong_content_length_is_refused(shop: Shop, server: HostileServer, more: int) -> None:
    page = b"x" * (size_of(shop) + more)
    server.on(CATALOGUE, hostile.status(200, page))
    refused(shop, DownloadError, "where the file has", url=server.url)
    assert part(shop).stat().st_size == 0


def test_bytes_of_another_file_after_a_break_are_found(shop: Shop, server: HostileServer) -> None:
    size = size_of(shop)
    part(shop).write_bytes(forged.blob_path(shop, "catalogue").read_bytes()[:500])
    rest = b"y" * (size - 500)
    where = f"bytes 500-{size - 1}/{size}"
    server.on(CATALOGUE, hostile.status(206, rest, Content_Range=where))
    error = refused(shop, DigestMismatchError, url=server.url)
    assert isinstance(error, EdgesegError)
    server.behave()
    goes_on(shop, url=server.url)
