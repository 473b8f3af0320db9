"""From an item's drawing parameters to the parts it is sewn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from examples.drawing.bottoms import hat, shoes, skirt, trousers
from examples.drawing.frame import Pose
from examples.drawing.geometry import Part, Points, floats, rounded
from examples.drawing.items import Item
from examples.drawing.tops import buttoned, dress, pullover, strapped

_ROUNDING = {"shoes": 0.035, "hat": 0.02}
"""Radius of a part's corners in garment units, where it is not `_CLOTH_ROUNDING`."""
_CLOTH_ROUNDING = 0.007

_SEWN: dict[str, Callable[[Item, Pose], list[Part]]] = {
    "t-shirt": pullover,
    "long sleeve": pullover,
    "polo": pullover,
    "body": pullover,
    "hoodie": buttoned,
    "shirt": buttoned,
    "jacket": buttoned,
    "undershirt": strapped,
    "dress": dress,
    "skirt": skirt,
    "trousers": trousers,
    "shorts": trousers,
    "hat": hat,
    "shoes": shoes,
}


def parts_of(item: Item, pose: Pose | None = None) -> list[Part]:
    """The item's parts, centred, the longer side of the whole 1 long.

    Args:
        item: from `draw_item`.
        pose: how it lies; None is the catalogue's tidy layout.
    """
    parts = _SEWN[item.kind](item, pose or Pose())
    every = np.concatenate([part.outline for part in parts])
    low, high = every.min(axis=0), every.max(axis=0)
    scale, centre = np.float32(1 / (high - low).max()), (low + high) / 2
    radius = _ROUNDING.get(item.kind, _CLOTH_ROUNDING)

    def corners(shape: Points) -> Points:
        """Rounded as far as the part's own size allows: a button is not to shrink to a dot."""
        extent = float((shape.max(axis=0) - shape.min(axis=0)).min())
        return rounded(shape, max(min(radius, extent / 8), 0.001))

    return [
        replace(
            part,
            outline=corners((part.outline - centre) * scale),
            origin=tuple(((floats(part.origin) - centre) * scale).tolist()),
            seams=tuple((seam - centre) * scale for seam in part.seams),
        )
        for part in parts
    ]


def loose_pose(item: Item, rng: np.random.Generator) -> Pose:
    """A pose as on somebody's floor: sleeves and legs askew, long sleeves sometimes folded in."""
    sway = rng.normal(0, 0.11 if item.kind in ("trousers", "shorts") else 0.2, 2)
    elbows = rng.normal(0.05, 0.22, 2)
    if item.kind in ("trousers", "shorts"):
        elbows = np.clip(elbows * 0.5, -0.15, 0.25)
        sway = np.clip(sway, -0.12, 0.3)
    elif rng.random() < 0.3:
        elbows[int(rng.integers(0, 2))] = rng.uniform(1.7, 2.5)
    sway = np.clip(sway, -0.4, 0.6)
    return Pose(float(sway[0]), float(sway[1]), float(elbows[0]), float(elbows[1]))
