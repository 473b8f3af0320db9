"""A device that is full, read-only, shared or neglected, and a report address that is hostile.

After python-tuf's ``test_updater_ng``: persist_metadata_fails; ``test_updater_validation``:
local_target_storage_fail, non_existing_metadata_dir.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgeseg import files
from edgeseg.errors import DownloadError, EdgesegError, SyncError
from edgeseg.lock import Lock
from edgeseg.sync import outbox
from edgeseg.sync.client import SyncOptions, sync
from tests.attacks import forged
from tests.attacks import hostile_server as hostile
from tests.attacks.forged import goes_on, quick_caps, refused, stored_files, synced
from tests.attacks.hostile_server import Behaviour, HostileServer
from tests.edgeseg.sync.shop import Shop, answering

SPAWNED = multiprocessing.get_context("fork")


@pytest.fixture
def server(shop: Shop) -> Iterator[HostileServer]:
    """Where reports go."""
    with HostileServer(shop.folder / "nothing").running() as running:
        running.on("reports", hostile.status(200))
        yield running


def failed(shop: Shop, told: str = "") -> EdgesegError:
    """A sync that cannot write, so that its report may be missing too."""
    before = shop.store().state()
    with pytest.raises(EdgesegError) as caught:
        synced(shop)
    assert str(caught.value).isprintable()
    assert told in str(caught.value)
    assert shop.store().state().active == before.active
    return caught.value


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = stored_files(shop.store())
    full = SimpleNamespace(total=1, used=1, free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: full)
    refused(shop, SyncError, "free some space")
    assert stored_files(shop.store()) == files
    monkeypatch.undo()
    goes_on(shop)


def test_a_disk_that_does_not_tell_its_room_is_an_error(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_path: object) -> object:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(shutil, "disk_usage", failing)
    failed(shop)
    monkeypatch.undo()
    goes_on(shop)


@pytest.mark.parametrize(
    ("after", "number"),
    [*[(after, errno.ENOSPC) for after in range(0, 12, 2)], (3, errno.EDQUOT), (5, errno.EIO)],
)
def test_a_write_that_fails_leaves_what_is_in_use(
    shop: Shop, after: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, left = os.write, [after]

    def failing(descriptor: int, data: Any) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(number, os.strerror(number))
        return write(descriptor, data)

    forged.next_root(shop)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", failing)
        failed(shop)
    assert answering(shop.store()) == 1
    goes_on(shop)


@pytest.mark.parametrize("limit_bytes", [0, 300, 1000, 2000, 3000, 5000])
def test_a_disk_that_is_full_within_a_file_leaves_what_is_in_use(
    shop: Shop, limit_bytes: int
) -> None:
    """The kernel itself refuses to make any file larger than that, whoever writes it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    active = shop.store().state().active
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
        with pytest.raises(EdgesegError) as caught:
            synced(shop)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value).isprintable()
    assert shop.store().state().active == active
    assert answering(shop.store()) == 1
    goes_on(shop)


def test_a_store_that_is_read_only_still_answers(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def refusing(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, *rest, **named)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refusing)
        failed(shop, "read-only")
        assert answering(shop.store()) == 1
    goes_on(shop)


def _hold(path: Path, held: Any, done: Any) -> None:
    with Lock(path):
        held.set()
        done.wait(10)


def test_two_syncs_at_once_do_not_meet(shop: Shop) -> None:
    held, done = SPAWNED.Event(), SPAWNED.Event()
    other = SPAWNED.Process(target=_hold, args=(shop.store().folder / "lock", held, done))
    other.start()
    try:
        assert held.wait(10)
        files, reports = stored_files(shop.store()), list(shop.store().reports.iterdir())
        failed(shop, "in use by another process")
        assert stored_files(shop.store()) == files
        assert list(shop.store().reports.iterdir()) == reports
        assert answering(shop.store()) == 1
    finally:
        done.set()
        other.join()
    goes_on(shop)


