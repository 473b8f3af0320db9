"""A robot annotator: how many clicks a way of correcting takes to a mask that is good enough.

The protocol of interactive segmentation: Xu et al., "Deep interactive object selection" (CVPR
2016), section 4, as Sofiiuk, Petrov and Konushin evaluate in "Reviving iterative training with mask
guidance for interactive segmentation" (RITM, ICIP 2022). Of the false negatives and the false
positives the robot takes the region in which the largest circle fits, clicks that circle's centre
with the right label, and looks at the new mask; NoC@95 is the number of clicks until the IoU is
0.95, 20 at most. No pixel is clicked twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg import filters
from edgeseg.evaluation.metrics import iou

TARGET_IOU = 0.95
MAX_CLICKS = 20


@dataclass(frozen=True)
class Click:
    """A click in the photo's pixels, and the label that it gives."""

    x: int
    y: int
    foreground: bool


@dataclass(frozen=True)
class Correction:
    """What became of one photo.

    Attributes:
        ious: before the first click and after each.
        reached: whether the last is at the target or above.
    """

    ious: tuple[float, ...]
    reached: bool

    @property
    def clicks(self) -> int:
        """How many were needed, or made in vain."""
        return len(self.ious) - 1


def correct(
    mask: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    click: Callable[[Click], NDArray[np.bool_]],
    target_iou: float = TARGET_IOU,
    max_clicks: int = MAX_CLICKS,
) -> Correction:
    """Click until the mask is good enough.

    Args:
        mask: `(H, W)` bool, to start from.
        truth: `(H, W)` bool.
        click: takes a click in and gives the new `(H, W)` bool mask.
        target_iou: stop at this IoU.
        max_clicks: stop after so many.
    """
    ious = [iou(mask, truth)]
    clicked = np.zeros(truth.shape, np.bool_)
    while ious[-1] < target_iou and len(ious) <= max_clicks:
        chosen = next_click(mask, truth, clicked)
        if chosen is None:
            break
        clicked[chosen.y, chosen.x] = True
        mask = click(chosen)
        ious.append(iou(mask, truth))
    return Correction(tuple(ious), ious[-1] >= target_iou)


def next_click(
    mask: NDArray[np.bool_], truth: NDArray[np.bool_], clicked: NDArray[np.bool_]
) -> Click | None:
    """The centre of the largest circle inside an error; a missing garment before a wrong one.

    Args:
        mask: `(H, W)` bool, as it is.
        truth: `(H, W)` bool, as it should be.
        clicked: `(H, W)` bool, pixels that are not clicked again.

    Returns:
        None where no error is left to click.
    """
    best: tuple[float, Click] | None = None
    for foreground, error in ((True, truth & ~mask), (False, mask & ~truth)):
        # The frame bounds a region like any other outline.
        inside = filters.distance_inside(np.pad(error, 1))[1:-1, 1:-1]
        inside[clicked] = 0.0
        y, x = np.unravel_index(int(inside.argmax()), inside.shape)
        radius = float(inside[y, x])
        if radius > 0.0 and (best is None or radius > best[0]):
            best = radius, Click(int(x), int(y), foreground)
    return best[1] if best is not None else None
