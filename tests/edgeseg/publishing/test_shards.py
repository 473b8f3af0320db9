"""Shards are published together: what becomes of each, what is refused, and what a cut leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest

from edgeseg import limits
from edgeseg.catalogue import Catalogue
from edgeseg.errors import (
    EdgesegError,
    FormatError,
    LimitExceededError,
    ModelContractError,
    ProbeError,
    SyncError,
)
from edgeseg.formats.bundle import Bundle, write_bundle
from edgeseg.formats.shard_list import shard_slug
from edgeseg.presets import preset_path
from edgeseg.publishing.host import Host
from edgeseg.publishing.publisher import Published, publish
from edgeseg.publishing.releases import check_listing
from edgeseg.sync.clock import now
from edgeseg.sync.store import Store
from tests.edgeseg.sync.shop import Shop, answering, skus

KOELN = "Köln Süd"
FIRST = {"hamburg": skus(300), KOELN: skus(40, 200), "muc/1": skus(20, 600)}
# Only of Hamburg, some items change.
SECOND = FIRST | {"hamburg": skus(297) + skus(4, 900)}


def stores(shop: Shop, lists: dict[str, list[str]]) -> dict[str, Store]:
    """A scanner of each shard, which has what is published."""
    made = {}
    for name in lists:
        made[name] = shop.store(shard_slug(name))
        assert shop.sync(made[name], shard=name).result == "activated"
    return made


def ways(done: Published) -> dict[str | None, str]:
    """What became of each shard."""
    return {part.shard: "delta" if part.delta else part.reason for part in done.parts}


def items_of(store: Store) -> set[str]:
    return {item.sku for item in store.open_active().catalogue.items}


def on_host(shop: Shop) -> dict[str, bytes]:
    folder = Path(shop.url)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def targets_of(shop: Shop) -> dict[str, Any]:
    """What the newest metadata lists."""
    paths = Path(shop.url, "metadata").glob("*.targets.json")
    newest = max(paths, key=lambda path: int(path.name.partition(".")[0]))
    listed: dict[str, Any] = json.loads(newest.read_bytes())["signed"]["targets"]
    return listed


def test_all_shards_are_of_one_generation_and_only_what_changed_is_sent(shop: Shop) -> None:
    first = shop.publish_shards(FIRST)
    assert set(ways(first).values()) == {"the shard is new"}
    scanners = stores(shop, FIRST)
    for name, store in scanners.items():
        assert answering(store) == 1
        assert items_of(store) == set(FIRST[name])
    second = shop.publish_shards(SECOND)
    assert ways(second) == {
        "hamburg": "delta",
        KOELN: "the catalogue is as before",
        "muc/1": "the catalogue is as before",
    }
    assert {release.generation for release in second.releases} == {2}
    assert [release.catalogue_generation for release in second.releases] == [2, 1, 1]
    reports = {name: shop.sync(store) for name, store in scanners.items()}
    assert {report.to_generation for report in reports.values()} == {2}
    assert {name: report.deltas for name, report in reports.items()} == {
        "hamburg": 1, KOELN: 0, "muc/1": 0,
    }  # fmt: skip
    for name, store in scanners.items():
        assert items_of(store) == set(SECOND[name])
    # Signed metadata and a release, and nothing of a catalogue or a bundle.
    assert 0 < reports[KOELN].received_bytes < 4_500


def test_a_delta_leads_on_from_the_generation_when_a_shard_last_changed(shop: Shop) -> None:
    first = FIRST | {KOELN: skus(280, 200)}
    second = SECOND | {KOELN: first[KOELN]}
    shop.publish_shards(first)
    scanners = stores(shop, first)
    shop.publish_shards(second)
    for store in scanners.values():
        shop.sync(store)
    third = second | {KOELN: skus(279, 200) + skus(1, 800)}
    done = shop.publish_shards(third)
    release = next(each for each in done.releases if each.shard_name == KOELN)
    assert [(link.base_generation, link.generation) for link in release.deltas] == [(1, 3)]
    report = shop.sync(scanners[KOELN])
    assert (report.from_generation, report.to_generation, report.deltas) == (2, 3, 1)
    assert items_of(scanners[KOELN]) == set(third[KOELN])
    # One that was away since the first takes the same delta.
    late = shop.store("late")
    shop.sync(late, shard="hamburg")
    assert answering(late) == 3


def test_what_is_published_lists_releases_alone_and_one_bundle(shop: Shop) -> None:
    shop.publish_shards(FIRST)
    shop.publish_shards(SECOND)
    listed = targets_of(shop)
    assert {fields["custom"]["shard"]: name for name, fields in listed.items()} == {
        "hamburg": "hamburg.release.json",
        KOELN: f"{shard_slug(KOELN)}.release.json",
        "muc/1": f"{shard_slug('muc/1')}.release.json",
    }
    names = [path.name.partition(".")[2] for path in Path(shop.url, "targets").iterdir()]
    assert sum(name.endswith(".bundle") for name in names) == 1
    assert sorted(name for name in names if name.startswith("hamburg.generation")) == [
        "hamburg.generation-1-to-2.delta",
        "hamburg.generation-1.catalogue",
        "hamburg.generation-2.catalogue",
    ]
    # A third one, and nobody is in the middle of fetching the first any more.
    shop.publish_shards(FIRST)
    names = [path.name.partition(".")[2] for path in Path(shop.url, "targets").iterdir()]
    assert "hamburg.generation-1.catalogue" not in names
    assert f"{shard_slug(KOELN)}.generation-1.catalogue" in names


def test_nothing_new_is_only_signed_anew(shop: Shop) -> None:
    shop.publish_shards(FIRST)
    assert shop.publish_shards(FIRST).signed_only
    # Also where what is published came by a delta, and has its items in another order.
    assert not shop.publish_shards(SECOND).signed_only
    again = shop.publish_shards(SECOND)
    assert (again.signed_only, again.release.generation) == (True, 2)
    alone = shop.publish(None)
    assert (alone.signed_only, len(alone.releases)) == (True, 3)
    stores(shop, SECOND)


def test_a_catalogue_that_came_by_a_delta_is_not_sent_again(shop: Shop) -> None:
    shop.publish(skus(300))
    shop.publish(SECOND["hamburg"])
    again = shop.publish(SECOND["hamburg"])
    assert (again.signed_only, again.release.generation) == (True, 2)


def test_a_bundle_alone_goes_to_all_shards(shop: Shop, tmp_path: Path) -> None:
    shop.publish_shards(FIRST)
    scanners = stores(shop, FIRST)
    before = publish([shop.shards(SECOND)], shop.url, shop.keys, now())
    assert before.release.bundle.sha256 == before.releases[-1].bundle.sha256
    other = tmp_path / "other.bundle"
    other.write_bytes(_with_notes(shop.bundle))
    done = publish([other], shop.url, shop.keys, now())
    assert {release.generation for release in done.releases} == {3}
    assert set(ways(done).values()) == {"the catalogue is as before"}
    for store in scanners.values():
        assert shop.sync(store).to_generation == 3
        assert store.open_active().bundle.manifest.notes == "another one"
    with pytest.raises(ModelContractError, match="of shard 'hamburg' was made with another"):
        publish([preset_path()], shop.url, shop.keys, now())


def _with_notes(bundle: Path) -> bytes:
    opened = Bundle.open(bundle)
    path = bundle.with_name("noted.bundle")
    write_bundle(path, replace(opened.manifest, notes="another one"), opened.sections())
    return path.read_bytes()


def test_a_shard_that_left_is_told_and_comes_back_later(shop: Shop) -> None:
    shop.publish_shards(FIRST)
    scanners = stores(shop, FIRST)
    left = {name: own for name, own in FIRST.items() if name != KOELN}
    done = shop.publish_shards(left)
    assert (done.dropped, done.release.generation) == ((KOELN,), 2)
    for _ in range(2):
        with pytest.raises(SyncError, match="shard 'Köln Süd' is no longer published") as caught:
            shop.sync(scanners[KOELN])
        assert "'hamburg', 'muc/1'" in str(caught.value)
    assert answering(scanners[KOELN]) == 1
    assert shop.sync(scanners["hamburg"]).to_generation == 2
    shop.publish_shards(left | {"hamburg": skus(290)})
    # With other items, and numbered on: none that was seen comes again with another content.
    back = shop.publish_shards(left | {KOELN: skus(41, 200)})
    release = next(each for each in back.releases if each.shard_name == KOELN)
    assert (release.generation, release.catalogue_generation, release.deltas) == (4, 4, ())
    report = shop.sync(scanners[KOELN])
    assert (report.from_generation, report.to_generation, report.deltas) == (1, 4, 0)
    assert len(items_of(scanners[KOELN])) == 41


def test_shards_and_a_catalogue_without_are_not_mixed(shop: Shop) -> None:
    shop.publish(skus(20))
    before = on_host(shop)
    with pytest.raises(SyncError, match="catalogue without shards is published there"):
        shop.publish_shards(FIRST)
    assert on_host(shop) == before
    other = str(shop.folder / "other")
    publish([shop.shards(FIRST), shop.bundle], other, shop.keys, now())
    with pytest.raises(SyncError, match="3 shards are published there"):
        publish([shop.catalogue(skus(20))], other, shop.keys, now())
    with pytest.raises(SyncError, match="second one"):
        publish([shop.catalogue(skus(20)), shop.shards(FIRST)], other, shop.keys, now())
    with pytest.raises(SyncError, match="second one"):
        publish([shop.shards(FIRST), shop.catalogue(skus(20))], other, shop.keys, now())


def _with(field: str, value: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        document = json.loads((folder / "shards.json").read_bytes())
        document["shards"][0][field] = value
        (folder / "shards.json").write_text(json.dumps(document))

    return change


def _exchange(folder: Path) -> None:
    one, other = folder / "hamburg.catalogue", folder / f"{shard_slug(KOELN)}.catalogue"
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)


def _cut(folder: Path) -> None:
    path = folder / "hamburg.catalogue"
    path.write_bytes(path.read_bytes()[:-9])


def _empty(folder: Path) -> None:
    (folder / "shards.json").write_text('{"format_version":1,"shard_by":"warehouse","shards":[]}')


@pytest.mark.parametrize(
    ("damage", "kind", "told"),
    [
        (lambda folder: (folder / "shards.json").unlink(), SyncError, "without a shards.json"),
        (lambda folder: (folder / "shards.json").write_bytes(b"{"), FormatError, "JSON"),
        (_empty, SyncError, "has no shard to publish"),
        (_with("name", "a\nb"), FormatError, "printable"),
        (_with("name", "x" * 201), FormatError, "longer than 200"),
        (_with("name", KOELN), FormatError, "twice"),
        # Made after another shard's file name.
        (_with("name", shard_slug(KOELN)), FormatError, "would both be called"),
        (_with("name", "nowhere"), SyncError, "nowhere.catalogue of shard 'nowhere' is missing"),
        (_with("digest", "0" * 64), FormatError, "build the shards again"),
        (_with("items", 299), FormatError, "build the shards again"),
        (_exchange, FormatError, "build the shards again"),
        (_cut, FormatError, "hamburg.catalogue"),
    ],
)
def test_a_damaged_folder_is_not_published(
    shop: Shop, damage: Callable[[Path], object], kind: type[EdgesegError], told: str
) -> None:
    shop.publish_shards(SECOND)
    listed = targets_of(shop)
    folder = shop.shards(FIRST)
    damage(folder)
    with pytest.raises(kind, match=told) as caught:
        publish([folder], shop.url, shop.keys, now())
    assert "\n" not in str(caught.value)
    assert targets_of(shop) == listed


def test_what_one_shards_scanners_would_refuse_keeps_all_from_being_published(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish_shards(FIRST)
    scanners = stores(shop, FIRST)
    changed = SECOND | {KOELN: skus(39, 200)}
    real = Catalogue.golden_recall
    monkeypatch.setattr(
        Catalogue, "golden_recall", lambda own: 0.1 if len(own) == 39 else real(own)
    )
    with pytest.raises(ProbeError, match="of shard 'Köln Süd' allows"):
        shop.publish_shards(changed)
    monkeypatch.undo()
    assert {shop.sync(store).result for store in scanners.values()} == {"current"}
    with pytest.raises(SyncError, match="clock is behind"):
        shop.publish_shards(SECOND, at=now() - timedelta(days=2))


def test_as_many_shards_as_scanners_read_of(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    check_listing(f"{number:04d} {'x' * 195}" for number in range(limits.MAX_SHARDS))
    with pytest.raises(LimitExceededError, match="fewer shards, or name them shorter"):
        check_listing(f"{number:04d} {'ü' * 195}" for number in range(limits.MAX_SHARDS))
    monkeypatch.setattr(limits, "MAX_TARGETS_BYTES", 9_000)
    with pytest.raises(LimitExceededError, match="the list of 8 shards"):
        shop.publish_shards({f"{'w' * 40}-{number}": skus(5) for number in range(8)})
    assert not Path(shop.url).exists()


def test_what_is_listed_is_no_longer_than_was_reckoned(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the publisher's reckoning it may be just as long as scanners read."""
    names = [f"Lager Ü{number}" for number in range(12)]
    shop.publish_shards({name: skus(3) for name in names})
    written = max(Path(shop.url, "metadata").glob("*.targets.json")).stat().st_size
    monkeypatch.setattr(limits, "MAX_TARGETS_BYTES", written)
    with pytest.raises(LimitExceededError):
        check_listing(names)