def _pull_out(shop: Shop, path: Path) -> None:
    """The file goes while it is copied, as from a memory stick that is pulled out."""
    files._CHUNK_BYTES = 512
    before_it = forged.blob_path(shop, "bundle").stat().st_size

    def gone(done: int, _total: int) -> None:
        if done > before_it:
            os.truncate(path, 0)

    options = SyncOptions(root=shop.root)
    try:
        sync(shop.store(), shop.url, options, gone, quick_caps())
    except EdgesegError:
        os._exit(7)
    os._exit(0)


def test_a_memory_stick_that_is_pulled_out_ends_in_an_error(shop: Shop) -> None:
    forged.without_deltas(shop)
    path = forged.blob_path(shop, "catalogue")
    honest = path.read_bytes()
    assert len(honest) > 8192
    other = SPAWNED.Process(target=_pull_out, args=(shop, path))
    other.start()
    other.join(20)
    assert answering(shop.store()) == 1
    path.write_bytes(honest)
    goes_on(shop)
    assert other.exitcode == 7, "the process was ended by a signal"


@pytest.mark.parametrize("trouble", ["refusing", "not there", "cut"])
def test_a_report_that_is_not_sent_goes_with_the_next(
    shop: Shop, server: HostileServer, trouble: str
) -> None:
    to = f"{server.url}/reports"
    server.on("reports", hostile.status(500) if trouble == "refusing" else hostile.raw(b""))
    first = "http://127.0.0.1:1/reports" if trouble == "not there" else to
    assert synced(shop, report_to=first).result == "activated"
    assert len(list(shop.store().outbox.iterdir())) == 1
    server.on("reports", hostile.status(204))
    server.asked.clear()
    assert synced(shop, report_to=to).result == "current"
    assert not list(shop.store().outbox.iterdir())
    assert sum(b'"result"' in each.body for each in server.asked) == 2


@pytest.mark.parametrize(
    "behaviour", [hostile.silent, hostile.dripping_headers, hostile.dripping(0.1)], ids=range(3)
)
def test_a_report_address_that_is_slow_does_not_hold_a_sync(
    shop: Shop, server: HostileServer, behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_MAX_SECONDS", 0.5)
    server.on("reports", behaviour)
    # A test must not wait for ever for what never ends.
    ending = threading.Timer(60.0, server.stopping.set)
    ending.start()
    started_s = time.monotonic()
    assert synced(shop, report_to=f"{server.url}/reports").result == "activated"
    ending.cancel()
    assert time.monotonic() - started_s < 50.0


def test_an_endless_answer_to_a_report_is_not_read(shop: Shop, server: HostileServer) -> None:
    server.on("reports", hostile.endless(200, at_most=32 << 20))
    assert synced(shop, report_to=f"{server.url}/reports").result == "activated"
    assert server.asked[-1].sent < 24 << 20


@pytest.mark.parametrize("data", [b"", b"\xff", b"{", b"[]", b"[" * 5000], ids=range(5))
def test_a_damaged_report_in_the_outbox_stops_nothing(shop: Shop, data: bytes) -> None:
    (shop.store().outbox / "19990101T000000Z-0.json").write_bytes(data)
    reports = shop.folder / "gathered"
    reports.mkdir()
    assert synced(shop, report_to=str(reports)).result == "activated"
    assert len([path for path in reports.iterdir() if b'"result"' in path.read_bytes()]) == 1


def test_a_report_folder_that_is_not_there_stops_nothing(shop: Shop) -> None:
    assert synced(shop, report_to=str(shop.folder / "nowhere/at/all")).result == "activated"
    assert len(list(shop.store().outbox.iterdir())) == 1


def test_a_failed_sync_is_reported_too(shop: Shop, server: HostileServer) -> None:
    shop.serve(shop.folder / "two")
    (Path(shop.url) / "metadata/timestamp.json").write_bytes(b"<html>")
    with pytest.raises(DownloadError):
        synced(shop, report_to=f"{server.url}/reports")
    assert b"DownloadError" in server.asked[-1].body
