"""Filters and components of masks, and counts of colours, from OpenCV."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.opencv import alike, cv2


def box_mean(image: NDArray[Any], radius: int) -> NDArray[Any]:
    """Average over a square window about each pixel, the picture mirrored beyond its frame.

    Args:
        image: `(H, W)` or `(H, W, C)`, float32 or float64, C at most 4.
        radius: The window is `2 * radius + 1` pixels wide; it may be wider than the picture.
    """
    alike()
    side = 2 * radius + 1
    averaged: NDArray[Any] = cv2.blur(image, (side, side), borderType=cv2.BORDER_REFLECT)
    return averaged


def majority(mask: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Give each pixel what most of the `side` x `side` about it have.

    Args:
        mask: `(H, W)` uint8 of 0 and 1; its outermost pixels repeat beyond its frame.
        side: 3 or 5 is fast: a median of 8 bits.
    """
    alike()
    voted: NDArray[np.uint8] = cv2.medianBlur(mask, side)
    return voted


def opened(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Take away what a disc does not fit into: an opening.

    Args:
        mask: `(H, W)` bool; what touches the frame counts as going on beyond it.
        radius: Of the disc, in pixels.
    """
    alike()
    side = 2 * radius + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    kept: NDArray[np.bool_] = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, disc) != 0
    return kept


def connected_components(mask: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Label the 8-connected regions of a mask.

    Args:
        mask: `(H, W)` uint8, foreground where it isn't 0.

    Returns:
        labels `(H, W)` int32, 0 = background; and `(N, 5)` int32 rows of left, top, width, height,
        area in pixels, row 0 being the background.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    return labels, stats


def distance_inside(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give each True pixel's distance from the nearest False one, in pixels; 0 where False.

    Args:
        mask: `(H, W)` bool.
    """
    alike()
    distance: NDArray[np.float32] = cv2.distanceTransform(
        mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5
    )
    return distance


def hsv_histogram(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], bins: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Count the colours of a picture in equal bins of hue, saturation and value.

    Args:
        image: `(H, W, 3)` uint8 RGB.
        mask: `(H, W)` uint8; where it is 0, nothing is counted.
        bins: How many of each.

    Returns:
        `(bins[0] * bins[1] * bins[2],)` float32, hue slowest.
    """
    alike()
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    # OpenCV's hue of 8 bits is in units of two degrees.
    counts = cv2.calcHist([hsv], [0, 1, 2], mask, list(bins), [0, 180, 0, 256, 0, 256])
    histogram: NDArray[np.float32] = counts.reshape(-1)
    return histogram
