"""What a scanner remembers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from edgeseg import limits
from edgeseg.errors import EdgesegError, SyncError
from edgeseg.sync.clock import ClockFloor
from edgeseg.sync.state import State
from tests.edgeseg.sync.test_plan import ACTIVE

MOMENT = datetime(2026, 3, 1, 6, tzinfo=timezone.utc)
NEXT = replace(ACTIVE, generation=11, release="11" * 32, catalogue="12" * 32)


def test_it_comes_back_as_it_was() -> None:
    state = State(
        active=NEXT, previous=ACTIVE, refused=("ab" * 32,), clock_floor=MOMENT, root_version=3
    )
    assert State.from_bytes(state.to_bytes()) == state
    assert State.from_bytes(State().to_bytes()) == State()


def test_the_generation_before_is_kept_and_can_be_gone_back_to() -> None:
    state = State(active=ACTIVE).activated(NEXT)
    assert (state.active, state.previous) == (NEXT, ACTIVE)
    assert state.files == ACTIVE.files | NEXT.files
    # Put in use again after a repair, it is not its own way back.
    assert state.activated(replace(NEXT, activated=MOMENT)).previous == ACTIVE
    back = state.rolled_back()
    assert (back.active, back.previous, back.refused) == (ACTIVE, None, (NEXT.release,))
    with pytest.raises(SyncError, match="no generation to roll back to"):
        back.rolled_back()


def test_refused_releases_are_bounded_and_each_is_there_once() -> None:
    state = State()
    for number in range(40):
        refused = replace(ACTIVE, release=f"{number:064x}")
        state = state.refusing(refused).refusing(refused)
    assert len(state.refused) == limits.MAX_REFUSED_RELEASES
    assert state.refused[-1] == f"{39:064x}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("active", {}),
        ("active", 3),
        ("refused", ["x"]),
        ("refused", None),
        ("clock_floor", "now"),
        ("root_version", -1),
        ("format_version", 2),
        ("more", 1),
    ],
)
def test_a_damaged_one_is_refused(name: str, value: object) -> None:
    document = json.loads(State(active=ACTIVE).to_bytes()) | {name: value}
    with pytest.raises(EdgesegError):
        State.from_bytes(json.dumps(document).encode())


def test_its_age_is_told() -> None:
    state = State(active=replace(ACTIVE, published=MOMENT), expires=MOMENT + timedelta(days=14))
    assert state.age_told(MOMENT + timedelta(hours=5)) == "generation 10, published 5 hours ago"
    assert state.age_told(MOMENT + timedelta(days=20)) == (
        "generation 10, published 20 days ago; what was heard of its publisher expired 6 days ago: "
        "sync again"
    )


def test_what_has_no_shard_is_written_as_before_there_were_any() -> None:
    state = State(active=NEXT, previous=ACTIVE, refused=("ab" * 32,), clock_floor=MOMENT)
    assert b"shard" not in state.to_bytes()
    moving = replace(state, active=replace(NEXT, shard="Köln Süd"), shard="Hamburg")
    assert State.from_bytes(moving.to_bytes()) == moving
    assert moving.age_told(NEXT.published).startswith("generation 11 of shard Köln Süd, published")
    for wrong in (3, "two\nlines", "x" * 201):
        document = json.loads(state.to_bytes()) | {"shard": wrong}
        with pytest.raises(EdgesegError):
            State.from_bytes(json.dumps(document).encode())


def test_what_brings_nothing_new_is_no_way_back() -> None:
    state = State(active=ACTIVE).activated(NEXT)
    later = replace(NEXT, generation=12, release="13" * 32)
    assert state.activated(later).previous == ACTIVE
    # The same files under another shard's name are a move, and there is a way back from it.
    assert state.activated(replace(later, shard="Hamburg")).previous == NEXT


def test_a_shard_that_was_rolled_back_stays_refused_in_later_releases() -> None:
    mine = replace(NEXT, shard="Hamburg")
    state = State(active=replace(ACTIVE, shard="Hamburg"), shard="Hamburg").activated(mine)
    back = state.rolled_back()
    assert back.refused == (replace(mine, generation=20, release="20" * 32).refusal,)
    assert back.refused != (replace(mine, shard="Köln").refusal,)
    assert back.refused != (replace(mine, bundle="20" * 32).refusal,)
    # Taken all the same, it is not refused any more.
    assert back.activated(mine).refused == ()


def test_after_a_move_the_way_back_leads_to_the_shard_before() -> None:
    state = State(active=replace(ACTIVE, shard="Hamburg"), shard="Hamburg")
    moved = replace(state, shard="Köln").activated(replace(NEXT, shard="Köln"))
    back = moved.rolled_back()
    assert (back.shard, back.active) == ("Hamburg", state.active)


def test_a_clock_floor_rises_and_new_keys_begin_it_anew() -> None:
    later, earlier = MOMENT + timedelta(days=1), MOMENT - timedelta(days=1)
    assert ClockFloor(None, 0).raised(MOMENT, 1) == MOMENT
    assert ClockFloor(MOMENT, 1).raised(later, 1) == later
    assert ClockFloor(MOMENT, 1).raised(earlier, 1) == MOMENT
    assert ClockFloor(MOMENT, 1).raised(earlier, 2) == earlier
