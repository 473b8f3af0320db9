"""A drawn garment as somebody would photograph it at home, with its exact mask."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.drawing.backgrounds import background
from examples.drawing.camera import photographed, room_light
from examples.drawing.cloth import CANVAS_UNITS, Layers, render
from examples.drawing.garments import loose_pose
from examples.drawing.geometry import floats
from examples.drawing.items import Item
from examples.drawing.noise import creases, lit, smooth_noise


def _crumpled(layers: Layers, rng: np.random.Generator) -> Layers:
    """The garment's outline and print pushed about, as cloth is, and its light wrinkled anew."""
    size = layers.alpha.shape[0]
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    push = size * float(rng.uniform(0.005, 0.022))
    for cells, weight in ((3, 1.0), (9, 0.3)):
        columns += np.float32(push * weight) * smooth_noise(rng, size, size, cells, cells)
        rows += np.float32(push * weight) * smooth_noise(rng, size, size, cells, cells)

    def moved(layer: Any) -> Any:
        return cv2.remap(layer, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    heights = creases(rng, size, float(rng.uniform(2, 6)), float(rng.uniform(0.6, 2.2)))
    wrinkled = lit(heights, float(rng.uniform(0, 6.283)), float(rng.uniform(0.05, 0.3)))
    return Layers(moved(layers.albedo), moved(layers.shade) * wrinkled, moved(layers.alpha))


def _viewpoint(
    alpha: NDArray[np.float32], rng: np.random.Generator, width_px: int, height_px: int
) -> NDArray[np.float64]:
    """A homography that brings the garment into the photo: turned, tilted, near or far.

    Most garments fill the frame as far as their outline lets them; some are cut by its edge.
    """
    size = alpha.shape[0]
    turn = float(rng.normal(0, 9))
    if rng.random() < 0.16:
        turn += float(rng.choice([90, -90, 180, rng.uniform(-180, 180)]))
    spin: Any = cv2.getRotationMatrix2D((size / 2, size / 2), turn, 1.0)
    tilt = np.eye(3)
    tilt[2, :2] = rng.normal(0, 0.09, 2) / size
    back = np.eye(3)
    back[:2, 2] = -size / 2
    forth = np.eye(3)
    forth[:2, 2] = size / 2
    matrix = forth @ tilt @ back @ np.vstack([spin, [0, 0, 1]])
    rows, columns = np.nonzero(alpha > 0.5)
    some = np.stack([columns, rows], 1)[:: max(1, len(rows) // 2000)].astype(np.float64)
    seen: Any = cv2.perspectiveTransform(some[None], matrix)[0]
    low, high = seen.min(axis=0), seen.max(axis=0)
    fits = min(width_px / (high[0] - low[0]), height_px / (high[1] - low[1]))
    scale = fits * float(np.clip(rng.normal(0.92, 0.14), 0.45, 1.3))
    spare = np.maximum((width_px, height_px) - scale * (high - low), 20)
    shift = np.clip(rng.normal(0, 0.22, 2), -0.5, 0.5) * spare
    zoom = np.diag([scale, scale, 1.0])
    zoom[:2, 2] = np.array([width_px, height_px]) / 2 + shift - scale * (low + high) / 2
    placed: NDArray[np.float64] = zoom @ matrix
    return placed


def _hanger(size: int, rng: np.random.Generator, neck_y: float) -> tuple[Any, Any]:
    """A clothes hanger behind the collar: colour ``(3,)`` and coverage on the garment's canvas."""
    cover = np.zeros((size, size), np.uint8)
    unit = size / CANVAS_UNITS
    centre = size / 2
    thick = max(2, int(unit * rng.uniform(0.008, 0.028)))
    top = neck_y - unit * 0.01
    arms = np.array(
        [
            [centre - unit * 0.19, top + unit * 0.08],
            [centre, top],
            [centre + unit * 0.19, top + unit * 0.08],
        ]
    )
    cv2.polylines(cover, [arms.astype(np.int32)], False, 255, thick, cv2.LINE_AA)
    hook = (int(centre), int(top - unit * 0.055))
    radius = int(unit * 0.035)
    cv2.ellipse(
        cover, hook, (radius, radius), 0, -200, 80, 255, max(2, int(unit * 0.01)), cv2.LINE_AA
    )
    cv2.line(
        cover,
        (int(centre), int(top)),
        (hook[0], hook[1] + radius),
        255,
        max(2, int(unit * 0.01)),
        cv2.LINE_AA,
    )
    colours = ([0.1, 0.1, 0.1], [0.85, 0.85, 0.83], [0.6, 0.42, 0.25], [0.2, 0.35, 0.6])
    return floats(colours[int(rng.integers(0, 4))]), cover.astype(np.float32) / 255


def snapshot(
    item: Item, rng: np.random.Generator, px: tuple[int, int] = (480, 640)
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Photographs the item at home: askew, crumpled, on a busy ground, with a phone.

    Args:
        item: from `draw_item`.
        rng: everything that is not the item: pose, wrinkles, ground, light, camera.
        px: width and height of the photo.

    Returns:
        The photo, ``(height, width, 3)`` uint8 RGB, and its mask, ``(height, width)`` uint8, 255
        where the garment is and 0 elsewhere (a hanger and the shadow are elsewhere).
    """
    width_px, height_px = px
    size = max(px)
    layers = render(item, size, rng, loose_pose(item, rng), float(rng.uniform(0.08, 0.4)))
    layers = _crumpled(layers, rng)
    scene = background(rng, width_px, height_px)
    view = _viewpoint(layers.alpha, rng, width_px, height_px)

    def seen(layer: Any, border: float = 0.0) -> Any:
        flags = cv2.INTER_AREA if view[0, 0] < 0.5 else cv2.INTER_LINEAR
        return cv2.warpPerspective(layer, view, px, flags=flags, borderValue=(border,) * 3)

    alpha = np.clip(seen(layers.alpha), 0, 1)
    top = item.kind not in ("trousers", "shorts", "skirt", "hat", "shoes", "body", "hoodie")
    if top and rng.random() < 0.14:
        collar = np.nonzero(layers.alpha[:, size // 2 - 3 : size // 2 + 3].max(axis=1) > 0.5)[0]
        colour, cover = _hanger(size, rng, float(collar[0]) if len(collar) else size * 0.1)
        cover = seen(cover)[..., None]
        scene = scene * (1 - cover) + colour * cover
    light_from = float(rng.uniform(0, 6.283))
    reach = float(rng.uniform(0.004, 0.02)) * height_px
    offset = np.array([[1, 0, reach * math.cos(light_from)], [0, 1, reach * math.sin(light_from)]])
    cast: Any = cv2.warpAffine(alpha, offset, px)
    cast = cv2.GaussianBlur(cast, (0, 0), reach * float(rng.uniform(0.5, 1.2)) + 1)
    contact: Any = cv2.GaussianBlur(alpha, (0, 0), height_px * 0.004)
    dark = float(rng.uniform(0.15, 0.6))
    scene *= (1 - np.maximum(dark * cast, 0.35 * contact))[..., None]
    garment = np.clip(seen(layers.albedo), 0, 1) / np.maximum(alpha, 1e-3)[..., None]
    garment = np.clip(garment, 0, 1) * seen(layers.shade, 1.0)[..., None]
    scene = scene * (1 - alpha[..., None]) + garment * alpha[..., None]
    scene *= room_light(rng, height_px, width_px)[..., None]
    mask = np.where(alpha >= 0.5, 255, 0).astype(np.uint8)
    return photographed(scene.astype(np.float32), rng), mask