def test_a_publisher_that_is_killed_leaves_all_shards_old_or_all_new(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = {"hamburg": skus(30), KOELN: skus(40, 200), "muc": skus(5)}
    changed = lists | {"hamburg": skus(29), KOELN: skus(41, 200)}
    shop.publish_shards(lists)
    kept = shop.keep("one")
    real = Host.write
    left, found = 0, set()

    def write(host: Host, path: str, data: bytes) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise SyncError("killed")
        real(host, path, data)

    for steps in range(100):
        shop.serve(kept)
        left = steps
        with monkeypatch.context() as patched:
            patched.setattr(Host, "write", write)
            try:
                shop.publish_shards(changed)
                ended = True
            except SyncError:
                ended = False
        generations = {
            shop.sync(shop.store(f"{shard_slug(name)}-{steps}"), shard=name).to_generation
            for name in lists
        }
        assert generations == ({2} if ended else {1})
        # What was left behind is taken up.
        assert shop.publish_shards(changed).release.generation == 2
        assert shop.sync(shop.store(f"hamburg-{steps}")).to_generation == 2
        found |= generations
        if ended:
            break
    assert found == {1, 2}
    assert steps >= 8


def test_a_date_that_is_ahead_is_set_right_by_new_keys(shop: Shop) -> None:
    shop.publish_shards(FIRST, at=now() + timedelta(days=365))
    scanners = stores(shop, FIRST)
    shop.rotate("timestamp")
    for name, store in scanners.items():
        assert shop.sync(store).to_generation == 1
        active = store.state().active
        assert active is not None
        assert active.published <= now()
        assert targets_of(shop)[f"{shard_slug(name)}.release.json"]["custom"] == {"shard": name}
    shop.publish_shards(SECOND)
    assert {shop.sync(store).to_generation for store in scanners.values()} == {2}


def test_it_publishes_to_what_fsspec_knows(shop: Shop) -> None:
    place = "memory://edgeseg-shards/one"
    publish([shop.shards(FIRST), shop.bundle], place, shop.keys, now())
    publish([shop.shards(SECOND)], place, shop.keys, now())
    fsspec.filesystem("memory").get("/edgeseg-shards/one/", shop.url, recursive=True)
    assert {answering(store) for store in stores(shop, SECOND).values()} == {2}
