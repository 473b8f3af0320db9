from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edgeseg.diagnosis import room
from edgeseg.diagnosis.child import Outcome, in_child
from edgeseg.diagnosis.stored import catalogue_finding, store_finding
from edgeseg.formats.bundle import Bundle, write_bundle
from edgeseg.sync.clock import now
from tests.edgeseg.sync.shop import Shop, skus

pytest.importorskip("tuf", reason="a shop needs the publish extra")


@pytest.fixture
def shop(tmp_path: Path, tiny_bundle: Bundle) -> Shop:
    """A publisher with a scanner that follows it."""
    path = tmp_path / "tiny.bundle"
    write_bundle(path, tiny_bundle.manifest, tiny_bundle.sections())
    made = Shop.make(tmp_path, path)
    made.publish(skus(5))
    made.sync()
    return made


def _asked(folder: Path) -> Outcome:
    return in_child("store", {"store": str(folder)})


def test_a_store_that_works(shop: Shop) -> None:
    outcome = _asked(shop.store().folder)
    finding = store_finding(str(shop.store().folder), outcome)
    assert finding.status == "ok", finding
    assert "generation 1, published" in finding.found
    assert outcome.facts["active_bytes"] > 1000
    assert room.store_finding(finding.facts["folder"], 0).status == "ok"


def test_a_damaged_generation_is_broken_and_a_sync_mends_it(shop: Shop) -> None:
    store = shop.store()
    active = store.state().active
    assert active is not None
    path = store.catalogue_path(active.catalogue)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    finding = store_finding(str(store.folder), _asked(store.folder))
    assert finding.status == "broken"
    assert "damaged" in finding.why
    assert finding.mend == f"edgeseg sync URL --store {store.folder}"
    # And it does: what doctor names is a command that works.
    shop.sync(store)
    assert store_finding(str(store.folder), _asked(store.folder)).status == "ok"


def test_what_has_expired_is_a_warning(shop: Shop) -> None:
    store = shop.store()
    store.save(replace(store.state(), expires=now() - timedelta(days=3)))
    finding = store_finding(str(store.folder), _asked(store.folder))
    assert finding.status == "warning"
    assert "expired 3 days ago" in finding.found
    assert "expired" in finding.why


def test_a_sync_that_failed_is_a_warning(shop: Shop, tmp_path: Path) -> None:
    store = shop.store()
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(Exception, match=r"timestamp|root|read"):
        shop.sync(store, str(empty))
    finding = store_finding(str(store.folder), _asked(store.folder))
    assert finding.status == "warning", finding
    assert finding.why.startswith("the last sync failed: ")


def test_no_store_is_no_problem_until_one_is_named(tmp_path: Path) -> None:
    outcome = _asked(tmp_path / "none")
    assert store_finding("", outcome).status == "absent"
    named = store_finding(str(tmp_path / "none"), outcome)
    assert (named.status, named.why) == ("broken", "it holds no catalogue yet")
    assert "--root root.json" in named.mend
    assert not (tmp_path / "none").exists(), "asking makes nothing"


def test_a_catalogue_of_another_bundle_does_not_fit(shop: Shop) -> None:
    path = shop.catalogue(skus(4))
    own = in_child("catalogue", {"bundle": str(shop.bundle), "catalogue": str(path)})
    finding = catalogue_finding(str(path), own)
    assert finding.status == "ok", finding
    assert "4 items" in finding.found
    other = in_child("catalogue", {"bundle": None, "catalogue": str(path)})
    finding = catalogue_finding(str(path), other)
    assert finding.status == "broken"
    assert finding.mend == f"edgeseg index info {path}"


def test_a_catalogue_that_finds_too_little_is_broken() -> None:
    facts = {"items": 1000, "recall": 0.7, "recall_floor": 0.95}
    finding = catalogue_finding("a b", Outcome("done", facts))
    assert (finding.status, finding.mend) == ("broken", "edgeseg index verify 'a b'")
