"""The confidence mask's edge, moved onto the photo's own, at the photo's own resolution.

`guided` is a guided filter: He, Sun and Tang, "Guided image filtering" (TPAMI 2013), and He and
Sun, "Fast guided filter" (arXiv 1505.00996). Within each small window the mask is taken to be a
linear function of the colour,

    q_i = a_k . I_i + b_k                                  for the pixels i of the window k
    a_k = (Sigma_k + eps U)^-1 (mean(I p) - mu_k mean(p))
    b_k = mean(p) - a_k . mu_k

so that q has an edge where the photo has one. The coefficients vary slowly: they are fitted at the
network's resolution, averaged over the windows that hold a pixel, and only then brought to the
photo's resolution, where they meet the photo's own colours (2015). Away from the edge
they are constant; so the photo is read only in the blocks that the band about the edge touches, and
the work grows with the outline's length, not with the photo's area.

`grabcut` lets colour models of this very garment and background decide where the network was
unsure, at a bounded resolution, and then filters likewise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeseg import filters, imaging
from edgeseg.grabcut import grabcut_from_confidence
from edgeseg.imaging import Photo

__all__ = ["REFINEMENTS", "LinearModel", "Refinement", "fit_linear_model", "grabcut", "guided"]

Refinement = Literal["none", "guided", "grabcut"]
REFINEMENTS: tuple[Refinement, ...] = ("none", "guided", "grabcut")

# Chosen on training photographs, snapshots and street; none of these is delicate.
GUIDED_RADIUS_RATIO = 0.025
EPSILON = 1e-4
# 0.5 +- 0.125 of confidence becomes 0..1: the filter is to be shown an edge, not a long slope.
STEEPNESS = 4.0
# GrabCut's time grows with its pixels, and its result is filtered to the photo's size anyway.
GRABCUT_SIDE_PX = 320
GRABCUT_RADIUS_PX = 3
# Where GrabCut and the network agree less than this (IoU), the garment's colours are the
# background's too, and the network is right more often.
GRABCUT_MIN_AGREEMENT = 0.85

# Side of the squares that a photo is worked on in: small enough to stay in a cache.
_BLOCK_PX = 128
# Means over a window of equal numbers come out within rounding of them.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class LinearModel:
    """A mask as a linear function of colour, different from place to place.

    Attributes:
        coefficients: `(4, h, w)` float32: the slopes by red, green and blue (colours 0..255) and
            the offset.
        band: `(h, w)` bool: where the result depends on the colour.
    """

    coefficients: NDArray[np.float32]
    band: NDArray[np.bool_]

    def apply(self, photo: Photo) -> NDArray[np.float32]:
        """Give the mask at a photo's resolution.

        Args:
            photo: `(H, W, 3)` uint8 RGB, what the model was fitted to, at any size.

        Returns:
            `(H, W)` float32 in [0, 1].
        """
        height, width = photo.shape[:2]
        # Where no colour counts the slopes are 0, and the offset is the mask itself.
        mask: NDArray[np.float32] = imaging.resize_bilinear(self.coefficients[3], width, height)
        for rows, columns in band_blocks(self.band, height, width):
            local = interpolated(self.coefficients, rows, columns, height, width)
            block = local[3]
            for channel in range(3):
                block += local[channel] * photo[rows, columns, channel]
            mask[rows, columns] = block
        return np.clip(mask, 0.0, 1.0, out=mask)


def guided(
    photo: Photo, confidence: NDArray[np.float32], threshold: float = 0.5
) -> NDArray[np.float32]:
    """Refine by the guided filter, fitted at the confidence's own resolution.

    Args:
        photo: `(H, W, 3)` uint8 RGB.
        confidence: `(h, w)` float32 in [0, 1].
        threshold: Confidence at which the edge lies.

    Returns:
        `(H, W)` float32 in [0, 1], the edge at 0.5 whatever the threshold; 0 or 1 off the edge.
    """
    height, width = confidence.shape
    steep = np.clip((confidence - np.float32(threshold)) * np.float32(STEEPNESS) + 0.5, 0.0, 1.0)
    guide = imaging.resize(photo, width, height)
    radius = max(1, round(GUIDED_RADIUS_RATIO * max(height, width)))
    return fit_linear_model(guide, steep, radius, EPSILON).apply(photo)


def grabcut(
    photo: Photo, confidence: NDArray[np.float32], threshold: float = 0.5
) -> NDArray[np.float32]:
    """Refine by GrabCut seeded with the confidence, then by the guided filter.

    Falls back to :func:`guided` where GrabCut and the network disagree about the garment itself.

    Args:
        photo: `(H, W, 3)` uint8 RGB.
        confidence: `(h, w)` float32 in [0, 1].
        threshold: Confidence at which the edge lies.

    Returns:
        As :func:`guided`.
    """
    guide = shrunk(photo, GRABCUT_SIDE_PX)
    seed = imaging.resize_bilinear(confidence, guide.shape[1], guide.shape[0])
    cut = grabcut_from_confidence(guide, seed, threshold)
    before = seed >= threshold
    union = np.count_nonzero(cut | before)
    if np.count_nonzero(cut & before) < GRABCUT_MIN_AGREEMENT * union:
        return guided(photo, confidence, threshold)
    model = fit_linear_model(guide, cut.astype(np.float32), GRABCUT_RADIUS_PX, EPSILON)
    return model.apply(photo)


def shrunk(photo: Photo, side_px: int) -> Photo:
    """Resize `(H, W, 3)` uint8 RGB so that its longer side is `side_px` at most; never larger."""
    height, width = photo.shape[:2]
    ratio = min(1.0, side_px / max(height, width))
    return imaging.resize(photo, max(1, round(width * ratio)), max(1, round(height * ratio)))


def fit_linear_model(
    guide: Photo, mask: NDArray[np.float32], radius: int, epsilon: float
) -> LinearModel:
    """Fit the guided filter's coefficients and average them over the windows.

    Args:
        guide: `(h, w, 3)` uint8 RGB, the picture whose edges count: I.
        mask: `(h, w)` float32 in [0, 1]: the filter's input p.
        radius: A window is `2 * radius + 1` pixels wide; edges move by twice the radius at most.
        epsilon: Variance, of colours in 0..1, below which a window counts as flat.
    """

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        averaged: NDArray[np.float64] = filters.box_mean(values, radius)
        return averaged

    # float64: the determinant of a nearly grey window is a difference of nearly equal numbers.
    colour, target = guide.astype(np.float64) / 255.0, mask.astype(np.float64)
    mu, mean_target = mean(colour), mean(target)
    covariance = mean(colour * target[:, :, None]) - mu * mean_target[:, :, None]
    sigma = {
        (i, j): mean(colour[:, :, i] * colour[:, :, j]) - mu[:, :, i] * mu[:, :, j]
        for i in range(3)
        for j in range(i, 3)
    }
    for channel in range(3):
        sigma[channel, channel] += epsilon
    slopes = _solved(sigma, covariance)
    offset = mean_target - (slopes * mu).sum(axis=2)
    coefficients = np.stack([*np.moveaxis(mean(slopes), 2, 0), mean(offset)])
    coefficients[:3] /= 255.0
    reach = mean(mean_target)
    band = (reach > _ROUNDING) & (reach < 1.0 - _ROUNDING)
    return LinearModel(coefficients.astype(np.float32), band)


def _solved(
    sigma: dict[tuple[int, int], NDArray[np.float64]], covariance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Solve a symmetric 3 x 3 system at each pixel, `(h, w, 3)`, by cofactors."""
    rr, rg, rb = sigma[0, 0], sigma[0, 1], sigma[0, 2]
    gg, gb, bb = sigma[1, 1], sigma[1, 2], sigma[2, 2]
    rg_, rb_, gb_ = gb * rb - rg * bb, rg * gb - gg * rb, rg * rb - rr * gb
    cofactors = (
        (gg * bb - gb * gb, rg_, rb_),
        (rg_, rr * bb - rb * rb, gb_),
        (rb_, gb_, rr * gg - rg * rg),
    )
    determinant = rr * cofactors[0][0] + rg * rg_ + rb * rb_
    by_red, by_green, by_blue = np.moveaxis(covariance, 2, 0)
    rows = [(row[0] * by_red + row[1] * by_green + row[2] * by_blue) for row in cofactors]
    return np.stack(rows, axis=2) / determinant[:, :, None]


