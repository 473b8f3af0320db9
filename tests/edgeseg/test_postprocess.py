"""Post-processing: which components and holes count, boxes and cutouts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgeseg.errors import NoGarmentError
from edgeseg.imaging import Box
from edgeseg.postprocess import (
    Refinement,
    SegmenterOptions,
    bounding_box,
    clean_confidence,
    cutout_on_white,
    cutout_rgba,
    segmentation_from,
)

OPTIONS = SegmenterOptions()


def confidence_of(*boxes: tuple[int, int, int, int], side: int = 100) -> np.ndarray:
    """Confidence 0.8 inside boxes (left, top, right, bottom), 0.1 elsewhere."""
    confidence = np.full((side, side), 0.1, np.float32)
    for left, top, right, bottom in boxes:
        confidence[top:bottom, left:right] = 0.8
    return confidence


def found_boxes(confidence: np.ndarray, options: SegmenterOptions = OPTIONS) -> np.ndarray:
    side = len(confidence)
    return segmentation_from(confidence, side, side, options).category_mask


def test_both_shoes_of_a_pair_stay_and_specks_go() -> None:
    left, right, speck = (10, 10, 40, 90), (60, 20, 85, 90), (48, 2, 54, 8)
    mask = found_boxes(confidence_of(left, right, speck))
    np.testing.assert_array_equal(mask, found_boxes(confidence_of(left, right)))
    assert mask.sum() == 30 * 80 + 25 * 70


def test_the_component_ratio_decides_at_its_edge() -> None:
    large, small = (0, 0, 50, 20), (60, 60, 70, 70)
    confidence = confidence_of(large, small)
    assert found_boxes(confidence, SegmenterOptions(min_component_ratio=0.1)).sum() == 1100
    assert found_boxes(confidence, SegmenterOptions(min_component_ratio=0.11)).sum() == 1000


def test_a_small_component_that_the_network_is_sure_of_stays() -> None:
    confidence = confidence_of((0, 0, 50, 20), (60, 60, 70, 70))
    confidence[60:70, 60:70] = 0.86
    assert found_boxes(confidence).sum() == 1100
    assert found_boxes(confidence, SegmenterOptions(min_component_confidence=0.87)).sum() == 1000


def test_small_holes_are_filled_and_large_ones_stay() -> None:
    confidence = confidence_of((10, 10, 90, 90))
    confidence[40:45, 40:45] = 0.1  # 25 of 6400: 0.4%
    confidence[60:80, 60:80] = 0.1  # 400 of 6400: the inside of a collar or a bag's handle
    mask = found_boxes(confidence)
    assert (mask[40:45, 40:45] == 1).all()
    assert (mask[60:80, 60:80] == 0).all()


def test_a_gap_at_the_frame_is_no_hole() -> None:
    confidence = confidence_of((0, 0, 100, 100))
    confidence[0:5, 50:54] = 0.1
    confidence[97:100, 0:3] = 0.1
    assert (found_boxes(confidence)[0:5, 50:54] == 0).all()
    assert (found_boxes(confidence)[97:100, 0:3] == 0).all()


def test_cleaning_leaves_every_other_confidence_as_it_was() -> None:
    confidence = np.random.default_rng(0).random((40, 40), dtype=np.float32)
    before = confidence.copy()
    cleaned = clean_confidence(confidence, OPTIONS)
    np.testing.assert_array_equal(confidence, before)
    changed = cleaned != confidence
    assert changed.any()
    assert set(np.unique(cleaned[changed])) <= {np.float32(0.0), np.float32(1.0)}


@pytest.mark.parametrize("level", [0.0, 0.49])
def test_nothing_above_the_threshold_is_no_garment(level: float) -> None:
    result = segmentation_from(np.full((20, 20), level, np.float32), 30, 40, OPTIONS)
    assert not result.found
    assert result.box is None
    assert result.category_mask.shape == result.confidence_mask.shape == (40, 30)
    assert result.category_mask.sum() == 0


def test_a_garment_below_the_minimum_is_no_garment() -> None:
    confidence = confidence_of((10, 10, 16, 16))  # 36 of 10,000
    assert not segmentation_from(confidence, 100, 100, OPTIONS).found
    tolerant = replace(OPTIONS, min_foreground_ratio=0.003)
    assert segmentation_from(confidence, 100, 100, tolerant).found
    assert found_boxes(confidence).sum() == 0


def test_a_garment_that_fills_the_photo_has_the_photo_as_its_box() -> None:
    result = segmentation_from(np.ones((8, 8), np.float32), 33, 21, OPTIONS)
    assert result.box == Box(0, 0, 33, 21)


def test_masks_come_back_at_the_photos_size_and_place() -> None:
    # Left half foreground at 32 px; at 640 x 480 the edge lies in the middle, to a bilinear
    # step's width (640 / 32 = 20 px between centres, the threshold half way).
    confidence = np.zeros((32, 32), np.float32)
    confidence[:, :16] = 1.0
    result = segmentation_from(confidence, 640, 480, OPTIONS)
    assert result.confidence_mask.dtype == np.float32
    assert result.category_mask.dtype == np.uint8
    assert result.confidence_mask.shape == result.category_mask.shape == (480, 640)
    assert 0.0 <= result.confidence_mask.min() <= result.confidence_mask.max() <= 1.0
    assert result.box is not None
    assert abs(result.box.right - 320) <= 1
    assert (result.box.left, result.box.top, result.box.bottom) == (0, 0, 480)


def test_without_cleaning_only_the_threshold_counts() -> None:
    confidence = confidence_of((10, 10, 40, 90), (48, 2, 54, 8))
    bare = found_boxes(confidence, SegmenterOptions(clean=False))
    np.testing.assert_array_equal(bare, confidence >= 0.5)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 500), (500, 1)])
def test_odd_photo_sizes_do(width: int, height: int) -> None:
    result = segmentation_from(np.ones((16, 16), np.float32), width, height, OPTIONS)
    assert result.box == Box(0, 0, width, height)


@pytest.mark.parametrize("method", ["guided", "grabcut"])
def test_a_refined_segmentation_is_cleaned_and_follows_the_photo(method: Refinement) -> None:
    confidence = confidence_of((10, 10, 60, 90), (80, 80, 84, 84))
    photo = np.full((200, 200, 3), (90, 130, 90), np.uint8)
    photo[22:178, 22:118] = (200, 40, 50)  # a cell inside the network's edge on every side
    photo += np.random.default_rng(0).integers(0, 8, photo.shape, dtype=np.uint8)
    refined = segmentation_from(confidence, 200, 200, replace(OPTIONS, refine=method), photo)
    assert refined.box is not None
    found = (refined.box.left, refined.box.top, refined.box.right, refined.box.bottom)
    assert np.abs(np.subtract(found, (22, 22, 118, 178))).max() <= 1
    assert refined.confidence_mask[100, 70] == 1.0
    assert refined.confidence_mask[164, 164] == 0.0, "the speck is gone from it, too"


@pytest.mark.parametrize("method", ["guided", "grabcut"])
def test_refining_no_garment_and_tiny_photos(method: Refinement) -> None:
    options = replace(OPTIONS, refine=method)
    for side in (1, 2, 40):
        photo = np.full((side, side, 3), 99, np.uint8)
        empty = segmentation_from(np.zeros((16, 16), np.float32), side, side, options, photo)
        full = segmentation_from(np.ones((16, 16), np.float32), side, side, options, photo)
        assert not empty.found
        assert full.box == Box(0, 0, side, side)


def test_refining_needs_the_photo() -> None:
    options = replace(OPTIONS, refine="guided")
    with pytest.raises(ValueError, match="needs the 30 x 20 photo"):
        segmentation_from(np.ones((8, 8), np.float32), 30, 20, options)
    with pytest.raises(ValueError, match="needs the 30 x 20 photo"):
        segmentation_from(
            np.ones((8, 8), np.float32), 30, 20, options, np.zeros((30, 20, 3), np.uint8)
        )


def test_the_bounding_box_is_tight() -> None:
    mask = np.zeros((20, 30), np.uint8)
    assert bounding_box(mask) is None
    mask[4, 7] = mask[9, 22] = 1
    assert bounding_box(mask) == bounding_box(mask.astype(bool)) == Box(7, 4, 23, 10)


def test_the_cutouts_agree_with_each_other_and_with_the_mask() -> None:
    photo = np.random.default_rng(0).integers(0, 250, (100, 100, 3), dtype=np.uint8)
    segmentation = segmentation_from(
        confidence_of((0, 30, 40, 90), (60, 30, 99, 60)), 100, 100, OPTIONS
    )
    white = cutout_on_white(photo, segmentation, margin=0.1)
    rgba = cutout_rgba(photo, segmentation, margin=0.1)
    assert white.shape == (60 + 20, 99 + 20, 3)
    assert rgba.shape == (60 + 20, 99 + 20, 4)
    np.testing.assert_array_equal(rgba[:, :, :3], white)
    # Garment pixels are below 250 here, so that white and alpha 0 must coincide.
    np.testing.assert_array_equal(rgba[:, :, 3] == 0, (white == 255).all(axis=2))
    assert set(np.unique(rgba[:, :, 3])) == {0, 255}
    assert (rgba[:, :, 3] == 255).sum() == segmentation.category_mask.sum()
    np.testing.assert_array_equal(white[10:70, 10:50], photo[30:90, 0:40])


def test_no_garment_has_no_cutout() -> None:
    photo = np.zeros((20, 20, 3), np.uint8)
    empty = segmentation_from(np.zeros((8, 8), np.float32), 20, 20, OPTIONS)
    for cut in (cutout_on_white, cutout_rgba):
        with pytest.raises(NoGarmentError):
            cut(photo, empty)


def test_another_photos_segmentation_is_a_value_error() -> None:
    segmentation = segmentation_from(np.ones((8, 8), np.float32), 20, 20, OPTIONS)
    with pytest.raises(ValueError, match="segmentation is of"):
        cutout_on_white(np.zeros((20, 21, 3), np.uint8), segmentation)


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 0.0},
        {"threshold": 1.0},
        {"max_hole_ratio": -0.1},
        {"min_component_ratio": 2.0},
        {"refine": "sharper"},
    ],
)
def test_options_out_of_range_are_a_value_error(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        SegmenterOptions(**change)  # type: ignore[arg-type]
