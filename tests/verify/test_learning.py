"""What the rows on learning are computed with: shares of labels, damage, and a head that learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg.presets import preset_path
from tests.verify import active_order, second_look
from tests.verify.active_order import share_of_labels
from tests.verify.damage import KINDS, damage
from tests.verify.workbench import Workbench

COUNTS = (20, 60, 100)


@pytest.mark.parametrize(
    ("active", "share"),
    [
        ([0.7, 0.8, 0.9], 1.0),
        ([0.7, 0.9, 0.9], 0.6),
        # Reached half-way from 60 to 100.
        ([0.7, 0.88, 0.92], 0.8),
        ([0.95, 0.96, 0.97], 0.2),
        ([0.7, 0.8, 0.85], float("inf")),
        # The first time counts, as for one who stops there.
        ([0.7, 0.9, 0.8], 0.6),
    ],
)
def test_share_of_labels(active: list[float], share: float) -> None:
    assert share_of_labels(COUNTS, 0.9, active) == pytest.approx(share)


def discs(count: int, side: int = 80) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:side, : side + 10]
    return [
        np.hypot(rows - rng.uniform(30, 50), columns - rng.uniform(30, 50)) < rng.uniform(15, 25)
        for _ in range(count)
    ]


def test_damage_is_what_it_is_called() -> None:
    masks = discs(80)
    damaged, kinds = damage(masks, seed=2)
    assert {kind: list(kinds.values()).count(kind) for kind in KINDS} == dict.fromkeys(KINDS, 2)
    assert damage(masks, seed=2)[1] == kinds
    assert damage(masks, seed=3)[1] != kinds
    for index, (before, after) in enumerate(zip(masks, damaged, strict=True)):
        if index not in kinds:
            assert after is before
            continue
        assert after.shape == before.shape
        match kinds[index]:
            case "grown":
                assert (after >= before).all()
                assert after.sum() > before.sum()
            case "holed":
                assert (after <= before).all()
                assert 0.02 < 1 - after.sum() / before.sum() < 0.2
            case "shifted":
                assert after.sum() == pytest.approx(before.sum(), rel=0.02)
                assert (after != before).any()
            case "swapped":
                assert any((after == other).all() for other in masks if other is not before)


def test_a_damaged_list_is_read_from_its_head() -> None:
    masks = discs(60)
    sure = [np.where(mask, 0.97, 0.03).astype(np.float32) for mask in masks]
    assert second_look.found_early(sure, masks, seed=1) == [True] * 6
    # A network that sees the same in every photo finds no more than what is nothing like it.
    blind = [np.full(masks[0].shape, 0.5, np.float32)] * 60
    assert sum(second_look.found_early(blind, masks, seed=1)) < 6


def test_damaged_labels_of_real_photographs_come_first(shared_data: Path, tmp_path: Path) -> None:
    """The row itself, on the photographs whose masks taught the shipped network nothing."""
    if not preset_path().is_file():
        pytest.skip("the default bundle is not built here")
    bench = Workbench(shared_data, tmp_path, None, tmp_path / "none")
    assert second_look.bundle_share(bench, "val", range(10)) >= 0.8


def test_rows_without_photographs(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "none", tmp_path, None, tmp_path / "none")
    for module in (active_order, second_look):
        for check in module.checks(bench):
            assert check.name in module.NAMES
            rows = check.rows()
            assert len(rows) == len(check.figures)
            assert all(row.status.startswith("not run") for row in rows)
            assert not any(row.fine for row in rows)


def test_the_small_head_learns(repository: Path) -> None:
    pytest.importorskip("tensorflow", reason="needs the train extra")
    from tests.verify.frozen_features import LEVELS, Features
    from tests.verify.small_head import SmallHead

    rng = np.random.default_rng(1)
    columns = np.arange(160)[None, :]
    edges = rng.integers(40, 120, 24)
    masks = np.stack([np.broadcast_to(columns < edge, (160, 160)) for edge in edges])
    targets = masks.reshape(24, 40, 4, 40, 4).mean((2, 4)).astype(np.float32)
    maps = []
    for level, (_, channels) in enumerate(LEVELS):
        side = 40 >> level
        shown = targets.reshape(24, side, 1 << level, side, 1 << level).mean((2, 4))
        views = np.stack([shown, shown[:, :, ::-1]])[..., None]
        noise = rng.normal(0, 0.3, (2, 24, side, side, channels))
        maps.append((views + noise).astype(np.float16))
    features = Features(tuple(maps), masks, targets)
    head = SmallHead(features, steps=40)
    unseen = np.arange(12, 24)
    head.train(features, targets, np.arange(12), seed=0)
    learnt = head.iou(features, unseen)
    assert learnt > 0.9
    plain, mirrored = head.predict(features, unseen)
    assert plain.shape == (12, 40, 40)
    # What was turned back shows the garment on the side where the photograph has it.
    assert ((mirrored >= 0.5) == (plain >= 0.5)).mean() > 0.9
    # The same seed gives the same network again, whatever it had learnt between.
    head.train(features, targets, np.arange(4), seed=3)
    head.train(features, targets, np.arange(12), seed=0)
    # Threads add in another order each time: 0.0014 was seen.
    assert head.iou(features, unseen) == pytest.approx(learnt, abs=0.01)
