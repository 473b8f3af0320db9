"""Renders a garment's parts: colour, shade and coverage, kept apart so that it can be lit anew."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.drawing.frame import Pose
from examples.drawing.garments import parts_of
from examples.drawing.geometry import Part, Points, floats
from examples.drawing.graphics import GRAPHIC_PX, graphic_of
from examples.drawing.items import Item
from examples.drawing.noise import creases, lit
from examples.drawing.prints import TILE_UNITS, print_tile, weave

CANVAS_UNITS = 1.1
"""Width of the canvas in garment units: the garment (1) with room for rims and blur."""

_SHIFT = 6
_FOLD_PX = 384


@dataclass(frozen=True)
class Layers:
    """A rendered garment on a square canvas.

    Attributes:
        albedo: ``(S, S, 3)`` float32 RGB in [0, 1], colour without light.
        shade: ``(S, S)`` float32 about 1: rims, seams, shadows of parts on parts, folds.
        alpha: ``(S, S)`` float32 coverage in [0, 1].
    """

    albedo: NDArray[np.float32]
    shade: NDArray[np.float32]
    alpha: NDArray[np.float32]


@dataclass(frozen=True)
class _Cloth:
    """The textures that parts are cut from."""

    main: Any
    grain: Any
    folds: Any
    flat: dict[str, Any]


def _cloth_of(item: Item, rng: np.random.Generator, wrinkles: float) -> _Cloth:
    palette = item.palette()
    cut = item.cut
    ground = palette[0]
    if item.print_name == "denim":
        ground = floats([0.3, 0.38, 0.5])
    trim = [
        floats([0.92] * 3),
        floats([0.72, 0.7, 0.66]),
        palette[3],
        floats([0.12] * 3),
    ]
    soles = [floats([0.9, 0.89, 0.86]), floats([0.55, 0.42, 0.3]), floats([0.2] * 3)]
    stretch = 2.4 if item.kind in ("dress", "skirt", "trousers") else 1.3
    heights = creases(rng, _FOLD_PX, 3 + 4 * float(rng.random()), stretch)
    folds = lit(heights, float(rng.uniform(0, 6.283)), wrinkles) - 1
    return _Cloth(
        main=print_tile(item.print_name, item.rng(1), palette),
        grain=weave(item.rng(3)),
        folds=folds,
        flat={
            "accent": palette[3],
            "inside": ground * 0.52 + 0.02,
            "dark": floats([0.1, 0.095, 0.09]),
            "trim": trim[int(cut["detail"] * 3.99)],
            "sole": soles[int(cut["waist"] * 2.99)],
        },
    )


def _canvas(shape: Points, size: int) -> NDArray[np.float32]:
    """Garment units to canvas pixels."""
    moved: NDArray[np.float32] = (shape / np.float32(CANVAS_UNITS) + np.float32(0.5)) * size
    return moved


def _sampled(tile: Any, part: Part, size: int, x: int, y: int, width: int, height: int) -> Any:
    """The tile as the part sees it: turned along the part's grain, over the window's pixels."""
    scale = CANVAS_UNITS / size * tile.shape[0] / TILE_UNITS
    cos, sin = math.cos(part.angle) * scale, math.sin(part.angle) * scale
    pivot = _canvas(floats([part.origin]), size)[0]
    centre = tile.shape[0] * (0.5 + floats(part.origin) / TILE_UNITS)
    turn = np.array([[cos, sin], [-sin, cos]])
    offset = centre - turn @ (pivot - (x, y))
    affine = np.hstack([turn, offset.reshape(2, 1)])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(tile, affine, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)


def _covered(shape: Points, width: int, height: int) -> Any:
    """Anti-aliased coverage of a polygon given in window pixels, float32 in [0, 1]."""
    mask = np.zeros((height, width), np.uint8)
    fixed = np.round(shape * 2**_SHIFT).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _SHIFT)
    return mask.astype(np.float32) / 255


def _graphic_over(colour: Any, item: Item, size: int, x: int, y: int) -> Any:
    """The chest graphic printed over the part's colour."""
    graphic = graphic_of(item)
    if graphic is None:
        return colour
    wide = (0.3 + 0.1 * item.cut["detail"]) * size / CANVAS_UNITS
    top = size * (0.5 + (-0.2 - 0.06 * item.cut["shape"]) / CANVAS_UNITS)
    if item.kind == "hat":
        wide, top = wide * 0.7, size * 0.38
    scale = wide / GRAPHIC_PX
    affine = np.array([[scale, 0, size / 2 - wide / 2 - x], [0, scale, top - y]])
    height, width = colour.shape[:2]
    inked = cv2.warpAffine(graphic, affine, (width, height), flags=cv2.INTER_AREA)
    ink = inked[..., 3:] * 0.94
    return colour * (1 - ink) + inked[..., :3] * ink


