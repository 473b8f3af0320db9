"""GrabCut with no hand in it: the labeller that the first masks came from, and the baseline.

Rother, Kolmogorov and Blake, "GrabCut: interactive foreground extraction using iterated graph
cuts" (SIGGRAPH 2004), started from a rectangle just inside the frame (what touches the frame is
background, and everything else is to be decided by colour and edges), or from a network's
confidence, which leaves it only what the network was unsure of.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.opencv import alike, cv2

MARGIN_PX = 5
ITERATIONS = 3
# The colour models start from k-means on OpenCV's generator, of which each thread has its own.
_SEED = 0
# Each of the two mixtures has 5 Gaussians, and OpenCV fits none of them to fewer pixels.
_COMPONENTS = 5


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
    if min(inside.size, labels.size - inside.size) < _COMPONENTS:
        return np.zeros((height, width), np.bool_)
    inside[:] = cv2.GC_PR_FGD
    return _cut(photo, labels, iterations)


def grabcut_from_confidence(
    photo: NDArray[np.uint8],
    confidence: NDArray[np.float32],
    threshold: float = 0.5,
    doubt: float = 0.05,
    iterations: int = 1,
) -> NDArray[np.bool_]:
    """Let colour decide where a network is unsure.

    Args:
        photo: ``(H, W, 3)`` uint8 RGB.
        confidence: ``(H, W)`` float32 in [0, 1].
        threshold: confidence from which an unsure pixel starts as foreground.
        doubt: confidence up to this share from 0 or from 1 is certain.
        iterations: rounds of re-fitting the colour models and cutting again.

    Returns:
        ``(H, W)`` bool. The thresholded confidence itself where the foreground or the background
        has too few pixels for a colour model.

    Raises:
        ValueError: the two are not of one size.
    """
    if photo.shape[:2] != confidence.shape:
        raise ValueError(f"a {photo.shape} photo and a {confidence.shape} confidence mask")
    seed: NDArray[np.bool_] = confidence >= threshold
    foreground = int(np.count_nonzero(seed))
    if min(foreground, seed.size - foreground) < _COMPONENTS:
        return seed
    labels = np.where(seed, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    # What the threshold calls foreground is never certain background, whatever the threshold.
    labels[~seed & (confidence <= doubt)] = cv2.GC_BGD
    labels[seed & (confidence >= 1.0 - doubt)] = cv2.GC_FGD
    return _cut(photo, labels, iterations)


def cut_undecided(
    photo: NDArray[np.uint8],
    foreground: NDArray[np.bool_],
    decided: NDArray[np.bool_],
    iterations: int,
) -> NDArray[np.bool_] | None:
    """Let colour and edges decide some pixels.

    Args:
        photo: `(H, W, 3)` uint8 RGB.
        foreground: `(H, W)` bool: what each pixel is, or is thought to be.
        decided: `(H, W)` bool: where that is certain.
        iterations: rounds of re-fitting the colour models and cutting again.

    Returns:
        `(H, W)` bool; None where one side has too few pixels for a colour model.
    """
    count = int(np.count_nonzero(foreground))
    if min(count, foreground.size - count) < _COMPONENTS:
        return None
    labels = np.where(foreground, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[decided & foreground] = cv2.GC_FGD
    labels[decided & ~foreground] = cv2.GC_BGD
    return _cut(photo, labels, iterations)


def _cut(photo: NDArray[np.uint8], labels: NDArray[np.uint8], iterations: int) -> NDArray[np.bool_]:
    background = np.zeros((1, 65), np.float64)
    foreground = np.zeros((1, 65), np.float64)
    # OpenCV's order is BGR. GrabCut itself takes any, but k-means' draws then differ.
    bgr = np.ascontiguousarray(photo[..., ::-1])
    alike()
    cv2.setRNGSeed(_SEED)
    cv2.grabCut(bgr, labels, None, background, foreground, iterations, cv2.GC_INIT_WITH_MASK)
    mask: NDArray[np.bool_] = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return mask
