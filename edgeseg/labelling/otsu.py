"""Studio shots: whatever differs from the plain ground that the photo's frame shows.

Otsu, "A threshold selection method from gray-level histograms" (IEEE Transactions on Systems, Man,
and Cybernetics, 1979): the threshold that separates a histogram into the two classes of greatest
variance between them, here of each pixel's distance in colour from the ground.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg import filters, imaging
from edgeseg.imaging import Photo

# The frame that is taken for ground, as a share of the shorter side.
_FRAME_RATIO = 0.02
# A component stays if it has at least this share of the foreground: both shoes, and no dust.
_MIN_COMPONENT_RATIO = 0.05


def otsu_mask(photo: Photo) -> NDArray[np.bool_]:
    """Find what stands on a plain ground.

    Args:
        photo: `(H, W, 3)` uint8 RGB.

    Returns:
        `(H, W)` bool, holes filled; all False where the photo has one colour only.
    """
    imaging.require_rgb(photo)
    height, width = photo.shape[:2]
    frame = max(1, round(_FRAME_RATIO * min(height, width)))
    edge = np.ones((height, width), np.bool_)
    edge[frame : height - frame, frame : width - frame] = False
    ground = np.median(photo[edge], axis=0)
    distance = np.abs(photo.astype(np.float32) - ground.astype(np.float32)).max(axis=2)
    levels = distance.astype(np.uint8)
    threshold = otsu_threshold(np.bincount(levels.ravel(), minlength=256))
    if threshold is None:
        return np.zeros((height, width), np.bool_)
    return _tidied(levels > threshold)


def otsu_threshold(histogram: NDArray[np.int64]) -> int | None:
    """Otsu's threshold: the level up to which the lower class reaches, None for one level only.

    The variance between classes (his equation 18) is, for each threshold k,
    `(mu_T * omega(k) - mu(k))**2 / (omega(k) * (1 - omega(k)))`.
    """
    shares = histogram / histogram.sum()
    omega = np.cumsum(shares)
    mu = np.cumsum(shares * np.arange(len(shares)))
    spread = omega * (1.0 - omega)
    inside = spread > 1e-12
    if not inside.any():
        return None
    between = np.zeros(len(shares))
    between[inside] = (mu[-1] * omega[inside] - mu[inside]) ** 2 / spread[inside]
    return int(between.argmax())


def _tidied(found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Holes filled, and specks dropped."""
    holes, stats = filters.connected_components((~found).view(np.uint8))
    height, width = found.shape
    enclosed = (
        (stats[:, 0] > 0)
        & (stats[:, 1] > 0)
        & (stats[:, 0] + stats[:, 2] < width)
        & (stats[:, 1] + stats[:, 3] < height)
    )
    enclosed[0] = False
    found = found | enclosed.take(holes)
    parts, stats = filters.connected_components(found.view(np.uint8))
    kept = stats[:, 4] >= _MIN_COMPONENT_RATIO * np.count_nonzero(found)
    kept[0] = False
    tidy: NDArray[np.bool_] = kept.take(parts)
    return tidy
