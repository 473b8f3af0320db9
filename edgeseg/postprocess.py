"""From a network's confidence to a garment: threshold, components, holes, edges, box, cutouts.

Cleaning happens on the confidence at the network's own resolution, which is small, before it is
brought to the photo's: the work does not grow with the photo, and the boundary keeps the sub-pixel
position that bilinear interpolation gives it, or goes to the photo's own edge where the options ask
for a refinement. A component may be small beside the largest and still be garment, shoes under a
coat for one; so it goes only if the network is unsure of it too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg import filters, imaging, refine
from edgeseg.errors import NoGarmentError
from edgeseg.imaging import Box, Photo, bounding_box
from edgeseg.matte import foreground_colours, soft_matte
from edgeseg.refine import REFINEMENTS, Refinement

__all__ = [
    "CROP_MARGIN",
    "REFINEMENTS",
    "Refinement",
    "Segmentation",
    "SegmenterOptions",
    "bounding_box",
    "clean_confidence",
    "cutout_on_white",
    "cutout_rgba",
    "segmentation_from",
]

CROP_MARGIN = 0.04
# Texture that crosses a refined edge leaves specks of a few pixels; each pixel's neighbours vote.
_VOTE_SIDE_PX = 5


@dataclass(frozen=True)
class SegmenterOptions:
    """What counts as a garment.

    Attributes:
        threshold: Confidence from which a pixel is foreground, in (0, 1).
        min_component_ratio: A component stays if its area is at least this share of the largest
            one's: both shoes of a pair stay.
        min_component_confidence: A smaller one stays if its mean confidence is at least this: a
            handbag stays, specks and what shines through from the background go.
        max_hole_ratio: A hole is filled up to this share of the foreground's area.
        min_foreground_ratio: Below this share of the photo there is no garment.
        clean: False gives the bare threshold (no components, no holes), still with the minimum.
        refine: How the edge is moved onto the photo's own: "none", "guided" (guided filter) or
            "grabcut" (GrabCut where the network is unsure, then the filter).
        flip: Run the network on the mirrored photo too and average: twice the network's time.
    """

    threshold: float = 0.5
    # To drop more serves a garment by itself and costs an outfit its shoes. The training photos
    # hardly tell confidences of 0.8 and 0.85 apart; between them the validation photos chose.
    min_component_ratio: float = 0.2
    min_component_confidence: float = 0.85
    max_hole_ratio: float = 0.005
    min_foreground_ratio: float = 0.005
    clean: bool = True
    refine: Refinement = "none"
    flip: bool = False

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold < 1.0:
            raise ValueError(f"threshold must lie between 0 and 1, not {self.threshold}")
        for name in (
            "min_component_ratio",
            "min_component_confidence",
            "max_hole_ratio",
            "min_foreground_ratio",
        ):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be 0..1, not {getattr(self, name)}")
        if self.refine not in REFINEMENTS:
            raise ValueError(f"refine must be one of {', '.join(REFINEMENTS)}, not {self.refine}")


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What was found in one photo; two masks that are told apart.

    Attributes:
        confidence_mask: `(H, W)` float32 in [0, 1]: how sure the network is, as it said it; where
            the options refine it, cleaned, with the edge at 0.5, and 0 or 1 away from the edge.
        category_mask: `(H, W)` uint8, 1 = garment, 0 = background: thresholded and cleaned.
        box: Bounding box of the garment, None if there is none.
    """

    confidence_mask: NDArray[np.float32]
    category_mask: NDArray[np.uint8]
    box: Box | None

    @property
    def found(self) -> bool:
        """Whether there is a garment."""
        return self.box is not None


def clean_confidence(
    confidence: NDArray[np.float32], options: SegmenterOptions
) -> NDArray[np.float32]:
    """Drop small components and fill small holes, in the confidence itself.

    Args:
        confidence: `(h, w)` float32 in [0, 1], at any resolution.
        options: Threshold and ratios.

    Returns:
        `(h, w)` float32: 0 where a component was dropped, 1 where a hole was filled, else as given;
        what was given itself where nothing was.
    """
    foreground = (confidence >= options.threshold).view(np.uint8)
    labels, stats = filters.connected_components(foreground)
    areas = stats[:, 4].copy()
    areas[0] = 0
    if not areas.any():
        return confidence
    small = areas < options.min_component_ratio * areas.max()
    small[0] = False
    cleaned = confidence
    # Few pixels are in small components: only those are looked at one by one.
    at = np.flatnonzero(small.take(labels))
    if len(at):
        owners = labels.ravel()[at]
        sums = np.bincount(owners, confidence.ravel()[at], len(areas))
        gone = at[(sums < options.min_component_confidence * areas)[owners]]
        cleaned = confidence.copy()
        cleaned.flat[gone] = 0.0
        foreground.flat[gone] = 0
    # A hole is a background component that doesn't reach the frame.
    holes, stats = filters.connected_components(1 - foreground)
    height, width = foreground.shape
    inside = (
        (stats[:, 0] > 0)
        & (stats[:, 1] > 0)
        & (stats[:, 0] + stats[:, 2] < width)
        & (stats[:, 1] + stats[:, 3] < height)
    )
    filled = inside & (stats[:, 4] <= options.max_hole_ratio * np.count_nonzero(foreground))
    filled[0] = False
    if filled.any():
        cleaned = np.where(filled.take(holes), np.float32(1.0), cleaned)
    return cleaned


