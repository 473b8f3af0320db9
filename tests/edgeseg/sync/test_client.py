"""What a sync comes to, from a folder; the network has its own tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgeseg.errors import DownloadError, EdgesegError
from edgeseg.sync.report import last_report
from edgeseg.sync.store import Store
from edgeseg.sync.transfer.transport import Transport
from tests.edgeseg.sync.shop import Shop, answering, skus


def test_the_first_sync_brings_all_and_the_second_nothing(shop: Shop) -> None:
    shop.publish(skus(50))
    first = shop.sync()
    assert (first.result, first.from_generation, first.to_generation) == ("activated", None, 1)
    assert answering(shop.store()) == 1
    second = shop.sync()
    assert (second.result, second.to_generation, second.deltas) == ("current", 1, 0)
    assert 0 < second.received_bytes < 600
    assert last_report(shop.store().reports) is not None


def test_a_next_generation_comes_as_a_delta(shop: Shop) -> None:
    shop.publish(skus(300))
    shop.sync()
    published = shop.publish(skus(295) + skus(5, 900))
    report = shop.sync()
    assert (report.result, report.to_generation, report.deltas) == ("activated", 2, 1)
    opened = shop.store().open_active()
    assert opened.catalogue.data.digest
    assert {item.sku for item in opened.catalogue.items} == set(skus(295) + skus(5, 900))
    assert opened.installed.content == published.release.content


def test_a_scanner_needs_nothing_but_the_extra_for_scanners(
    shop: Shop, repository: Path, tmp_path: Path
) -> None:
    """Without the publisher's cryptography and fsspec: pure Python verifies signatures too."""
    shop.publish(skus(20))
    code = (
        "import sys\n"
        "for name in ('cryptography', 'fsspec'): sys.modules[name] = None\n"
        "from edgeseg.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    root = shop.folder / "keys" / "root.json"
    arguments = ["sync", shop.url, "--store", str(tmp_path / "store"), "--root", str(root)]
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert answering(shop.store()) == 1


def test_what_cannot_be_read_now_is_not_removed_before_there_is_a_new_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be read again a moment later, and nothing else may come."""
    shop.publish(skus(20))
    shop.sync()
    shop.publish(skus(25))
    store = shop.store()

    def unreadable(*_: object) -> None:
        raise EdgesegError("an input/output error")

    def unreachable(*_: object) -> None:
        raise DownloadError("the connection broke")

    monkeypatch.setattr(Store, "read_installed", unreadable)
    monkeypatch.setattr(Transport, "fetch", unreachable)
    with pytest.raises(DownloadError):
        shop.sync(store)
    monkeypatch.undo()
    assert answering(store) == 1
    assert shop.sync(store).to_generation == 2


def test_a_damaged_state_is_begun_anew(shop: Shop) -> None:
    shop.publish(skus(20))
    shop.sync()
    shop.store().state_path.write_bytes(b"{}")
    report = shop.sync()
    assert (report.result, report.from_generation, report.to_generation) == ("activated", None, 1)
    # The files were there: only metadata and nothing else was fetched.
    assert report.received_bytes < 1_000
    assert answering(shop.store()) == 1