def _paint(layers: Layers, part: Part, item: Item, cloth: _Cloth, smooth: float) -> None:
    """Lays one part on the canvas, in place."""
    size = layers.alpha.shape[0]
    shape = _canvas(part.outline, size)
    margin = int(size * 0.04)
    low = np.maximum(np.floor(shape.min(axis=0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(shape.max(axis=0)).astype(int) + margin, size)
    (x, y), (width, height) = low.tolist(), (high - low).tolist()
    if width < 2 or height < 2:
        return
    window = np.s_[y : y + height, x : x + width]
    cover = _covered(shape - low, width, height)
    area = (width, height)
    if part.fabric == "main":
        colour = _sampled(cloth.main, part, size, x, y, *area)
        if part.graphic:
            colour = _graphic_over(colour, item, size, x, y)
    else:
        grain = _sampled(cloth.grain, part, size, x, y, *area)
        colour = cloth.flat[part.fabric] * grain[..., None]
    shade = 1 + _sampled(cloth.folds, part, size, x, y, *area) * min(part.thickness + 0.3, 1)
    soft = cv2.GaussianBlur(cover, (0, 0), size * 0.008 * (0.5 + part.thickness))
    rim = np.clip((soft - 0.45) / 0.5, 0, 1)
    shade *= 1 - 0.34 * min(part.thickness, 1.5) * smooth * (1 - rim) ** 1.5
    if part.rib:
        along = np.arange(width) * math.cos(part.angle), np.arange(height) * math.sin(part.angle)
        phase = (along[0][None, :] - along[1][:, None]) * (2 * math.pi / max(3.2, size * 0.009))
        shade *= (1 + 0.1 * np.sin(phase)).astype(np.float32)
    for seam in part.seams:
        track = np.round((_canvas(seam, size) - low) * 2**_SHIFT).astype(np.int32)
        stitch = np.zeros((height, width), np.float32)
        thickness = max(1, round(size / 400))
        cv2.polylines(stitch, [track], False, 1.0, thickness, cv2.LINE_8, _SHIFT)
        stitch = cv2.GaussianBlur(stitch, (0, 0), max(0.6, size / 520))
        shade *= 1 - 0.5 * np.minimum(stitch, 1) + 0.16 * np.roll(stitch, 2, axis=0)
    cast = cv2.GaussianBlur(cover, (0, 0), size * 0.009 * (0.4 + part.thickness))
    layers.shade[window] *= 1 - 0.42 * min(part.thickness, 1.2) * cast
    keep = 1 - cover
    layers.albedo[window] = layers.albedo[window] * keep[..., None] + colour * cover[..., None]
    layers.shade[window] = layers.shade[window] * keep + shade * cover
    layers.alpha[window] = layers.alpha[window] * keep + cover


def render(
    item: Item,
    size: int,
    rng: np.random.Generator,
    pose: Pose | None = None,
    wrinkles: float = 0.12,
) -> Layers:
    """Draws the item on a square canvas of `CANVAS_UNITS`.

    Args:
        item: from `draw_item`.
        size: canvas side in pixels.
        rng: randomness of the folds; the cut and the print come from the item alone.
        pose: how it lies; None is tidy.
        wrinkles: contrast of the folds; 0.1 is ironed, 0.4 is from the laundry basket.
    """
    cloth = _cloth_of(item, rng, wrinkles)
    layers = Layers(
        np.zeros((size, size, 3), np.float32),
        np.ones((size, size), np.float32),
        np.zeros((size, size), np.float32),
    )
    # Leather and plastic keep their rims sharp; cloth rounds over at its edges.
    smooth = 1.2 if item.kind in ("shoes", "hat") else 1.0
    for part in parts_of(item, pose):
        _paint(layers, part, item, cloth, smooth)
    return layers


def studio_picture(item: Item, px: int = 320) -> NDArray[np.uint8]:
    """The catalogue's picture: the item laid out tidily, softly lit, on white.

    Args:
        item: from `draw_item`.
        px: side of the picture.

    Returns:
        ``(px, px, 3)`` uint8 RGB.
    """
    size = max(px * 3 // 2, 96)
    layers = render(item, size, item.rng(4), wrinkles=0.13)
    lamp = np.linspace(1.06, 0.93, size, dtype=np.float32)[:, None]
    lit_colour = np.clip(layers.albedo * (layers.shade * lamp)[..., None], 0, 1)
    alpha = layers.alpha[..., None]
    ground = 1 - 0.1 * cv2.GaussianBlur(
        np.roll(layers.alpha, size // 90, axis=0), (0, 0), size / 70
    )
    picture = lit_colour * alpha + ground[..., None] * (1 - alpha)
    picture = np.where(np.isclose(alpha, 0) & (ground[..., None] > 0.985), 1.0, picture)
    small = cv2.resize(picture.astype(np.float32), (px, px), interpolation=cv2.INTER_AREA)
    stored: NDArray[np.uint8] = np.clip(small * 255 + 0.5, 0, 255).astype(np.uint8)
    return stored
