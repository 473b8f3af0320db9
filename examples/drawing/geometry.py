"""Outlines of garment parts, in garment units.

Garment units: x to the right, y down, the garment's longer side about 1 long and centred on (0, 0).
A part is a filled outline with a fabric and a grain direction; a garment is a list of parts, drawn
in order, so that a later part lies on an earlier one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
"""``(N, 2)`` float32 points (x, y)."""
Vector = Sequence[float] | NDArray[Any]
"""One point (x, y)."""


@dataclass(frozen=True)
class Part:
    """One piece of cloth (or leather, plastic, metal) of a garment.

    Attributes:
        outline: closed polygon, ``(N, 2)`` float32, garment units.
        fabric: "main" (the item's print), "accent", "inside" (main in the shade), "trim" or "dark".
        angle: grain direction in radians; 0 means that the grain runs straight down the picture.
        origin: the point round which the print is rotated.
        seams: stitch lines, each a polyline, in garment units.
        thickness: how strongly the part's rim is rounded and shadows what is below; 0 is flat.
        rib: whether the cloth is ribbed along its grain.
        graphic: whether the item's chest graphic belongs on this part.
    """

    outline: Points
    fabric: str = "main"
    angle: float = 0.0
    origin: tuple[float, float] = (0.0, 0.0)
    seams: tuple[Points, ...] = field(default=())
    thickness: float = 1.0
    rib: bool = False
    graphic: bool = False


def floats(values: Any) -> NDArray[np.float32]:
    """The numbers as a float32 array: pictures stay float32 only if every operand is."""
    return np.asarray(values, np.float32)


def points(*pairs: Vector) -> Points:
    """An ``(N, 2)`` float32 array of the given (x, y) pairs."""
    return np.asarray(pairs, np.float32).reshape(-1, 2)


def bend(start: Vector, end: Vector, bulge: float, steps: int = 14) -> Points:
    """A quadratic curve from ``start`` to ``end``.

    Args:
        start: first point (x, y).
        end: last point, left out of the result, so that bends can be joined.
        bulge: how far the control point lies to the right of the chord, seen along it, in parts of
            the chord's length; negative bends to the left.
        steps: number of points returned.
    """
    first, last = np.asarray(start, np.float32), np.asarray(end, np.float32)
    chord = last - first
    control = (first + last) / 2 + bulge * np.array([-chord[1], chord[0]], np.float32)
    t = np.linspace(0, 1, steps, endpoint=False, dtype=np.float32)[:, None]
    curve: Points = ((1 - t) ** 2 * first + 2 * t * (1 - t) * control + t**2 * last).astype(
        np.float32
    )
    return curve


def outline(*corners: tuple[float, float, float]) -> Points:
    """A closed outline of corners (x, y, bulge of the edge that leaves the corner)."""
    edges = [
        bend(corner[:2], corners[(i + 1) % len(corners)][:2], corner[2])
        for i, corner in enumerate(corners)
    ]
    return np.concatenate(edges)


def mirrored(*half: tuple[float, float, float]) -> Points:
    """A symmetric outline from its right half, listed from the top centre to the bottom centre."""
    right = [bend(corner[:2], half[i + 1][:2], corner[2]) for i, corner in enumerate(half[:-1])]
    side = np.concatenate([*right, points(half[-1][:2])])
    return np.concatenate([side, side[::-1] * floats([-1, 1])])


def flip(shape: Points) -> Points:
    """The outline mirrored left to right."""
    return (shape * floats([-1, 1]))[::-1].copy()


def ellipse(x: float, y: float, width: float, height: float, turn: float = 0.0) -> Points:
    """An ellipse with the given full width and height, turned by ``turn`` radians."""
    t = np.linspace(0, 2 * math.pi, 28, endpoint=False, dtype=np.float32)
    ring = np.stack([np.cos(t) * width / 2, np.sin(t) * height / 2], axis=1)
    return place(floats(ring), turn, (x, y))


def place(shape: Points, turn: float, at: Vector) -> Points:
    """The shape turned by ``turn`` radians about (0, 0) and then moved to ``at``."""
    cos, sin = math.cos(turn), math.sin(turn)
    rotation = floats([[cos, sin], [-sin, cos]])
    return (shape @ rotation + np.asarray(at, np.float32)).astype(np.float32)


def ribbon(line: Points, width: float) -> Points:
    """The band of the given width along a polyline."""
    along = np.gradient(line, axis=0)
    length = np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    side = np.stack([-along[:, 1], along[:, 0]], axis=1) / length * np.float32(width / 2)
    return np.concatenate([line + side, (line - side)[::-1]]).astype(np.float32)


def line(start: Vector, end: Vector, bulge: float = 0.0) -> Points:
    """A (bent) open line, its end included."""
    return np.concatenate([bend(start, end, bulge), points(end)])


def rounded(shape: Points, radius: float) -> Points:
    """The closed outline with its corners rounded by about ``radius``.

    The outline is resampled at even steps and blurred along its length; blurring the corner points
    themselves would round by an amount that depends on how densely each edge was drawn.
    """
    closed = np.concatenate([shape, shape[:1]])
    steps = np.linalg.norm(np.diff(closed, axis=0), axis=1)
    at = np.concatenate([[0.0], np.cumsum(steps)])
    count = int(np.clip(at[-1] / (radius / 2.5), 16, 600))
    even = np.linspace(0, at[-1], count, endpoint=False)
    sampled = np.stack([np.interp(even, at, closed[:, axis]) for axis in (0, 1)], axis=1)
    weights = np.exp(-0.5 * (np.arange(-4, 5) / 1.6) ** 2)
    around = np.stack([np.roll(sampled, lag, axis=0) for lag in range(-4, 5)])
    blurred = np.tensordot(weights / weights.sum(), around, axes=1)
    # Neighbours closer than a pixel would each draw an anti-aliased edge, and the sum is jagged.
    sparse: Any = cv2.approxPolyDP(blurred.astype(np.float32), 0.0008, True)
    return sparse.reshape(-1, 2)  # type: ignore[no-any-return]
