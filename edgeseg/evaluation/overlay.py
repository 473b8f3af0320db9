"""Masks on their photos, for people to look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.imaging import Photo

BoolMask = NDArray[np.bool_]

# What is no garment is shown this dark: enough is left to see what was left out.
_DIMMED = 0.3
_TINT = 0.6
# Told apart by people who do not see red and green apart, too (Okabe and Ito's palette).
_SURPLUS = np.array([213, 94, 0], dtype=np.float32)
_MISSING = np.array([86, 180, 233], dtype=np.float32)


def dimmed(photo: Photo, mask: BoolMask) -> Photo:
    """A photo with everything outside a mask darkened.

    Args:
        photo: ``(H, W, 3)`` uint8 RGB.
        mask: ``(H, W)`` bool.
    """
    imaging.require_rgb(photo)
    factor = np.where(mask, 1.0, _DIMMED).astype(np.float32)[..., None]
    shown: Photo = (photo * factor).astype(np.uint8)
    return shown


def differences(photo: Photo, mask: BoolMask, reference: BoolMask) -> Photo:
    """A dimmed photo with what a mask has too much in orange, and what it lacks in blue.

    Args:
        photo: ``(H, W, 3)`` uint8 RGB.
        mask: ``(H, W)`` bool.
        reference: ``(H, W)`` bool: what ``mask`` is held against.
    """
    shown = dimmed(photo, mask & reference).astype(np.float32)
    for region, colour in ((mask & ~reference, _SURPLUS), (reference & ~mask, _MISSING)):
        shown[region] = (1 - _TINT) * photo[region] + _TINT * colour
    return shown.astype(np.uint8)
