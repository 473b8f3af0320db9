"""Matching moves on with a store, and never stops."""

from __future__ import annotations

import time

import numpy as np
import pytest

from edgeseg.errors import ProbeError, SyncError
from edgeseg.sync import client
from edgeseg.sync.client import roll_back
from edgeseg.sync.live import LiveMatcher
from tests.edgeseg.sync.shop import Shop, skus

PHOTO = np.full((40, 40, 3), (200, 30, 30), np.uint8)


def test_it_moves_on_between_two_photos(shop: Shop) -> None:
    with pytest.raises(SyncError, match="no catalogue yet"):
        LiveMatcher(shop.store())
    shop.publish(skus(30))
    shop.sync()
    matcher = LiveMatcher(shop.store())
    assert matcher.match(PHOTO, segment=False).generation == 1
    shop.publish(skus(30, 50))
    shop.sync()
    found = []
    for _ in range(1_000):
        found.append(matcher.match(PHOTO, segment=False))
        if found[-1].generation == 2:
            break
        time.sleep(0.02)
    assert found[-1].generation == 2
    for each in found:
        first = 0 if each.generation == 1 else 50
        numbers = [int(match.sku[1:]) for match in each.result.matches]
        assert all(first <= number < first + 30 for number in numbers)
    roll_back(shop.store())
    assert matcher.follow().generation == 1
    assert matcher.match(PHOTO, segment=False).generation == 1


def test_a_generation_that_does_not_open_leaves_the_old_one(shop: Shop) -> None:
    shop.publish(skus(30))
    shop.sync()
    matcher = LiveMatcher(shop.store())
    shop.publish(skus(31))
    shop.sync()
    store = shop.store()
    active = store.state().active
    assert active is not None
    store.catalogue_path(active.catalogue).write_bytes(b"damaged")
    assert matcher.follow().generation == 1
    assert "damaged" in matcher.trouble or "catalogue" in matcher.trouble
    assert matcher.match(PHOTO, segment=False).generation == 1
    # Once the generation that answers is the active one again, nothing is wrong.
    damaged = store.state()
    store.save(damaged.rolled_back())
    assert (matcher.follow().generation, matcher.trouble) == (1, "")
    store.save(damaged)
    # A matcher that starts now takes the one before, and says why; the next sync mends it.
    opened = store.open_active()
    assert (opened.installed.generation, bool(opened.instead_of)) == (1, True)
    assert shop.sync().result == "activated"
    assert store.open_active().installed.generation == 2


def test_what_fails_after_the_switch_is_rolled_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish(skus(30))
    shop.sync()
    shop.publish(skus(31))
    real, calls = client.probe, []

    def probe(opened: object) -> float:
        calls.append(opened)
        if len(calls) == 2:
            raise ProbeError("the golden queries are not answered")
        return real(opened)  # type: ignore[arg-type]

    monkeypatch.setattr(client, "probe", probe)
    with pytest.raises(ProbeError, match="rolled back to generation 1"):
        shop.sync()
    monkeypatch.undo()
    assert shop.store().open_active().installed.generation == 1
    with pytest.raises(ProbeError, match="left alone"):
        shop.sync()
    shop.publish(skus(32))
    assert shop.sync().to_generation == 3