def band_blocks(band: NDArray[np.bool_], height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Yield the blocks of a photo, as rows and columns, that a coarser band touches.

    Args:
        band: `(h, w)` bool over the whole photo.
        height: The photo's height in pixels.
        width: The photo's width in pixels.
    """
    for top in range(0, height, _BLOCK_PX):
        rows = slice(top, min(top + _BLOCK_PX, height))
        _, low, high = _interpolation(rows, height, band.shape[0])
        strip: NDArray[np.bool_] = np.any(band[low:high], axis=0)
        if not strip.any():
            continue
        for left in range(0, width, _BLOCK_PX):
            columns = slice(left, min(left + _BLOCK_PX, width))
            _, low, high = _interpolation(columns, width, band.shape[1])
            if strip[low:high].any():
                yield rows, columns


def interpolated(
    planes: NDArray[np.float32], rows: slice, columns: slice, height: int, width: int
) -> NDArray[np.float32]:
    """Interpolate one block of what `imaging.resize_bilinear` would give for the whole.

    Args:
        planes: `(C, h, w)` float32 over the whole photo.
        rows: The block's rows in the photo.
        columns: The block's columns in the photo.
        height: The photo's height in pixels.
        width: The photo's width in pixels.

    Returns:
        `(C, rows, columns)` float32.
    """
    down, top, bottom = _interpolation(rows, height, planes.shape[1])
    across, left, right = _interpolation(columns, width, planes.shape[2])
    coarse = planes[:, top:bottom, left:right]
    block: NDArray[np.float32] = np.matmul(np.matmul(down, coarse), across.T)
    return block


def _interpolation(span: slice, size: int, source: int) -> tuple[NDArray[np.float32], int, int]:
    """Bilinear weights along one axis, pixel centres at halves.

    Args:
        span: Positions on the finer axis.
        size: That axis' length.
        source: The coarser axis' length.

    Returns:
        `(stop - start, high - low)` float32 of weights, and low and high: the source's positions.
    """
    centres = (np.arange(span.start, span.stop) + 0.5) * (source / size) - 0.5
    centres = np.clip(centres, 0.0, source - 1.0)
    low, high = int(centres[0]), min(int(centres[-1]) + 2, source)
    weights = np.maximum(0.0, 1.0 - np.abs(centres[:, None] - np.arange(low, high)[None, :]))
    return weights.astype(np.float32), low, high
