"""What workers saw taken for one another meets in a batch."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

from edgeseg.sync.confirmations import Confirmation
from edgeseg.training.confused import Confused, confused, rivals
from edgeseg.training.embedder import EmbedderRun, train_embedder
from edgeseg.training.hard_negatives import deal
from edgeseg.training.instances import Instance
from edgeseg.training.recipe import EmbedderRecipe, load_recipe
from tests.edgeseg.sync.test_confirmations import confirmation
from tests.edgeseg.training.conftest import EMBEDDER_RECIPE, WriteRecipe

NAMES = [f"S{number}" for number in range(40)]


def said(sku: str | None, **shown: float) -> Confirmation:
    return replace(confirmation(sku=sku), shown=tuple(shown.items()))


@pytest.mark.parametrize(
    ("sku", "shown", "expected"),
    [
        ("C", {"A": 0.1, "B": 0.2, "C": 0.3, "D": 0.5}, ["A", "B"]),
        ("C", {"A": 0.1, "C": 0.3, "D": 0.32, "E": 0.34}, ["A", "D"]),
        ("A", {"A": 0.1, "B": 0.2}, []),
        (None, {"A": 0.1, "B": 0.2}, []),
        ("Z", {"A": 0.1, "B": 0.2}, []),
        ("A", {}, []),
    ],
)
def test_rivals(sku: str | None, shown: dict[str, float], expected: list[str]) -> None:
    assert rivals(said(sku, **shown)) == expected


def test_a_rival_counts_once() -> None:
    twice = replace(confirmation(sku="C"), shown=(("A", 0.1), ("A", 0.1), ("C", 0.2), ("C", 0.2)))
    assert rivals(twice) == ["A"]


def test_pairs_are_counted_both_ways_and_ranked() -> None:
    told = [
        said("B", A=0.1, B=0.2),
        said("A", B=0.1, A=0.2),
        said("D", C=0.1, D=0.2),
        said("B", X=0.1, B=0.2),
        said("Y", X=0.1, A=0.15, Y=0.2),
        said(None, A=0.1),
    ]
    found = confused(told, "ABCD")
    assert found.pairs == (("A", "B", 2), ("C", "D", 1))
    assert (found.confirmations, found.left_out) == (5, 2)
    assert found.of("DCBA", 3) == {3: [2], 2: [3], 1: [0], 0: [1]}
    random.Random(3).shuffle(told)
    assert confused(told, "DCBA") == found
    assert found.describe() == confused(reversed(told), "ABCD").describe()
    assert found.describe() != confused(told[:3], "ABCD").describe()


def test_nobody_has_more_than_the_most_rivals() -> None:
    pairs = tuple(("S0", f"S{number}", 9) for number in range(1, 30))
    known = Confused(pairs, 29, 0).of(NAMES, 12)
    assert known[0] == list(range(1, 13))
    assert known[20] == [0]


def together(order: list[int], pairs: list[tuple[int, int]], batch: int) -> int:
    """How many of the pairs share a batch."""
    place = {item: at // batch for at, item in enumerate(order)}
    return sum(place[first] == place[second] for first, second in pairs)


def test_the_confused_share_a_batch() -> None:
    rng = np.random.default_rng(0)
    # Nothing is near what it was taken for, by what is known before training.
    near = np.stack([(item + 4 * np.arange(1, 10)) % 40 for item in range(40)])
    pairs = [(item, item + 1) for item in range(0, 12, 2)]
    told = Confused(tuple((NAMES[a], NAMES[b], 1) for a, b in pairs), 6, 0)
    known = told.of(NAMES, 12)
    met = np.array([together(deal(range(40), near, 4, rng, known), pairs, 4) for _ in range(20)])
    plain = np.array([together(deal(range(40), near, 4, rng), pairs, 4) for _ in range(20)])
    assert met.min() >= 5
    assert plain.mean() < 1
    order = deal(range(40), near, 4, np.random.default_rng(1), known)
    assert sorted(order) == list(range(40))
    assert order == deal(range(40), near, 4, np.random.default_rng(1), known)
    assert order != deal(range(40), near, 4, np.random.default_rng(2), known)
    # They are spread over the epoch, and the rest of a group is an item's nearest as ever.
    firsts = [deal(range(40), near, 4, rng, known)[:4] for _ in range(20)]
    assert any(any(item < 12 for item in first) for first in firsts)
    assert any(all(item >= 12 for item in first) for first in firsts)


def test_without_rivals_a_deal_is_what_it_was() -> None:
    near = np.stack([(item + np.arange(1, 10)) % 40 for item in range(40)])
    orders = [deal(range(40), near, 4, np.random.default_rng(5), given) for given in (None, {})]
    assert orders[0] == orders[1] == deal(range(40), near, 4, np.random.default_rng(5))


def test_a_run_is_another_run_with_them(tmp_path: Path, write_recipe: WriteRecipe) -> None:
    recipe = load_recipe(EmbedderRecipe, str(write_recipe(EMBEDDER_RECIPE, hard_group=2)))
    rng = np.random.default_rng(3)
    items = []
    for number in range(24):
        picture = np.full((40, 40, 3), 255, np.uint8)
        picture[8:-8, 10:-10] = rng.integers(0, 200, size=(24, 20, 3)) // (1 + number % 3)
        picture[16:24, 10:-10] = rng.integers(0, 200, size=3)
        # A scene's colours are never quite the picture's.
        scene = np.where(picture < 255, picture + rng.integers(0, 50, size=3), 255).astype(np.uint8)
        items.append(Instance(f"S{number}", [picture], [scene], [picture]))
    run = EmbedderRun(recipe, items[:20], items[20:])
    assert "confused" not in run.describe()
    told = confused([said("S1", S7=0.1, S1=0.2), said("S2", S21=0.1, S2=0.2)], NAMES[:20])
    assert told.left_out == 1
    with_them = replace(run, confused=told)
    described = with_them.describe()["confused"]
    assert described["pairs"] == 1
    assert "S7" not in str(described)
    histories = [
        train_embedder(each, tmp_path / str(place)).epochs
        for place, each in enumerate((run, with_them, with_them))
    ]
    losses = [[epoch["loss"] for epoch in epochs] for epochs in histories]
    assert losses[1] == losses[2]
    assert losses[0] != losses[1]
