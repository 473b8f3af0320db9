"""One photo being corrected: from a confidence mask and a person's strokes to the mask they mean.

The mask is worked out at a bounded resolution and only about what a stroke changed; its outline is
brought to the photo's own resolution where and when that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg import filters, imaging
from edgeseg.imaging import Photo
from edgeseg.labelling.strokes import Stroke
from edgeseg.refine import fit_linear_model, shrunk

# Longer side of the picture that a mask is worked out on.
WORK_SIDE_PX = 640
_REFINE_RADIUS_PX = 3
_REFINE_EPSILON = 1e-4
_VOTE_SIDE_PX = 5

Network = Callable[[Photo], NDArray[np.float32]]


class Corrector:
    """The mask of one photo under correction. Not thread-safe; the same strokes give the same mask.

    Args:
        photo: `(H, W, 3)` uint8 RGB, upright.
        confidence: `(h, w)` float32 in [0, 1], where the garment is thought to be, at any size.
        network: gives the confidence mask of any picture, to look again about a stroke; None
            leaves it to colour alone.
    """

    def __init__(
        self, photo: Photo, confidence: NDArray[np.float32], network: Network | None = None
    ) -> None:
        imaging.require_rgb(photo)
        self._photo = photo
        self._small = shrunk(photo, WORK_SIDE_PX)
        self._network = network
        height, width = self._small.shape[:2]
        seed = imaging.resize_bilinear(confidence, width, height)
        self._mask: NDArray[np.bool_] = seed >= 0.5
        self._strokes: list[Stroke] = []
        self._before: list[NDArray[np.uint8]] = []

    @property
    def strokes(self) -> tuple[Stroke, ...]:
        """The strokes in force, the first first."""
        return tuple(self._strokes)

    def apply(self, stroke: Stroke) -> None:
        """Take a stroke in."""
        self._before.append(np.packbits(self._mask))
        self._strokes.append(stroke)
        drawn = self._drawn(stroke)
        if stroke.tool == "rectangle":
            self._mask = self._mask & drawn
        else:
            self._mask = self._mask | drawn if stroke.foreground else self._mask & ~drawn

    def undo(self) -> None:
        """Take the last stroke back.

        Raises:
            ValueError: there is none.
        """
        if not self._strokes:
            raise ValueError("no stroke to take back")
        self._strokes.pop()
        bits = np.unpackbits(self._before.pop(), count=self._mask.size)
        self._mask = bits.reshape(self._mask.shape).astype(np.bool_)

    def replay(self, strokes: Iterable[Stroke]) -> None:
        """Take strokes in, the first first."""
        for stroke in strokes:
            self.apply(stroke)

    def mask(self, width_px: int, height_px: int) -> NDArray[np.uint8]:
        """Give the mask at a screen's size.

        Returns:
            `(height_px, width_px)` uint8, 255 on the garment, else 0.
        """
        soft = imaging.resize(self._mask.view(np.uint8) * np.uint8(255), width_px, height_px)
        mask: NDArray[np.uint8] = np.where(soft >= imaging.MASK_THRESHOLD, 255, 0).astype(np.uint8)
        return mask

    def full_mask(self) -> NDArray[np.uint8]:
        """Give the mask at the photo's size, its outline on the photo's own edges.

        Returns:
            `(H, W)` uint8, 255 on the garment, else 0.
        """
        if self._photo.shape == self._small.shape:
            return self._mask.astype(np.uint8) * np.uint8(255)
        target = self._mask.astype(np.float32)
        model = fit_linear_model(self._small, target, _REFINE_RADIUS_PX, _REFINE_EPSILON)
        found = (model.apply(self._photo) >= 0.5).view(np.uint8)
        return filters.majority(found, _VOTE_SIDE_PX) * np.uint8(255)

    def _drawn(self, stroke: Stroke) -> NDArray[np.bool_]:
        """What a stroke covers, at the working size."""
        height, width = self._mask.shape
        scale = np.array([width / self._photo.shape[1], height / self._photo.shape[0]])
        points = np.rint(np.array(stroke.points) * scale - 0.5).astype(np.int32)
        canvas = np.zeros((height, width), np.uint8)
        if stroke.tool == "polygon":
            cv2.fillPoly(canvas, [points], 1)
        elif stroke.tool == "rectangle":
            (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
            canvas[max(top, 0) : max(bottom + 1, 0), max(left, 0) : max(right + 1, 0)] = 1
        else:
            thickness = max(1, round(stroke.width_px * float(scale.mean())))
            cv2.polylines(canvas, [points], isClosed=False, color=1, thickness=thickness)
        return canvas.view(np.bool_)
