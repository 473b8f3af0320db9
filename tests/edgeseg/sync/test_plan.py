"""What a sync fetches, and what it refuses before it fetches, as tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgeseg import limits
from edgeseg.errors import LimitExceededError, RollbackError, SyncError
from edgeseg.sync.plan import check_forward, check_room, make_plan
from edgeseg.sync.state import Installed, State
from tests.edgeseg.sync.test_release import DIGESTS, RELEASE

ACTIVE = Installed(
    generation=10,
    release=DIGESTS[8],
    root_version=1,
    content=RELEASE.deltas[0].base,
    catalogue=DIGESTS[9],
    catalogue_digest=DIGESTS[9],
    bundle=RELEASE.bundle.sha256,
    bundle_digest=DIGESTS[9],
    published=RELEASE.published,
    activated=RELEASE.published,
)
HAS_BUNDLE = {RELEASE.bundle.sha256}


@pytest.mark.parametrize(
    ("active", "has", "deltas", "whole", "with_bundle"),
    [
        (None, set(), 0, True, True),
        (None, HAS_BUNDLE, 0, True, False),
        (ACTIVE, HAS_BUNDLE, 2, False, False),
        (ACTIVE, set(), 2, False, True),
        # In the middle of the chain.
        (
            replace(ACTIVE, generation=11, content=RELEASE.deltas[1].base),
            HAS_BUNDLE,
            1,
            False,
            False,
        ),
        # Of the same generation, and not the same catalogue.
        (replace(ACTIVE, content=DIGESTS[7]), HAS_BUNDLE, 0, True, False),
        # From before the chain: a content digest covers the generation.
        (replace(ACTIVE, generation=3, content=DIGESTS[7]), HAS_BUNDLE, 0, True, False),
        # There already, from a sync that was cut short.
        (ACTIVE, HAS_BUNDLE | {RELEASE.catalogue.sha256}, 0, False, False),
        # Only the bundle is another one.
        (replace(ACTIVE, content=RELEASE.content), set(), 0, False, True),
    ],
)
def test_the_fewest_bytes_are_fetched(
    active: Installed | None, has: set[str], deltas: int, whole: bool, with_bundle: bool
) -> None:
    plan = make_plan(RELEASE, active, has.__contains__)
    assert len(plan.deltas) == deltas
    assert (plan.catalogue is not None, plan.bundle is not None) == (whole, with_bundle)


def test_a_chain_that_is_no_smaller_is_not_taken() -> None:
    small = replace(RELEASE, catalogue=replace(RELEASE.catalogue, length_bytes=150))
    assert not make_plan(small, ACTIVE, HAS_BUNDLE.__contains__).deltas
    assert not make_plan(RELEASE, ACTIVE, HAS_BUNDLE.__contains__, whole=True).deltas


def test_deltas_that_this_edgeseg_cannot_read_are_not_fetched() -> None:
    later = replace(RELEASE, needs=replace(RELEASE.needs, delta_format_version=99))
    plan = make_plan(later, ACTIVE, HAS_BUNDLE.__contains__)
    assert (plan.deltas, plan.catalogue) == ((), RELEASE.catalogue)


def test_room_is_asked_for_before_anything_is_fetched() -> None:
    plan = make_plan(RELEASE, None, lambda _: False)
    missing = RELEASE.catalogue.length_bytes + RELEASE.bundle.length_bytes
    needed = missing + limits.SPARE_DISK_BYTES
    assert check_room(plan, RELEASE, lambda _: 0, needed, missing) == missing
    with pytest.raises(SyncError, match=f"needs {needed} bytes on the disk"):
        check_room(plan, RELEASE, lambda _: 0, needed - 1, missing)
    with pytest.raises(LimitExceededError, match=f"takes {missing} bytes"):
        check_room(plan, RELEASE, lambda _: 0, needed, missing - 1)
    # What has come of it before is neither received nor stored again.
    assert check_room(plan, RELEASE, lambda _: 400, needed - 800, missing - 800) == missing - 800
    chained = make_plan(RELEASE, ACTIVE, HAS_BUNDLE.__contains__)
    with pytest.raises(SyncError, match="on the disk"):
        check_room(chained, RELEASE, lambda _: 0, limits.SPARE_DISK_BYTES + 150, missing)


def test_an_earlier_generation_is_refused_unless_the_keys_are_new() -> None:
    state = State(active=replace(ACTIVE, generation=13))
    with pytest.raises(RollbackError, match="gives generation 12, and 13 is in use"):
        check_forward(state, RELEASE, root_version=1)
    check_forward(state, RELEASE, root_version=2)
    check_forward(State(), RELEASE, root_version=1)
    check_forward(State(active=replace(ACTIVE, generation=12)), RELEASE, root_version=1)
