"""Items that look alike meet in a batch, and no item meets itself."""

from __future__ import annotations

import itertools

import numpy as np

from edgeseg.training.hard_negatives import deal, nearest_items


def two_kinds(each: int) -> np.ndarray:
    """Unit vectors of two kinds, drawn in turn."""
    rng = np.random.default_rng(0)
    rows = np.tile(np.eye(2, 6), (each, 1)) + rng.normal(scale=0.05, size=(2 * each, 6))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_the_nearest_are_of_the_same_kind_and_another_item() -> None:
    near = nearest_items(two_kinds(20), 4)
    assert near.shape == (40, 12)
    for item, row in enumerate(near):
        assert item not in row
        assert set(row % 2) == {item % 2}


def test_few_items_are_all_near() -> None:
    assert nearest_items(two_kinds(2), 4).shape == (4, 3)


def test_every_item_is_dealt_once_and_beside_its_like() -> None:
    near = nearest_items(two_kinds(20), 4)
    order = deal(range(40), near, 4, np.random.default_rng(1))
    assert sorted(order) == list(range(40))
    kinds = [item % 2 for item in order]
    alike = sum(a == b for a, b in itertools.pairwise(kinds))
    at_random = deal(range(40), near, 1, np.random.default_rng(1))
    by_chance = sum(a % 2 == b % 2 for a, b in itertools.pairwise(at_random))
    # Within a group of four, three neighbours of three are alike; between groups, one of two.
    assert alike >= 30 > 25 >= by_chance


def test_a_deal_repeats_and_changes_with_the_generator() -> None:
    near = nearest_items(two_kinds(20), 4)
    first = deal(range(40), near, 4, np.random.default_rng(1))
    assert first == deal(range(40), near, 4, np.random.default_rng(1))
    assert first != deal(range(40), near, 4, np.random.default_rng(2))


def test_only_what_is_asked_for_is_dealt() -> None:
    near = nearest_items(two_kinds(20), 4)
    asked = [3, 4, 8, 15, 16, 23]
    assert sorted(deal(asked, near, 4, np.random.default_rng(1))) == asked
