"""Confirmations outlive a kill, stay bounded, and leave with the reports of a sync."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from edgeseg import limits
from edgeseg.errors import FormatError, LimitExceededError
from edgeseg.sync.client import SyncOptions, sync
from edgeseg.sync.confirmations import Confirmation, ConfirmationLog, read_confirmations
from edgeseg.sync.fleet import read_reports
from tests.edgeseg.sync.shop import Shop, skus


def confirmation(number: int = 0, sku: str | None = "P1") -> Confirmation:
    return Confirmation(
        id=f"{number:024x}",
        time=datetime(2026, 11, 22, 6, tzinfo=timezone.utc),
        photo_sha256="ab" * 32,
        generation=3,
        catalogue_digest="cd" * 32,
        embedder_digest="ef" * 32,
        embedding=np.array([0.6, 0.8, 0.0], np.float32),
        shown=(("P1", 0.125), ("P\u200d2", 0.25)),
        sku=sku,
        probability=0.75,
        cutout="model",
    )


def numbers(path: Path) -> list[int]:
    return [int(each.id, 16) for each in read_confirmations(path)[0]]


@pytest.mark.parametrize("sku", ["P1", None, "<script>", "P\u200d2"])
def test_a_line_is_read_as_it_was_written(sku: str | None) -> None:
    made = confirmation(sku=sku)
    line = made.to_line()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    read = Confirmation.from_line(line)
    np.testing.assert_array_equal(read.embedding, made.embedding)
    assert vars(replace(read, embedding=made.embedding)) == vars(made)


@pytest.mark.parametrize(
    "change",
    [
        {"sku": 5},
        {"sku": ""},
        {"sku": "a\nb"},
        {"photo_sha256": "../../etc"},
        {"embedding": "!!"},
        {"embedding": ""},
        {"embedding": "AADAfwAA"},
        {"shown": [["P1"]]},
        {"cutout": "other"},
        {"format_version": 2},
        {"more": 1},
    ],
)
def test_a_line_that_is_none(change: dict[str, object]) -> None:
    line = json.dumps(json.loads(confirmation().to_line()) | change).encode()
    with pytest.raises(FormatError):
        Confirmation.from_line(line)


def test_a_torn_last_line_costs_itself_alone(tmp_path: Path) -> None:
    log = ConfirmationLog(tmp_path / "deep" / "kept.jsonl")
    for number in range(3):
        log.append(confirmation(number))
    whole = log.path.read_bytes()
    for cut in range(1, len(whole) // 3, 37):
        log.path.write_bytes(whole[:-cut])
        log.append(confirmation(9))
        # A line whose line feed alone is gone is whole.
        kept = [0, 1, 2, 9] if cut == 1 else [0, 1, 9]
        assert numbers(log.path) == kept
        assert read_confirmations(log.path)[1] == (cut != 1)
    assert log.path.stat().st_mode & 0o077 == 0


_WRITER = """
import sys
from tests.edgeseg.sync.test_confirmations import ConfirmationLog, confirmation
log = ConfirmationLog(sys.argv[1])
for number in range(100_000):
    log.append(confirmation(number))
    print(number, flush=True)
"""


def test_what_was_told_as_kept_outlives_a_kill(tmp_path: Path, repository: Path) -> None:
    path = tmp_path / "kept.jsonl"
    for _ in range(3):
        path.unlink(missing_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)],
            cwd=repository,
            env={**os.environ, "PYTHONPATH": str(repository)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        told = process.stdout.read().split()
        process.wait()
        kept = numbers(path)
        assert kept == list(range(len(kept)))
        assert len(kept) >= 20 + len([each for each in told if each.isdigit()])
        ConfirmationLog(path).append(confirmation(7))
        assert numbers(path)[-1] == 7


def test_two_processes_may_append(tmp_path: Path) -> None:
    logs = [ConfirmationLog(tmp_path / "kept.jsonl") for _ in range(2)]

    def work(log: ConfirmationLog, first: int) -> None:
        for number in range(first, first + 50):
            log.append(confirmation(number))

    threads = [
        threading.Thread(target=work, args=(log, 100 * at)) for at, log in enumerate(logs, start=1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers(tmp_path / "kept.jsonl")) == [*range(100, 150), *range(200, 250)]


def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = len(confirmation().to_line())
    monkeypatch.setattr(limits, "MAX_CONFIRMATIONS_FILE_BYTES", 10 * one)
    log = ConfirmationLog(tmp_path / "kept.jsonl")
    for number in range(95):
        log.append(confirmation(number))
    held = {path.name: path.stat().st_size for path in tmp_path.iterdir() if path.stat().st_size}
    assert set(held) == {"kept.jsonl", "kept.jsonl.older"}
    assert max(held.values()) <= 10 * one
    assert log.count() == 15
    assert numbers(log.path)[-1] == 94


def test_one_that_is_too_large(tmp_path: Path) -> None:
    large = replace(confirmation(), embedding=np.ones(limits.MAX_DIM * 4, np.float32))
    log = ConfirmationLog(tmp_path / "kept.jsonl")
    with pytest.raises(LimitExceededError):
        log.append(large)
    assert not log.path.exists()


def test_they_leave_with_a_syncs_report(shop: Shop, tmp_path: Path) -> None:
    shop.publish(skus(5))
    store = shop.store()
    reports = tmp_path / "fleet"
    options = SyncOptions(root=shop.root, device="scanner 7", report_to=str(reports))
    log = ConfirmationLog(store.confirmations)
    for number in range(4):
        log.append(confirmation(number))
    # Nobody listens: they wait, and so do those that come meanwhile.
    sync(store, shop.url, options)
    assert len(list(store.outbox.glob("*.jsonl"))) == 1
    log.append(confirmation(4))
    sync(store, shop.url, options)
    assert log.count() == 1
    reports.mkdir()
    sync(store, shop.url, options)
    sync(store, shop.url, options)
    arrived = sorted(reports.glob("scanner-7-*.jsonl"))
    assert sorted(number for path in arrived for number in numbers(path)) == [0, 1, 2, 3, 4]
    assert (log.count(), list(store.outbox.iterdir())) == (0, [])
    # Whoever watches the fleet reads its reports among them as ever.
    told, failures = read_reports([reports])
    assert len(told) == 4
    assert failures == []


def test_without_an_address_they_stay(shop: Shop) -> None:
    shop.publish(skus(5))
    store = shop.store()
    ConfirmationLog(store.confirmations).append(confirmation(1))
    shop.sync(store)
    assert numbers(store.confirmations) == [1]


class _Collector(BaseHTTPRequestHandler):
    received: list[dict[str, object]] = []  # noqa: RUF012 (one server a test)

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["content-length"]))
        self.received.append(json.loads(data))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def test_they_are_posted_in_batches(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_CONFIRMATIONS_BATCH_BYTES", 3 * len(confirmation().to_line()))
    shop.publish(skus(5))
    store = shop.store()
    log = ConfirmationLog(store.confirmations)
    for number in range(7):
        log.append(confirmation(number))
    with log.path.open("ab") as file:
        file.write(b'{"torn')
    _Collector.received = []
    with HTTPServer(("127.0.0.1", 0), _Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/reports"
        sync(store, shop.url, SyncOptions(root=shop.root, device="s", report_to=url))
        server.shutdown()
    batches = [each["confirmations"] for each in _Collector.received if "confirmations" in each]
    assert [len(batch) for batch in batches if isinstance(batch, list)] == [3, 3, 1]
    assert all(each["device"] == "s" for each in _Collector.received)
