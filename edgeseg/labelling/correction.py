"""One photo being corrected: from a confidence mask and a person's strokes to the mask they mean.

The mask is worked out at a bounded resolution and only about what a stroke changed; its outline is
brought to the photo's own resolution where and when that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg import filters, imaging, refine
from edgeseg.imaging import Photo
from edgeseg.labelling.local_cut import CORE_PX, Mark, cut_about, cut_inside
from edgeseg.labelling.strokes import Stroke
from edgeseg.postprocess import SegmenterOptions, clean_confidence
from edgeseg.refine import fit_linear_model, shrunk

# Longer side of the picture that a mask is worked out on.
WORK_SIDE_PX = 640
# As `edgeseg segment --refine grabcut` brings a confidence mask to the photo's edges.
_OPTIONS = SegmenterOptions()
_VOTE_SIDE_PX = 5
_REFINE_RADIUS_PX = 3
_REFINE_EPSILON = 1e-4
# What OpenCV draws with; a stroke that leaves the photo so far is no stroke of a hand.
_FAR_PX = 30_000


@dataclass(frozen=True, eq=False)
class _State:
    """Of the working picture, a bit a pixel: the mask, and the cores of marks by their label."""

    mask: NDArray[np.uint8]
    background: NDArray[np.uint8]
    foreground: NDArray[np.uint8]


class Corrector:
    """The mask of one photo under correction. Not thread-safe; the same strokes give the same mask.

    Args:
        photo: `(H, W, 3)` uint8 RGB, upright.
        confidence: `(h, w)` float32 in [0, 1], where the garment is thought to be, at any size.
    """

    def __init__(self, photo: Photo, confidence: NDArray[np.float32]) -> None:
        imaging.require_rgb(photo)
        self._photo = photo
        self._small = shrunk(photo, WORK_SIDE_PX)
        cleaned = clean_confidence(confidence, _OPTIONS)
        found = refine.grabcut(self._small, cleaned, _OPTIONS.threshold) >= 0.5
        self._mask = filters.majority(found.view(np.uint8), _VOTE_SIDE_PX).view(np.bool_)
        self._cores = {label: np.zeros(self._mask.shape, np.bool_) for label in (False, True)}
        self._strokes: list[Stroke] = []
        self._before: list[_State] = []

    @property
    def photo(self) -> Photo:
        """The photo, `(H, W, 3)` uint8 RGB, not to be written to."""
        return self._photo

    @property
    def strokes(self) -> tuple[Stroke, ...]:
        """The strokes in force, the first first."""
        return tuple(self._strokes)

    def apply(self, stroke: Stroke) -> None:
        """Take a stroke in."""
        before = _State(
            np.packbits(self._mask),
            np.packbits(self._cores[False]),
            np.packbits(self._cores[True]),
        )
        if stroke.tool == "brush":
            self._brush(stroke)
        elif stroke.tool == "rectangle":
            self._mask = cut_inside(
                self._small, self._drawn(stroke), self._cores[True], self._cores[False]
            )
        else:
            drawn = self._drawn(stroke)
            self._mask = self._mask | drawn if stroke.foreground else self._mask & ~drawn
            self._cores[not stroke.foreground] = self._cores[not stroke.foreground] & ~drawn
        self._before.append(before)
        self._strokes.append(stroke)

    def undo(self) -> None:
        """Take the last stroke back.

        Raises:
            ValueError: there is none.
        """
        if not self._strokes:
            raise ValueError("no stroke to take back")
        self._strokes.pop()
        state = self._before.pop()
        self._mask = self._unpacked(state.mask)
        self._cores = {
            False: self._unpacked(state.background),
            True: self._unpacked(state.foreground),
        }

    def replay(self, strokes: Iterable[Stroke]) -> None:
        """Take strokes in, the first first."""
        for stroke in strokes:
            self.apply(stroke)

    def mask(self, width_px: int, height_px: int) -> NDArray[np.uint8]:
        """Give the mask at a screen's size.

        Returns:
            `(height_px, width_px)` uint8, 255 on the garment, else 0.
        """
        levels = self._mask.view(np.uint8) * np.uint8(255)
        soft = imaging.resize(levels, width_px, height_px)
        return (soft >= imaging.MASK_THRESHOLD).view(np.uint8) * np.uint8(255)

    def full_mask(self) -> NDArray[np.uint8]:
        """Give the mask at the photo's size, its outline on the photo's own edges.

        Returns:
            `(H, W)` uint8, 255 on the garment, else 0.
        """
        if self._photo.shape == self._small.shape:
            return self._mask.view(np.uint8) * np.uint8(255)
        target = self._mask.astype(np.float32)
        model = fit_linear_model(self._small, target, _REFINE_RADIUS_PX, _REFINE_EPSILON)
        found = (model.apply(self._photo) >= 0.5).view(np.uint8)
        return filters.majority(found, _VOTE_SIDE_PX) * np.uint8(255)

    def _brush(self, stroke: Stroke) -> None:
        line = self._drawn(stroke, width_px=1)
        if not line.any():
            return
        radius = stroke.width_px / 2.0 * self._scale()
        mark = Mark(line, stroke.foreground, radius)
        other = self._cores[not stroke.foreground]
        self._mask = cut_about(self._small, self._mask, mark, other & ~line)
        core = self._drawn(stroke, width_px=round(2 * CORE_PX))
        self._cores[stroke.foreground] = self._cores[stroke.foreground] | core
        self._cores[not stroke.foreground] = other & ~core

    def _scale(self) -> float:
        """Pixels of the working picture for one of the photo."""
        return float(max(self._small.shape) / max(self._photo.shape))

    def _drawn(self, stroke: Stroke, width_px: int | None = None) -> NDArray[np.bool_]:
        """What a stroke covers of the working picture; `width_px` there, or the stroke's own."""
        height, width = self._mask.shape
        scale = np.array([width / self._photo.shape[1], height / self._photo.shape[0]])
        points = np.floor(np.array(stroke.points) * scale)
        points = np.clip(points, -_FAR_PX, _FAR_PX).astype(np.int32)
        if stroke.tool == "polygon":
            return imaging.drawn_polygon((height, width), points)
        if stroke.tool == "rectangle":
            (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
            inside = np.zeros((height, width), np.bool_)
            inside[max(top, 0) : max(bottom + 1, 0), max(left, 0) : max(right + 1, 0)] = True
            return inside
        own_px = max(1, round(stroke.width_px * self._scale()))
        return imaging.drawn_line((height, width), points, width_px or own_px)

    def _unpacked(self, bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
        whole = np.unpackbits(bits, count=self._mask.size).reshape(self._mask.shape)
        return whole.view(np.bool_)
