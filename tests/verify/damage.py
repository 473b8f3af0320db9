"""Masks damaged on purpose, as hurried hands and wrong files damage them; all from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

KINDS = ("shifted", "holed", "swapped", "grown")
_SHARE = 0.1

BoolMask = NDArray[np.bool_]


def damage(masks: Sequence[BoolMask], seed: int) -> tuple[list[BoolMask], dict[int, str]]:
    """Damage a tenth of the masks, each kind as often.

    A shift is by 6 to 12% of the longer side. A hole is an ellipse of 6 to 15% of the garment's
    area. A swapped mask is another photo's, fitted to this one's size. A grown one has a rim of 2
    to 5% of the longer side too much.

    Args:
        masks: ``(H, W)`` bool each.
        seed: of all choices.

    Returns:
        All masks, and the kind of damage by index.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(masks), size=round(_SHARE * len(masks)), replace=False)
    kinds = {int(index): KINDS[place % len(KINDS)] for place, index in enumerate(chosen)}
    damaged = [
        _DAMAGES[kinds[index]](mask, masks, rng) if index in kinds else mask
        for index, mask in enumerate(masks)
    ]
    return damaged, kinds


def _shifted(mask: BoolMask, _: Sequence[BoolMask], rng: np.random.Generator) -> BoolMask:
    reach = rng.uniform(0.06, 0.12) * max(mask.shape)
    angle = rng.uniform(0, 2 * np.pi)
    matrix = np.array([[1, 0, reach * np.cos(angle)], [0, 1, reach * np.sin(angle)]])
    return _warped(mask, matrix)


def _holed(mask: BoolMask, _: Sequence[BoolMask], rng: np.random.Generator) -> BoolMask:
    ys, xs = np.nonzero(mask)
    area = rng.uniform(0.06, 0.15) * ys.size
    ratio = rng.uniform(0.6, 1.6)
    across = np.sqrt(area * ratio / np.pi)
    place = rng.integers(ys.size)
    hole = np.zeros(mask.shape, np.uint8)
    axes = (max(1, round(across)), max(1, round(across / ratio)))
    cv2.ellipse(
        hole, (int(xs[place]), int(ys[place])), axes, rng.uniform(0, 180), 0, 360, 1, cv2.FILLED
    )
    return mask & (hole == 0)


def _swapped(mask: BoolMask, masks: Sequence[BoolMask], rng: np.random.Generator) -> BoolMask:
    other: Any = mask
    while other is mask:
        other = masks[rng.integers(len(masks))]
    height, width = mask.shape
    return cv2.resize(other.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0


def _grown(mask: BoolMask, _: Sequence[BoolMask], rng: np.random.Generator) -> BoolMask:
    radius = max(1, round(rng.uniform(0.02, 0.05) * max(mask.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(mask.astype(np.uint8), disc) > 0


def _warped(mask: BoolMask, matrix: NDArray[np.float64]) -> BoolMask:
    height, width = mask.shape
    moved = cv2.warpAffine(mask.astype(np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST)
    return moved > 0


_DAMAGES = {"shifted": _shifted, "holed": _holed, "swapped": _swapped, "grown": _grown}
