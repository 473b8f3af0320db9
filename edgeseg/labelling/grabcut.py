"""GrabCut with no hand in it: the labeller that the first masks came from, and the baseline.

Rother, Kolmogorov and Blake, "GrabCut: interactive foreground extraction using iterated graph
cuts" (SIGGRAPH 2004), started from a rectangle just inside the frame: what touches the frame is
background, and everything else is to be decided by colour and edges.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

MARGIN_PX = 5
ITERATIONS = 3
# The colour models start from k-means on OpenCV's generator, of which each thread has its own.
_SEED = 0


def grabcut_mask(
    photo: NDArray[np.uint8], margin_px: int = MARGIN_PX, iterations: int = ITERATIONS
) -> NDArray[np.bool_]:
    """Cut the garment out by colour.

    Args:
        photo: ``(H, W, 3)`` uint8 RGB.
        margin_px: width of the frame taken as certain background, in pixels.
        iterations: rounds of re-fitting the colour models and cutting again.

    Returns:
        ``(H, W)`` bool, True on the garment; the same for the same photo each time. All False for
        a photo that has no room for the rectangle, or no colour but the background's.

    Raises:
        ValueError: ``photo`` is not ``(H, W, 3)`` uint8.
    """
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8:
        raise ValueError(f"photo must be (H, W, 3) uint8, got {photo.dtype} {photo.shape}")
    height, width = photo.shape[:2]
    labels = np.full((height, width), cv2.GC_BGD, np.uint8)
    inside = labels[margin_px : height - margin_px, margin_px : width - margin_px]
    # Each of the two mixtures has 5 Gaussians, and OpenCV fits none of them to fewer pixels.
    if inside.size < 5 or labels.size - inside.size < 5:
        return np.zeros((height, width), np.bool_)
    inside[:] = cv2.GC_PR_FGD
    background = np.zeros((1, 65), np.float64)
    foreground = np.zeros((1, 65), np.float64)
    # OpenCV's order is BGR. GrabCut itself takes any, but k-means' draws then differ.
    bgr = np.ascontiguousarray(photo[..., ::-1])
    cv2.setRNGSeed(_SEED)
    cv2.grabCut(bgr, labels, None, background, foreground, iterations, cv2.GC_INIT_WITH_MASK)
    mask: NDArray[np.bool_] = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return mask
