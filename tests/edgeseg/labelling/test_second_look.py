"""A second look finds each kind of damage, and leaves outlines and what is in doubt alone."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.labelling.second_look import (
    Opinion,
    SureFrom,
    opinion_of,
    second_look,
    sure_from,
    suspect,
)
from tests.verify.damage import KINDS, damage

SURE = SureFrom(garment=0.9, background=0.9)


def disc(row: float, column: float, radius: float, side: int = 96) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side]
    return np.hypot(rows - row, columns - column) <= radius


def said_of(mask: np.ndarray, sure: float = 0.97) -> np.ndarray:
    return np.where(mask, sure, 1 - sure).astype(np.float32)


def test_a_good_label_is_not_suspected() -> None:
    garment = disc(48, 48, 30)
    found = suspect(Opinion(said_of(garment), garment), SURE)
    assert found.score == 0
    assert found.iou == 1
    assert "nothing" in found.reason


def test_a_hole_is_missing_and_a_growth_is_surplus() -> None:
    garment, hole = disc(48, 48, 30), disc(40, 48, 9)
    holed = suspect(Opinion(said_of(garment), garment & ~hole), SURE)
    # What the opening keeps of a disc of 9 px is that disc, but for corners of single pixels.
    assert holed.missing == pytest.approx((hole & garment).sum() / garment.sum(), rel=0.1)
    assert holed.surplus == 0
    assert "not labelled" in holed.reason
    grown = suspect(Opinion(said_of(garment), disc(48, 48, 38)), SURE)
    assert grown.missing == 0
    assert grown.surplus == pytest.approx(1 - (30 / 38) ** 2, rel=0.1)
    assert "does not look like garment" in grown.reason


def test_an_outline_drawn_otherwise_is_no_contradiction() -> None:
    garment = disc(48, 48, 30)
    assert suspect(Opinion(said_of(garment), disc(48, 48, 31)), SURE).score == 0
    assert suspect(Opinion(said_of(garment), disc(48.5, 48.5, 30)), SURE).score == 0


def test_an_unsure_network_accuses_nobody() -> None:
    garment = disc(48, 48, 30)
    unsure = said_of(garment, 0.7)
    assert suspect(Opinion(unsure, disc(48, 60, 30)), SURE).score == 0
    assert suspect(Opinion(said_of(garment), disc(48, 60, 30)), SURE).score > 0.2


def test_sureness_is_measured_on_the_labels() -> None:
    garment = disc(48, 48, 30)
    timid = [Opinion(said_of(garment, 0.7), garment) for _ in range(9)]
    sure = sure_from(timid)
    assert sure.garment == pytest.approx(0.7, abs=1e-3)
    assert sure.background == pytest.approx(0.7, abs=1e-3)
    # So the same 0.7 that accuses nobody above does here, where the network never says more.
    wrong = Opinion(said_of(garment, 0.7), disc(48, 60, 30))
    assert second_look([*timid, wrong])[-1].score > 0.2


def test_labels_of_one_class_alone() -> None:
    nothing = np.zeros((32, 32), bool)
    found = second_look([Opinion(said_of(nothing), nothing)] * 3)
    assert [each.score for each in found] == [0, 0, 0]
    assert [each.iou for each in found] == [1, 1, 1]
    full = second_look([Opinion(said_of(~nothing), nothing)] * 3)
    assert full[0].missing == 1


def test_labels_come_to_the_networks_size() -> None:
    label = disc(200, 150, 90, side=400)
    small = opinion_of(np.zeros((50, 40), np.float32), label)
    assert small.label.shape == (50, 40)
    assert small.label.mean() == pytest.approx(label.mean(), abs=0.01)


def test_damaged_labels_come_first() -> None:
    """All four kinds, among clean labels of which a network errs on some."""
    rng = np.random.default_rng(8)
    masks = [disc(*rng.uniform(40, 56, size=2), rng.uniform(18, 32)) for _ in range(80)]
    damaged, kinds = damage(masks, seed=1)
    assert sorted(kinds.values()) == sorted(KINDS * 2)
    assert [
        i for i, (a, b) in enumerate(zip(masks, damaged, strict=True)) if (a != b).any()
    ] == sorted(kinds)
    confidences = [said_of(mask) for mask in masks]
    for confidence in confidences[::7]:
        confidence[:20, :20] = 0.6
    found = second_look([Opinion(c, m) for c, m in zip(confidences, damaged, strict=True)])
    worst = sorted(range(80), key=lambda index: -found[index].score)[: len(kinds)]
    assert set(worst) == set(kinds)
