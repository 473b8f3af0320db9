"""A scanner follows one shard: it remembers which, moves to another, and goes back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tuf.api.metadata import TargetFile

from edgeseg.errors import DownloadError, ProbeError, SyncError
from edgeseg.sync.client import SyncOptions, roll_back, sync
from edgeseg.sync.live import LiveMatcher
from edgeseg.sync.release import release_name
from edgeseg.sync.report import last_report
from edgeseg.sync.store import Store
from edgeseg.sync.subscription import Subscription, published_shards
from edgeseg.sync.transfer.transport import Transport
from edgeseg.web.matching.source import StoreSource
from tests.edgeseg.sync.shop import Shop, answering, skus

KOELN = "Köln Süd"
FIRST = {"hamburg": skus(300), KOELN: skus(280, 500)}
SECOND = {"hamburg": skus(297) + skus(4, 900), KOELN: skus(278, 500) + skus(3, 950)}
PHOTO = np.full((40, 40, 3), (200, 30, 30), np.uint8)


def in_use(store: Store) -> tuple[str | None, int, set[str]]:
    """Shard, generation and items of what answers."""
    generation = answering(store)
    opened = store.open_active()
    return opened.installed.shard, generation, {item.sku for item in opened.catalogue.items}


def test_the_store_remembers_its_shard(shop: Shop) -> None:
    shop.publish_shards(FIRST)
    with pytest.raises(SyncError, match=r"comes in 2 shards.*, one of 'Köln Süd', 'hamburg'"):
        shop.sync()
    with pytest.raises(SyncError, match="there is no shard 'koeln' published"):
        shop.sync(shard="koeln")
    # A name that is none is not remembered.
    with pytest.raises(SyncError, match="comes in 2 shards"):
        shop.sync()
    report = shop.sync(shard=KOELN)
    assert (report.result, report.shard) == ("activated", KOELN)
    assert shop.sync().result == "current"
    told = last_report(shop.store().reports)
    assert told is not None
    assert told.shard == KOELN
    shop.publish_shards(SECOND)
    assert (shop.sync().deltas, in_use(shop.store())) == (1, (KOELN, 2, set(SECOND[KOELN])))


def test_a_publisher_without_shards_has_none_to_follow(shop: Shop) -> None:
    shop.publish(skus(20))
    with pytest.raises(SyncError, match="has no shards: leave --shard out"):
        shop.sync(shard="hamburg")
    shop.sync()
    assert b"shard" not in shop.store().state_path.read_bytes()
    # One that followed a shard there, and has to be told another way out.
    followed = Subscription("hamburg", heard_of=True)
    one = {"release.json": TargetFile(1, {"sha256": "0" * 64}, "release.json")}
    assert str(followed.missing(one)).endswith("follow it with another --store")
    assert type(followed.missing({})) is DownloadError


def test_a_move_brings_the_other_shard_whole(shop: Shop) -> None:
    shop.publish_shards(FIRST)
    store = shop.store()
    shop.sync(shard="hamburg")
    shop.publish_shards(SECOND)
    # Both have a delta from generation 1 to 2, and the store has another catalogue of generation 1.
    report = shop.sync(shard=KOELN)
    assert (report.result, report.deltas, report.shard) == ("activated", 0, KOELN)
    assert in_use(store) == (KOELN, 2, set(SECOND[KOELN]))
    assert shop.sync().result == "current"
    # And back, at the same generation.
    assert shop.sync(shard="hamburg").result == "activated"
    assert in_use(store) == ("hamburg", 2, set(SECOND["hamburg"]))


def test_the_way_back_after_a_move_leads_to_the_shard_before(shop: Shop) -> None:
    shop.publish_shards(FIRST)
    store = shop.store()
    shop.sync(shard="hamburg")
    shop.sync(shard=KOELN)
    assert roll_back(store).shard == "hamburg"
    assert in_use(store) == ("hamburg", 1, set(FIRST["hamburg"]))
    assert shop.sync().result == "current"
    with pytest.raises(ProbeError, match="left alone"):
        shop.sync(shard=KOELN)
    assert in_use(store)[0] == "hamburg"
    # Asked for, it is followed from its next generation on, although this one is left alone.
    assert store.state().shard == KOELN
    shop.publish_shards(SECOND)
    assert shop.sync().to_generation == 2
    assert in_use(store) == (KOELN, 2, set(SECOND[KOELN]))


def test_the_way_back_passes_generations_that_changed_only_other_shards(shop: Shop) -> None:
    shop.publish_shards(FIRST)
    store = shop.store()
    shop.sync(shard="hamburg")
    bad = FIRST | {"hamburg": SECOND["hamburg"]}
    shop.publish_shards(bad)
    shop.sync()
    shop.publish_shards(SECOND)
    assert shop.sync().to_generation == 3
    roll_back(store)
    assert in_use(store) == ("hamburg", 1, set(FIRST["hamburg"]))
    # What was rolled back does not come again because another shard changed.
    shop.publish_shards(SECOND | {KOELN: FIRST[KOELN]})
    with pytest.raises(ProbeError, match="next one that brings something else"):
        shop.sync()
    assert in_use(store)[1] == 1
    taken = sync(store, shop.url, SyncOptions(retry_refused=True))
    assert (taken.result, taken.to_generation) == ("activated", 4)
    # Taken all the same, it is left alone no longer.
    shop.publish_shards(SECOND)
    assert shop.sync().to_generation == 5
    shop.publish_shards(SECOND | {"hamburg": skus(200)})
    assert in_use_after(shop) == ("hamburg", 6, set(skus(200)))


def in_use_after(shop: Shop) -> tuple[str | None, int, set[str]]:
    """What answers after a sync."""
    shop.sync()
    return in_use(shop.store())


def test_a_move_that_breaks_off_is_finished_by_the_next_sync(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish_shards(FIRST)
    store = shop.store()
    shop.sync(shard="hamburg")

    def broken(*_: object) -> None:
        raise DownloadError("the connection broke")

    with monkeypatch.context() as patched:
        patched.setattr(Transport, "fetch", broken)
        with pytest.raises(DownloadError):
            shop.sync(shard=KOELN)
    assert in_use(store) == ("hamburg", 1, set(FIRST["hamburg"]))
    assert store.state().shard == KOELN
    assert shop.sync().shard == KOELN
    assert in_use(store) == (KOELN, 1, set(FIRST[KOELN]))


def test_matching_follows_a_move(shop: Shop) -> None:
    shop.publish_shards(FIRST)
    shop.sync(shard="hamburg")
    matcher = LiveMatcher(shop.store())
    assert matcher.installed.shard == "hamburg"
    source = StoreSource(matcher, None)
    shop.sync(shard=KOELN)
    assert matcher.follow().shard == KOELN
    found = matcher.match(PHOTO, segment=False)
    assert {match.sku for match in found.result.matches} <= set(FIRST[KOELN])
    # A generation in which only others changed is the same matcher under a new number.
    _, before = matcher.pair()
    shop.publish_shards(FIRST | {"hamburg": SECOND["hamburg"]})
    assert shop.sync().result == "activated"
    assert matcher.follow().generation == 2
    assert matcher.pair()[1] is before
    assert matcher.match(PHOTO, segment=False).generation == 2
    opened = source.current()
    assert (opened.generation, opened.matcher) == (2, before)
    assert source.age_told(opened).startswith(f"generation 2 of shard {KOELN}, published ")


def test_names_are_listed_within_bounds() -> None:
    def published(*names: str) -> dict[str, TargetFile]:
        return {
            release_name(name): TargetFile(
                1, {"sha256": "0" * 64}, release_name(name), {"custom": {"shard": name}}
            )
            for name in names
        }

    few = published("b", "a", KOELN)
    assert published_shards(few) == [KOELN, "a", "b"]
    told = str(Subscription().missing(published(*(f"w{n:04d}" for n in range(1_000)))))
    assert "comes in 1000 shards" in told
    assert told.endswith("'w0019' and 980 more")
    long = str(Subscription().missing(published(*(f"{n} {'x' * 190}" for n in range(50)))))
    assert len(long) < 500
    assert long.endswith(" and 49 more")


@pytest.mark.parametrize("how", ["kill", "power"])
def test_a_move_that_is_killed_leaves_one_shard_or_the_other(
    shop: Shop, repository: Path, how: str
) -> None:
    shop.publish_shards(FIRST)
    shop.sync(shard="hamburg")
    shop.publish_shards(SECOND)
    store, root = shop.folder / "store", shop.folder / "keys" / "root.json"
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "tests.verify.interruptions", how),
            *(str(store), shop.url, str(root), "7" if how == "kill" else "1", KOELN),
        ],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(ran.stdout)
    assert told["wrong"] == []
    assert told["steps"] > 10
