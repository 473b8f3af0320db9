"""What a mark means for the pixels about it: a graph cut in a window, and nothing beyond.

A person marks a place where the mask is wrong. How far it is wrong there can be told from how far
the mark lies from the mask's outline: a mark in the middle of an error of size d lies about d away
from pixels that have its label already. So within a fraction of d the mark is certain, up to d it
is likely, and up to a few d colour decides, by GrabCut (Rother, Kolmogorov and Blake, 2004) with
colour models of this window alone. Only pixels that hang together with the mark take its label, and
none loses it: a mark can destroy nothing far away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg import filters, imaging
from edgeseg.grabcut import cut_undecided
from edgeseg.imaging import Photo
from edgeseg.refine import fit_linear_model, shrunk

# Chosen on the training photographs, as shares of d.
CERTAIN_SHARE = 0.3
REACH_SHARE = 3.0
# Of the working picture; so that a mark on a thin error still sees what is about it.
MIN_CERTAIN_PX = 4.0
MIN_REACH_PX = 30.0
# Where no pixel has the mark's label yet, d is this share of the picture's longer side.
_BLANK_SHARE = 0.15
# What a mark of before keeps about its line against a later one of the other label.
CORE_PX = 3.0
# The window goes half as far again, to see colours that are certain.
_MARGIN_SHARE = 0.5
_MIN_MARGIN_PX = 12
# A larger window is cut at this size, and its outline brought back to the picture's edges.
_WINDOW_SIDE_PX = 240
_ITERATIONS = 2
_RECTANGLE_ITERATIONS = 3
_REFINE_RADIUS_PX = 3
_REFINE_EPSILON = 1e-4


@dataclass(frozen=True, eq=False)
class Mark:
    """A brush stroke or a click on the working picture.

    Attributes:
        line: `(h, w)` bool: where its centre line runs.
        foreground: which label it gives.
        radius_px: half the brush's width; 0 leaves it to the cut.
    """

    line: NDArray[np.bool_]
    foreground: bool
    radius_px: float


def cut_about(
    photo: Photo, mask: NDArray[np.bool_], mark: Mark, kept: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Give the mask that a mark means.

    Args:
        photo: `(h, w, 3)` uint8 RGB.
        mask: `(h, w)` bool, as it is.
        mark: on the same grid; its line has a pixel at least.
        kept: `(h, w)` bool: cores of former marks of the other label.

    Returns:
        `(h, w)` bool; equal to `mask` but for pixels that took the mark's label.
    """
    undone = mask != mark.foreground
    apart = filters.distance_inside(~mark.line)
    size = _error_size(undone, mark)
    certain = mark.radius_px or max(MIN_CERTAIN_PX, CERTAIN_SHARE * size)
    likely = max(certain, size)
    reach = max(MIN_REACH_PX, REACH_SHARE * max(likely, MIN_CERTAIN_PX))
    margin = max(_MIN_MARGIN_PX, round(_MARGIN_SHARE * reach))
    box = imaging.bounding_box(apart <= reach + margin)
    assert box is not None
    window = np.s_[box.top : box.bottom, box.left : box.right]
    near, open_ = apart[window], undone[window] & ~kept[window]
    taken = _cut(photo[window], near, undone[window], kept[window], mark, certain, likely, reach)
    taken = (taken & open_ & (near <= reach)) | (open_ & (near <= certain))
    changed = mask.copy()
    changed[window][_hanging_together(taken, mark.line[window])] = mark.foreground
    return changed


def _cut(
    photo: Photo,
    apart: NDArray[np.float32],
    undone: NDArray[np.bool_],
    kept: NDArray[np.bool_],
    mark: Mark,
    certain: float,
    likely: float,
    reach: float,
) -> NDArray[np.bool_]:
    """Which pixels of a window get the mark's label by colour and edges."""
    height, width = undone.shape
    scale = min(1.0, _WINDOW_SIDE_PX / max(height, width))
    small = max(1, round(width * scale)), max(1, round(height * scale))
    guide = imaging.resize(photo, *small)
    apart = imaging.resize_bilinear(apart, *small)
    undone = imaging.resize(undone.view(np.uint8) * np.uint8(255), *small) >= 128
    kept = imaging.resize(kept.view(np.uint8) * np.uint8(255), *small) > 0
    own = ~undone | (apart <= likely)
    own &= ~kept
    decided = ~undone | kept | (apart > reach)
    near = undone & (apart <= certain)
    own |= near
    decided |= near
    found = cut_undecided(guide, own == mark.foreground, decided, _ITERATIONS)
    if found is None:
        return np.zeros((height, width), np.bool_)
    if not mark.foreground:
        found = ~found
    return _at_size(photo, guide, found)


def cut_inside(
    photo: Photo,
    inside: NDArray[np.bool_],
    garment: NDArray[np.bool_],
    background: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Find by colour what stands out inside a rectangle, as GrabCut was made for.

    Args:
        photo: `(h, w, 3)` uint8 RGB.
        inside: `(h, w)` bool: the rectangle.
        garment: `(h, w)` bool: what is certainly garment.
        background: `(h, w)` bool: what is certainly not.

    Returns:
        `(h, w)` bool, False outside; all that may be garment where no colour tells it apart.
    """
    guide = shrunk(photo, _WINDOW_SIDE_PX)
    size = guide.shape[1], guide.shape[0]
    within, sure, never = (
        imaging.resize(each.view(np.uint8) * np.uint8(255), *size) > level
        for each, level in ((inside, 127), (garment, 0), (background, 0))
    )
    own = (within & ~never) | sure
    found = cut_undecided(guide, own, ~within | sure | never, _RECTANGLE_ITERATIONS)
    if found is None or not found.any():
        return inside & ~background
    return _at_size(photo, guide, found) & inside


def _at_size(photo: Photo, guide: Photo, found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask of a shrunk picture, its outline brought to the edges of the picture itself."""
    if guide.shape == photo.shape:
        return found
    model = fit_linear_model(guide, found.astype(np.float32), _REFINE_RADIUS_PX, _REFINE_EPSILON)
    finer: NDArray[np.bool_] = model.apply(photo) >= 0.5
    return finer


def _error_size(undone: NDArray[np.bool_], mark: Mark) -> float:
    """How far along its line the mark lies at most from pixels that have its label."""
    if undone.all():
        return _BLANK_SHARE * float(max(undone.shape))
    # What is beyond the frame might be wrong as well: the frame is no outline.
    apart = filters.distance_inside(np.pad(undone, 1, constant_values=True))[1:-1, 1:-1]
    size = float(apart[mark.line].max())
    # A brush shows how wide the error is.
    return min(size, 4.0 * mark.radius_px) if mark.radius_px else size


def _hanging_together(taken: NDArray[np.bool_], line: NDArray[np.bool_]) -> NDArray[np.bool_]:
    parts, stats = filters.connected_components((taken | line).view(np.uint8))
    own = np.zeros(len(stats), np.bool_)
    own[np.unique(parts[line])] = True
    own[0] = False
    together: NDArray[np.bool_] = own.take(parts) & taken
    return together
