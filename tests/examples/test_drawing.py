from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from examples.drawing.__main__ import main
from examples.drawing.backgrounds import GROUNDS
from examples.drawing.cloth import studio_picture
from examples.drawing.folder import write_folder
from examples.drawing.garments import loose_pose, parts_of
from examples.drawing.items import KINDS, draw_item
from examples.drawing.prints import PRINTS, TILE_PX, print_tile
from examples.drawing.snapshot import snapshot

SMALL = (150, 200)


def first_of(kind: str) -> int:
    return next(seed for seed in range(2000) if draw_item(seed).kind == kind)


def test_items_come_from_their_seed_alone() -> None:
    assert draw_item(11) == draw_item(11)
    assert len({repr(draw_item(seed)) for seed in range(200)}) == 200


def test_items_are_of_every_kind_and_many_fabrics() -> None:
    items = [draw_item(seed) for seed in range(600)]
    assert {item.kind for item in items} == set(KINDS)
    assert {item.print_name for item in items} == set(PRINTS)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        draw_item(-1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_garment_on_white(kind: str) -> None:
    item = draw_item(first_of(kind))
    picture = studio_picture(item, 96)
    assert picture.shape == (96, 96, 3)
    assert picture.dtype == np.uint8
    assert (picture[[0, -1]] == 255).all()
    assert (picture[:, [0, -1]] == 255).all()
    garment = (picture < 245).any(axis=2) if item.colour_name != "white" else picture.min(2) < 254
    assert 0.08 < garment.mean() < 0.9
    assert np.array_equal(picture, studio_picture(item, 96))


@pytest.mark.parametrize("kind", KINDS)
def test_parts_fill_a_unit_square_however_they_lie(kind: str) -> None:
    item = draw_item(first_of(kind))
    for pose in (None, loose_pose(item, np.random.default_rng(0))):
        every = np.concatenate([part.outline for part in parts_of(item, pose)])
        assert np.isfinite(every).all()
        assert np.abs(every).max() <= 0.5
        assert (every.max(axis=0) - every.min(axis=0)).max() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("name", PRINTS)
def test_every_print_covers_its_tile(name: str) -> None:
    item = draw_item(5)
    tile = print_tile(name, np.random.default_rng(2), item.palette())
    assert tile.shape == (TILE_PX, TILE_PX, 3)
    assert tile.dtype == np.float32
    assert 0 <= tile.min() <= tile.max() <= 1
    if name not in ("solid", "melange", "knit"):
        # Grain alone varies a solid by 0.05 of its colour; a print must show above that.
        assert tile.std(axis=(0, 1)).max() > 0.04


@pytest.mark.parametrize("name", GROUNDS)
def test_every_ground_is_busy(name: str) -> None:
    ground = GROUNDS[name][0](np.random.default_rng(3), 200)
    assert ground.shape == (200, 200, 3)
    assert np.isfinite(ground).all()
    assert ground.std() > 0.005


def test_a_snapshot_shows_the_item_where_its_mask_says() -> None:
    photo, mask = snapshot(draw_item(4), np.random.default_rng(8), SMALL)
    assert photo.shape == (200, 150, 3)
    assert photo.dtype == mask.dtype == np.uint8
    assert mask.shape == (200, 150)
    assert set(np.unique(mask)) == {0, 255}
    again, _ = snapshot(draw_item(4), np.random.default_rng(8), SMALL)
    assert np.array_equal(photo, again)
    other, other_mask = snapshot(draw_item(4), np.random.default_rng(9), SMALL)
    assert not np.array_equal(photo, other)
    assert not np.array_equal(mask, other_mask)


def test_garments_fill_about_as_much_of_a_photo_as_real_ones_do() -> None:
    shares = [
        snapshot(draw_item(seed), np.random.default_rng([1, seed]), SMALL)[1].mean() / 255
        for seed in range(24)
    ]
    assert 0.3 < np.median(shares) < 0.6
    assert min(shares) > 0.05


def test_a_mask_follows_the_garments_edge() -> None:
    """The photo changes across the mask's outline more than it does along random other pixels."""
    ratios = []
    for seed in range(8):
        photo, mask = snapshot(draw_item(seed), np.random.default_rng([2, seed]), SMALL)
        grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
        slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
        rim = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        ratios.append(slope[rim].mean() / slope[~rim].mean())
    assert np.median(ratios) > 1.5


def test_a_folder_is_ready_to_train_on(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path / "a"), "--snapshots", "3", "--seed", "2"]
    assert main([*arguments, "--width", "90", "--height", "120"]) == 0
    with (tmp_path / "a" / "split.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image", "mask", "split", "group"]
    assert len(rows) == 3
    assert len({row["group"] for row in rows}) == 3
    for row in rows:
        image = cv2.imread(str(tmp_path / "a" / row["image"]))
        mask = cv2.imread(str(tmp_path / "a" / row["mask"]), cv2.IMREAD_UNCHANGED)
        assert image.shape == (120, 90, 3)
        assert mask.shape == (120, 90)
        assert set(np.unique(mask)) == {0, 255}


def test_a_longer_folder_starts_with_the_shorter_one(tmp_path: Path) -> None:
    write_folder(tmp_path / "short", 1, 0, (60, 80))
    write_folder(tmp_path / "long", 2, 0, (60, 80), jobs=2)
    name = "images/drawn_0_00000.jpg"
    assert (tmp_path / "short" / name).read_bytes() == (tmp_path / "long" / name).read_bytes()


@pytest.mark.parametrize(
    "wrong", [["--snapshots", "0"], ["--seed", "-1"], ["--jobs", "0"], ["--width", "9"]]
)
def test_wrong_usage_exits_with_2(tmp_path: Path, wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--out", str(tmp_path), *wrong])
    assert stopped.value.code == 2
