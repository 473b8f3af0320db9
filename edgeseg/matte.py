"""From a hard mask to a matte: soft alpha in a narrow band about the edge, and the colours there.

The matte is the mask through a guided filter of small radius, which He, Sun and Tang, "Guided image
filtering" (TPAMI 2013), section 4, call feathering: where the photo's edge is sharp so is the
matte, and where it is blurred, or runs between pixels, the matte is in between.

A pixel that is half background has half the background's colour, and keeps it as a fringe on
whatever the cutout is laid on. Its own colour is estimated by blur fusion: Forte, "Approximate fast
foreground colour estimation" (ICIP 2021). Smoothed fields are worked out at a bounded size; the
photo itself is read in the blocks about the edge alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg import filters, imaging
from edgeseg.imaging import Photo
from edgeseg.refine import band_blocks, fit_linear_model, interpolated, shrunk

__all__ = ["foreground_colours", "soft_matte"]

# A mask is no finer than this: the network's grid is a third of it.
_WORK_SIDE_PX = 640
_RADIUS_PX = 3
_EPSILON = 1e-3
# The filter reaches 0 and 1 slowly where texture crosses the edge; this cuts its tails off.
_GAIN = 1.5
_COLOUR_RADIUS_PX = 8
# Means over a window of equal numbers come out within rounding of them.
_ROUNDING = 1e-9


def soft_matte(photo: Photo, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Soften a mask's edge as the photo's own edge is soft.

    Args:
        photo: `(H, W, 3)` uint8 RGB.
        mask: `(H, W)` uint8, foreground where it isn't 0.

    Returns:
        `(H, W)` uint8 alpha: 255 inside, 0 outside, between them only about the edge.
    """
    guide = shrunk(photo, _WORK_SIDE_PX)
    hard = (mask != 0).astype(np.float32)
    coarse = imaging.resize(hard, guide.shape[1], guide.shape[0])
    soft = fit_linear_model(guide, coarse, _RADIUS_PX, _EPSILON).apply(photo)
    soft = np.clip((soft - np.float32(0.5)) * np.float32(_GAIN) + np.float32(0.5), 0.0, 1.0)
    alpha: NDArray[np.uint8] = (soft * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)
    return alpha


def foreground_colours(photo: Photo, matte: NDArray[np.uint8]) -> Photo:
    """Take the background's share out of the colours about the edge.

    With F and B the means of the foreground's and the background's colours near a pixel, its own
    foreground colour is

        F + alpha * (I - alpha * F - (1 - alpha) * B)

    The paper weights the means by alpha and by 1 - alpha and goes through twice, for mixed pixels
    colour F in the first pass. Weights of the fourth power leave them out in one.

    Args:
        photo: `(H, W, 3)` uint8 RGB.
        matte: `(H, W)` uint8 alpha.

    Returns:
        `(H, W, 3)` uint8 RGB: the photo's own where alpha is 0 or 255.
    """
    height, width = matte.shape
    # float64: the weights sum to very little where a thing is thin.
    guide = shrunk(photo, _WORK_SIDE_PX).astype(np.float64)
    alpha = imaging.resize(matte, guide.shape[1], guide.shape[0]).astype(np.float64) / 255.0
    fields = []
    for share in (alpha, 1.0 - alpha):
        weights = share**4
        total = filters.box_mean(weights, _COLOUR_RADIUS_PX) + 1e-9
        colour = filters.box_mean(guide * weights[:, :, None], _COLOUR_RADIUS_PX)
        fields.append(colour / total[:, :, None])
    planes = np.moveaxis(np.concatenate(fields, axis=2), 2, 0).astype(np.float32)
    # A neighbour on each side, for the average over an area can hide a pixel of the edge.
    near = filters.box_mean(alpha, 1)
    band = (near > _ROUNDING) & (near < 1.0 - _ROUNDING)
    colours = photo.copy()
    for rows, columns in band_blocks(band, height, width):
        block = matte[rows, columns]
        soft = (block > 0) & (block < 255)
        local = np.moveaxis(interpolated(planes, rows, columns, height, width), 0, 2)[soft]
        inside, outside = local[:, :3], local[:, 3:]
        weight = block[soft][:, None].astype(np.float32) / np.float32(255.0)
        mixed = weight * inside + (1.0 - weight) * outside
        own = inside + weight * (photo[rows, columns][soft] - mixed)
        colours[rows, columns][soft] = np.clip(own + 0.5, 0.0, 255.0).astype(np.uint8)
    return colours
