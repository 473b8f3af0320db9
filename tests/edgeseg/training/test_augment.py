"""Augmentation: repeatable, true to its labels, and nothing at all when nothing is asked for."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from edgeseg.training.augment import (
    Augmentation,
    add_camera_faults,
    augment,
    change_tone,
    garment_free_part,
    recolour,
    replace_background,
    warp,
)
from edgeseg.training.recipe import SegmenterRecipe, load_recipe

STRONG = Augmentation(
    flip=0.5, rotation_deg=40, p_quarter_turn=0.5, scale=(0.5, 1.8), stretch=1.3, shift=0.2,
    p_background=0.5, p_recolour=0.5, brightness=0.2, contrast=0.3, saturation=0.4, hue_deg=20,
    white_balance=0.1, gamma=0.4, p_grey=0.3, p_shadow=0.5, p_blur=0.5, p_noise=0.5, p_jpeg=0.5,
)  # fmt: skip
NOTHING = Augmentation(flip=0.0)
SIDE = 48


def photo_and_mask(height: int = 70, width: int = 52) -> tuple[Any, Any]:
    """A smooth photograph and a lopsided garment."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)
    photo = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    mask = np.zeros((height, width), np.uint8)
    mask[height // 5 : height // 2, width // 6 : width // 2] = 1
    mask[height // 2 : -height // 8, width // 3 : -width // 6] = 1
    return photo, mask


BACKGROUNDS = [
    np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    for seed, shape in enumerate([(40, 60, 3), (9, 200, 3), (300, 30, 3), (48, 48, 3)])
]


def test_the_same_generator_gives_the_same_variant() -> None:
    photo, mask = photo_and_mask()
    kept = photo.copy(), mask.copy()
    variants = []
    for seed in range(20):
        first, again = (
            augment(photo, mask, SIDE, STRONG, BACKGROUNDS, np.random.default_rng([7, seed]))
            for _ in range(2)
        )
        np.testing.assert_array_equal(first[0], again[0])
        np.testing.assert_array_equal(first[1], again[1])
        variants.append(first[0].tobytes())
    assert len(set(variants)) == len(variants)
    np.testing.assert_array_equal(photo, kept[0])
    np.testing.assert_array_equal(mask, kept[1])


@pytest.mark.parametrize("shape", [(70, 52), (48, 48), (20, 130), (300, 200), (5, 7)])
def test_shapes_and_types(shape: tuple[int, int]) -> None:
    photo, mask = photo_and_mask(*shape)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        image, soft = augment(photo, mask, SIDE, STRONG, BACKGROUNDS, rng)
        assert image.shape == (SIDE, SIDE, 3)
        assert soft.shape == (SIDE, SIDE)
        assert image.dtype == soft.dtype == np.uint8
        for changed in (
            recolour(image, rng),
            change_tone(image, STRONG, rng),
            add_camera_faults(image, STRONG, rng),
            replace_background(image, soft, BACKGROUNDS, rng),
        ):
            assert changed.shape == image.shape
            assert changed.dtype == np.uint8


@pytest.mark.parametrize("shape", [(70, 52), (60, 110)])
def test_a_label_stays_on_its_garment(shape: tuple[int, int]) -> None:
    _, mask = photo_and_mask(*shape)
    # Colour tells garment from background, so the warped picture says what its mask must be.
    photo = np.where(mask[..., None] > 0, np.uint8([255, 0, 255]), np.uint8([0, 255, 0]))
    areas, flipped = [], 0
    for seed in range(40):
        image, soft = warp(photo, mask * 255, SIDE, STRONG, np.random.default_rng(seed))
        difference = np.abs(image[..., 0].astype(int) - soft)
        # One interpolation of one geometry: the two may round apart by one level.
        assert difference.max() <= 1
        assert np.abs(255 - image[..., 1].astype(int) - soft).max() <= 1
        areas.append(soft.mean())
        flipped += int(soft[:, : SIDE // 2].sum() > soft[:, SIDE // 2 :].sum())
    assert np.std(areas) > 1
    assert 0 < flipped < 40


def test_the_whole_chain_keeps_the_label() -> None:
    photo, mask = photo_and_mask()
    photo[...] = np.where(mask[..., None] > 0, np.uint8([230, 20, 20]), np.uint8([20, 20, 230]))
    options = Augmentation(rotation_deg=30, p_background=1.0, p_noise=1.0, brightness=0.1)
    behind = [np.full((30, 30, 3), (10, 60, 200), np.uint8)]
    for seed in range(10):
        rng = np.random.default_rng(seed)
        image, soft = augment(photo, mask, SIDE, options, behind, rng)
        red = image[..., 0].astype(int) - image[..., 2]
        inside, outside = cv2.erode(soft, np.ones((5, 5))) == 255, cv2.dilate(soft, np.ones((5, 5)))
        assert (red[inside] > 0).mean() > 0.999
        assert (red[outside == 0] < 0).mean() > 0.999


@pytest.mark.parametrize("shape", [(70, 52), (30, 40), (48, 48)])
def test_nothing_asked_for_is_a_plain_resize(shape: tuple[int, int]) -> None:
    photo, mask = photo_and_mask(*shape)
    image, soft = augment(photo, mask, SIDE, NOTHING, BACKGROUNDS, np.random.default_rng(0))
    plain = cv2.resize(photo, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    plain_mask = cv2.resize(mask * 255, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    # An affine warp looks up places to a 32nd of a pixel, and this photograph's colours move by up
    # to 30 levels a pixel: one level, one more of rounding, and one of the tone table's.
    assert np.abs(image.astype(int) - plain).max() <= 3
    # The mask's edge is a step of 255: a 32nd of it is 8.
    assert np.abs(soft.astype(int) - plain_mask).max() <= 9
    assert ((soft >= 128) == (plain_mask >= 128)).mean() > 0.99


def test_a_new_background_leaves_the_garment_alone() -> None:
    photo, mask = photo_and_mask(SIDE, SIDE)
    soft = mask * 255
    # The feathering is at most 1 pixel of sigma, and OpenCV's kernel for it ends 4 pixels out.
    reach = np.ones((11, 11), np.uint8)
    inside, outside = cv2.erode(mask, reach) > 0, cv2.dilate(mask, reach) == 0
    assert inside.sum() > 20
    assert outside.sum() > 100
    for seed in range(20):
        changed = replace_background(photo, soft, BACKGROUNDS, np.random.default_rng(seed))
        np.testing.assert_array_equal(changed[inside], photo[inside])
        moved = np.abs(changed.astype(int) - photo).max(axis=-1)[outside]
        assert (moved > 20).mean() > 0.5


def test_no_backgrounds_leave_the_background_alone() -> None:
    photo, mask = photo_and_mask(SIDE, SIDE)
    options = Augmentation(flip=0.0, p_background=1.0)
    image, _ = augment(photo, mask, SIDE, options, (), np.random.default_rng(0))
    plain, _ = augment(photo, mask, SIDE, NOTHING, (), np.random.default_rng(0))
    np.testing.assert_array_equal(image, plain)


def test_recolouring_stays_inside_the_garment() -> None:
    photo, mask = photo_and_mask(SIDE, SIDE)
    options = Augmentation(flip=0.0, p_recolour=1.0)
    plain, soft = augment(photo, mask, SIDE, NOTHING, (), np.random.default_rng(0))
    image, _ = augment(photo, mask, SIDE, options, (), np.random.default_rng(0))
    moved = np.abs(image.astype(int) - plain).max(axis=-1)
    assert moved[soft == 0].max() <= 1
    assert (moved[soft == 255] > 10).mean() > 0.5


def test_what_lies_beside_a_garment() -> None:
    photo, mask = photo_and_mask(100, 100)
    mask[:] = 0
    mask[10:60, 20:90] = 1
    part = garment_free_part(photo, mask)
    np.testing.assert_array_equal(part, photo[62:])
    assert garment_free_part(photo, np.ones_like(mask)) is None
    np.testing.assert_array_equal(garment_free_part(photo, np.zeros_like(mask)), photo)


def test_options_from_json() -> None:
    options = Augmentation.from_dict({"scale": [0.5, 2], "flip": 0, "hue_deg": 3})
    assert options == Augmentation(scale=(0.5, 2.0), flip=0.0, hue_deg=3.0)
    for odd in ({"flop": 1}, {"scale": [2, 1]}, {"scale": [0, 1]}, {"stretch": 0}, {"flip": "x"}):
        with pytest.raises((ValueError, TypeError)):
            Augmentation.from_dict(odd)


def test_the_shipped_recipe_keeps_labels_true() -> None:
    options = load_recipe(SegmenterRecipe, "default").augmentation
    photo, mask = photo_and_mask(120, 90)
    photo[...] = np.where(mask[..., None] > 0, np.uint8([255, 0, 255]), np.uint8([0, 255, 0]))
    for seed in range(20):
        image, soft = warp(photo, mask * 255, SIDE, options, np.random.default_rng(seed))
        assert np.abs(image[..., 0].astype(int) - soft).max() <= 1