def segmentation_from(
    confidence: NDArray[np.float32],
    width: int,
    height: int,
    options: SegmenterOptions,
    photo: Photo | None = None,
) -> Segmentation:
    """Turn a network's confidence into masks and a box at the photo's resolution.

    Args:
        confidence: `(h, w)` float32 in [0, 1], at the network's resolution.
        width: The photo's width in pixels.
        height: The photo's height in pixels.
        options: What counts as a garment.
        photo: `(H, W, 3)` uint8 RGB, needed to refine the edge.

    Raises:
        ValueError: The options refine and there is no photo, or one of another size.
    """
    cleaned = clean_confidence(confidence, options) if options.clean else confidence
    if options.refine == "none":
        confidence_mask = imaging.resize_bilinear(confidence, width, height)
        if cleaned is confidence:
            category_mask = (confidence_mask >= options.threshold).view(np.uint8)
        else:
            category_mask = _category_mask(cleaned, width, height, options.threshold)
    else:
        if photo is None or photo.shape != (height, width, 3):
            raise ValueError(f"refine={options.refine} needs the {width} x {height} photo")
        method = refine.guided if options.refine == "guided" else refine.grabcut
        confidence_mask = method(photo, cleaned, options.threshold)
        category_mask = filters.majority((confidence_mask >= 0.5).view(np.uint8), _VOTE_SIDE_PX)
    box = None
    if np.count_nonzero(category_mask) >= max(1.0, options.min_foreground_ratio * width * height):
        box = bounding_box(category_mask)
    else:
        category_mask = np.zeros_like(category_mask)
    return Segmentation(confidence_mask, category_mask, box)


def _category_mask(
    confidence: NDArray[np.float32], width: int, height: int, threshold: float
) -> NDArray[np.uint8]:
    # In a function of its own so that the full-size floats are gone before the next ones come: at
    # 12 megapixels each such mask is 48 MB.
    return (imaging.resize_bilinear(confidence, width, height) >= threshold).view(np.uint8)


def cutout_on_white(photo: Photo, segmentation: Segmentation, margin: float = CROP_MARGIN) -> Photo:
    """Crop to the garment with a margin, everything else white: what the embedder sees.

    Args:
        photo: `(H, W, 3)` uint8 RGB.
        segmentation: Of this photo.
        margin: White on each side, as a share of the box's longer side.

    Returns:
        `(h, w, 3)` uint8 RGB.

    Raises:
        NoGarmentError: If there is no garment.
        ValueError: If the segmentation is of a photo of another size.
    """
    box = _garment_box(photo, segmentation)
    return imaging.crop_on_white(photo, segmentation.category_mask, box, margin)


def cutout_rgba(
    photo: Photo, segmentation: Segmentation, margin: float = CROP_MARGIN, matte: bool = False
) -> NDArray[np.uint8]:
    """As `cutout_on_white`, with the background transparent.

    Args:
        photo: `(H, W, 3)` uint8 RGB.
        segmentation: Of this photo.
        margin: Transparent on each side, as a share of the box's longer side.
        matte: True gives soft alpha about the edge, and takes the background's share out of the
            colours there; see :mod:`edgeseg.matte`.

    Returns:
        `(h, w, 4)` uint8 RGBA, alpha 0 or 255 unless it is a matte; colour under alpha 0 is white.
    """
    box = _garment_box(photo, segmentation)
    alpha = segmentation.category_mask * np.uint8(255)
    if matte:
        # What the crop will show, a pixel more for rounding; the rest need not be worked out.
        pad = math.ceil(margin * max(box.width, box.height)) + 1
        top, left = max(box.top - pad, 0), max(box.left - pad, 0)
        part = slice(top, box.bottom + pad), slice(left, box.right + pad)
        box = Box(box.left - left, box.top - top, box.right - left, box.bottom - top)
        photo, alpha = photo[part], soft_matte(photo[part], alpha[part])
        photo = foreground_colours(photo, alpha)
    rgb = imaging.crop_on_white(photo, alpha, box, margin)
    # Alpha takes the same way as the photo, so that both frames agree to the pixel.
    grey = np.repeat(255 - alpha[:, :, None], 3, axis=2)
    framed = 255 - imaging.crop_on_white(grey, None, box, margin)[:, :, :1]
    return np.concatenate([rgb, framed], axis=2)


def _garment_box(photo: Photo, segmentation: Segmentation) -> Box:
    imaging.require_rgb(photo)
    if photo.shape[:2] != segmentation.category_mask.shape:
        raise ValueError(
            f"the segmentation is of a {segmentation.category_mask.shape} photo, "
            f"this one is {photo.shape[:2]}"
        )
    if segmentation.box is None:
        raise NoGarmentError("no garment found in the photo")
    return segmentation.box
