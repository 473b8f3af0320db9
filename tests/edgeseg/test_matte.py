"""The matte: soft about the edge and nowhere else; the background's colour is taken out."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg import imaging
from edgeseg.imaging import Box
from edgeseg.matte import foreground_colours, soft_matte
from edgeseg.postprocess import Segmentation, cutout_on_white, cutout_rgba
from tests.edgeseg.test_refine import GREEN, RED, disc, painted


def blurred_disc() -> tuple[np.ndarray, np.ndarray]:
    """A photo 200 px wide of a disc out of focus, and its true alpha: the edge is 6 px wide."""
    alpha = imaging.resize_bilinear(disc(40, 13.0), 200, 200)
    return painted(alpha, noise=1.0), alpha


def test_the_matte_is_nearer_to_the_true_alpha_than_the_mask() -> None:
    photo, alpha = blurred_disc()
    mask = (alpha >= 0.5).astype(np.uint8)
    matte = soft_matte(photo, mask) / 255.0
    edge = (alpha > 0.05) & (alpha < 0.95)
    assert np.abs(matte - alpha)[edge].mean() < 0.7 * np.abs(mask - alpha)[edge].mean()


def test_a_sharp_edge_keeps_a_sharp_matte() -> None:
    true = disc(200, 65.0)
    matte = soft_matte(painted(true), (true >= 0.5).astype(np.uint8))
    off = np.abs(np.hypot(*(np.mgrid[:200, :200] - 99.5)) - 65.0)
    # Noise of 4 in 255 against an edge of 180: alpha two pixels off is within a twentieth.
    assert np.abs(matte / 255.0 - (true >= 0.5))[off > 2].max() < 0.05


def test_soft_only_in_a_narrow_band_and_extremes_are_reached() -> None:
    true = disc(200, 65.0)
    photo = painted(true, noise=25.0)
    matte = soft_matte(photo, (true >= 0.5).astype(np.uint8))
    off = np.abs(np.hypot(*(np.mgrid[:200, :200] - 99.5)) - 65.0)
    # Twice a radius of 3 along each axis.
    np.testing.assert_array_equal(matte[off > 9.5], 255 * (true >= 0.5)[off > 9.5])


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (64, 48), (1300, 40)])
def test_an_empty_and_a_full_mask_stay_hard(shape: tuple[int, int], value: int) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    matte = soft_matte(photo, np.full(shape, value, np.uint8))
    assert matte.dtype == np.uint8
    assert (matte == 255 * value).all()
    np.testing.assert_array_equal(foreground_colours(photo, matte), photo)


def test_the_backgrounds_colour_is_taken_out_of_the_edge() -> None:
    photo, alpha = blurred_disc()
    matte = np.round(alpha * 255).astype(np.uint8)
    colours = foreground_colours(photo, matte)
    edge = (alpha > 0.3) & (alpha < 0.9)
    before = np.abs(photo[edge].astype(float) - RED).mean()
    after = np.abs(colours[edge].astype(float) - RED).mean()
    assert before > 25
    assert after < 0.2 * before
    hard = (matte == 0) | (matte == 255)
    np.testing.assert_array_equal(colours[hard], photo[hard])


def test_the_photo_itself_is_left_as_it_was() -> None:
    photo, alpha = blurred_disc()
    before = photo.copy()
    foreground_colours(photo, soft_matte(photo, (alpha >= 0.5).astype(np.uint8)))
    np.testing.assert_array_equal(photo, before)


def segmented(mask: np.ndarray) -> Segmentation:
    return Segmentation(mask.astype(np.float32), mask, imaging.bounding_box(mask))


@pytest.mark.parametrize("left", [0, 40])
def test_the_cutout_with_a_matte_is_framed_as_the_one_without(left: int) -> None:
    # With left = 0 the garment is cut by the frame, and the margin reaches beyond the photo.
    alpha = np.zeros((120, 160), np.float32)
    alpha[20:100, left : left + 70] = 1.0
    photo, mask = painted(alpha), alpha.astype(np.uint8)
    hard = cutout_rgba(photo, segmented(mask), margin=0.1)
    soft = cutout_rgba(photo, segmented(mask), margin=0.1, matte=True)
    assert hard.shape == soft.shape
    assert set(np.unique(hard[:, :, 3])) == {0, 255}
    assert np.abs(hard[:, :, 3].astype(int) - soft[:, :, 3]).mean() < 3
    assert (soft[soft[:, :, 3] == 0, :3] == 255).all()
    pad = 8
    np.testing.assert_array_equal(soft[pad + 20 : -pad - 20, pad + 20 : -pad - 20, :3],
                                  photo[40:80, left + 20 : left + 50])  # fmt: skip
    if left == 0:
        # The frame cuts the garment there: no edge, and so no softness.
        assert (soft[pad + 10 : -pad - 10, pad, 3] == 255).all()


def test_a_matte_on_another_ground_shows_none_of_the_old_one() -> None:
    photo, alpha = blurred_disc()
    mask = (alpha >= 0.5).astype(np.uint8)
    soft = imaging.over_colour(cutout_rgba(photo, segmented(mask), matte=True), (255, 255, 255))
    hard = cutout_on_white(photo, segmented(mask))
    assert soft.shape == hard.shape
    # Nearness to green, a colour of neither the garment nor the new ground: red - green channel
    # is negative for it alone.
    greenish = [int((cut[..., 0].astype(int) < cut[..., 1] - 5).sum()) for cut in (hard, soft)]
    fringe = [float(np.abs(cut.astype(float) - GREEN).sum(axis=2).min()) for cut in (hard, soft)]
    assert greenish[1] <= greenish[0]
    assert fringe[1] > fringe[0]


def test_the_embedders_crop_has_no_matte() -> None:
    photo, alpha = blurred_disc()
    mask = (alpha >= 0.5).astype(np.uint8)
    crop = cutout_on_white(photo, segmented(mask), margin=0.0)
    box = imaging.bounding_box(mask)
    assert isinstance(box, Box)
    inside = mask[box.top : box.bottom, box.left : box.right] != 0
    np.testing.assert_array_equal(
        crop[inside], photo[box.top : box.bottom, box.left : box.right][inside]
    )
    assert (crop[~inside] == 255).all()
