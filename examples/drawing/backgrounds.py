"""What garments lie on: floors, rugs, blankets, cardboard and concrete, with things about."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.drawing.geometry import floats
from examples.drawing.items import cloth_colour, distant_colour
from examples.drawing.noise import creases, fractal_noise, lit, smooth_noise
from examples.drawing.prints import PRINTS, TILE_PX

Ground = NDArray[np.float32]
"""``(H, W, 3)`` float32 RGB in [0, 1]."""

_WOODS = (
    (0.72, 0.55, 0.37),
    (0.5, 0.34, 0.21),
    (0.82, 0.72, 0.58),
    (0.36, 0.25, 0.18),
    (0.62, 0.6, 0.57),
)


def _shaded(colour: Any, light: NDArray[Any]) -> Ground:
    ground: Ground = (np.asarray(colour, np.float32) * light[..., None]).astype(np.float32)
    return ground


def _palette(rng: np.random.Generator) -> list[NDArray[np.float32]]:
    colours = [cloth_colour(rng)[1]]
    while len(colours) < 4:
        colours.append(distant_colour(rng, colours))
    return [floats(colour) for colour in colours]


def _planks(rng: np.random.Generator, size: int) -> Ground:
    """Boards with grain, each of its own tone, with dark gaps."""
    base = floats(_WOODS[int(rng.integers(0, len(_WOODS)))])
    wide = int(size * rng.uniform(0.09, 0.24))
    light = np.ones((size, size), np.float32)
    for left in range(0, size, wide):
        width = min(wide, size - left)
        cut = 0
        while cut < size:
            length = int(size * rng.uniform(0.4, 1.1))
            high = min(length, size - cut)
            rings = smooth_noise(rng, high, width, 3, 5) * float(rng.uniform(1, 5))
            grain = 0.06 * np.sin(rings * 9) + 0.08 * smooth_noise(rng, high, width, 5, wide / 2.5)
            board = float(rng.uniform(0.84, 1.12)) * (1 + grain)
            light[cut : cut + high, left : left + width] = board
            light[cut : cut + max(1, size // 300), left : left + width] *= 0.5
            cut += length
        light[:, left : left + max(1, size // 350)] *= 0.5
    return _shaded(base, light)


def _tiles(rng: np.random.Generator, size: int) -> Ground:
    """Square or oblong tiles with grout, plain, marbled or chequered."""
    wide = int(size * rng.uniform(0.1, 0.34))
    high = wide if rng.random() < 0.6 else wide // 2
    rows, columns = np.mgrid[0:size, 0:size]
    shift = (rows // high % 2) * (wide // 2) * int(high != wide)
    cell_x, cell_y = (columns + shift) // wide, rows // high
    palette = _palette(rng)
    tone = rng.uniform(0.88, 1.08, (64, 64)).astype(np.float32)[cell_y % 64, cell_x % 64]
    ground = _shaded(0.35 * palette[0] + 0.5, tone)
    if rng.random() < 0.4:
        odd = ((cell_x + cell_y) % 2).astype(np.float32)[..., None]
        ground = ground * (1 - odd) + _shaded(palette[1] * 0.7 + 0.1, tone) * odd
    veins = np.abs(fractal_noise(rng, size, size, 4, 4))
    ground *= (1 - float(rng.uniform(0, 0.35)) * np.exp(-veins * 12))[..., None]
    grout = ((columns + shift) % wide < size // 130) | (rows % high < size // 130)
    return np.where(grout[..., None], np.float32(rng.uniform(0.25, 0.8)), ground).astype(np.float32)


def _carpet(rng: np.random.Generator, size: int) -> Ground:
    """Pile: coarse speckle, with or without a pattern woven in."""
    palette = _palette(rng)
    ground = np.broadcast_to(palette[0] * 0.7 + 0.12, (size, size, 3)).astype(np.float32)
    if rng.random() < 0.55:
        name = str(rng.choice(["floral", "leaves", "tartan", "motifs", "leopard", "chevrons"]))
        woven: Any = cv2.resize(PRINTS[name](rng, palette), (size, size))
        ground = 0.25 * ground + 0.75 * woven
    pile = rng.normal(0, 1, (size, size)).astype(np.float32)
    tuft: Any = cv2.GaussianBlur(pile, (0, 0), size / float(rng.uniform(250, 600)))
    light = 1 + 0.16 * tuft / float(tuft.std()) + 0.1 * fractal_noise(rng, size, size, 4, 3)
    return _shaded(ground, light)


def _blanket(rng: np.random.Generator, size: int) -> Ground:
    """A bed cover, curtain or cloth: any print, in soft folds."""
    palette = _palette(rng)
    name = str(rng.choice(list(PRINTS)))
    if rng.random() < 0.35:
        name = "solid"
    sheet: Any = PRINTS[name](rng, palette)
    zoom = float(rng.uniform(0.5, 1.0))
    crop = sheet[: int(TILE_PX * zoom), : int(TILE_PX * zoom)]
    cloth: Any = cv2.resize(crop, (size, size), interpolation=cv2.INTER_LINEAR)
    heights = creases(rng, size, float(rng.uniform(2, 5)), float(rng.uniform(0.6, 2.5)))
    light = lit(heights, float(rng.uniform(0, 6.283)), float(rng.uniform(0.1, 0.4)))
    weave = rng.normal(0, 0.03, (size, size)).astype(np.float32)
    return _shaded(cloth, light + weave)


def _cardboard(rng: np.random.Generator, size: int) -> Ground:
    colour = floats([0.72, 0.58, 0.42]) * float(rng.uniform(0.8, 1.15))
    flutes = np.sin(np.arange(size) * 6.283 / (size / rng.uniform(60, 140))) * 0.025
    fibre = 0.05 * smooth_noise(rng, size, size, 20, 260)
    light = (
        1 + flutes[:, None].astype(np.float32) + fibre + 0.06 * fractal_noise(rng, size, size, 3)
    )
    flap = int(size * rng.uniform(0.1, 0.9))
    light[flap : flap + 3] *= 0.6
    light[flap + 3 :] *= float(rng.uniform(0.82, 1.0))
    return _shaded(colour, light)


def _concrete(rng: np.random.Generator, size: int) -> Ground:
    """Concrete, asphalt or plaster: blotches, pits and a crack."""
    level = float(rng.uniform(0.3, 0.8))
    tint = floats([1, rng.uniform(0.95, 1), rng.uniform(0.88, 1)])
    blotches = 0.13 * fractal_noise(rng, size, size, 4, 5)
    grit = rng.normal(0, float(rng.uniform(0.02, 0.09)), (size, size)).astype(np.float32)
    crack = np.abs(fractal_noise(rng, size, size, 2, 5))
    light = level * (1 + blotches + cv2.GaussianBlur(grit, (0, 0), 0.8) * 1.4)
    return _shaded(tint, light * (1 - 0.4 * np.exp(-crack * 60)))


def _plain(rng: np.random.Generator, size: int) -> Ground:
    """A painted wall, a door or a table top, with a skirting line."""
    colour = _palette(rng)[0] * 0.6 + 0.3
    light = 1 + 0.04 * fractal_noise(rng, size, size, 2, 4)
    edge = int(size * rng.uniform(0, 1))
    light[:, edge : edge + max(2, size // 120)] *= 0.7
    light[:, edge:] *= float(rng.uniform(0.75, 1.1))
    return _shaded(colour, light)


GROUNDS: dict[str, tuple[Callable[[np.random.Generator, int], Ground], float]] = {
    "planks": (_planks, 3.0),
    "tiles": (_tiles, 1.6),
    "carpet": (_carpet, 2.2),
    "blanket": (_blanket, 3.2),
    "cardboard": (_cardboard, 0.8),
    "concrete": (_concrete, 1.2),
    "plain": (_plain, 1.2),
}
"""Kinds of ground, and how common each is."""


def _thing(rng: np.random.Generator, ground: Ground) -> None:
    """One object lying about near the picture's edge, with its shadow; in place."""
    size = ground.shape[0]
    angle = float(rng.uniform(0, 6.283))
    reach = size * float(rng.uniform(0.4, 0.6))
    centre = np.array([math.cos(angle), math.sin(angle)]) * reach + size / 2
    long, wide = size * rng.uniform(0.08, 0.3), size * rng.uniform(0.03, 0.16)
    turn = float(rng.uniform(0, 6.283))
    mask = np.zeros((size, size), np.uint8)
    shape = int(rng.integers(0, 4))
    at = (int(centre[0]), int(centre[1]))
    if shape == 0:
        box = cv2.boxPoints((tuple(centre), (long, wide), math.degrees(turn)))
        cv2.fillPoly(mask, [box.astype(np.int32)], 255, cv2.LINE_AA)
    elif shape == 1:
        cv2.ellipse(
            mask, at, (int(long / 2), int(wide)), math.degrees(turn), 0, 360, 255, -1, cv2.LINE_AA
        )
    elif shape == 2:
        t = np.linspace(0, 1, 40)
        sway = np.cumsum(rng.normal(0, size * 0.012, (40, 2)), axis=0)
        cable = centre + np.stack([t * math.cos(turn), t * math.sin(turn)], 1) * size * 0.5 + sway
        cv2.polylines(mask, [cable.astype(np.int32)], False, 255, max(2, size // 90), cv2.LINE_AA)
    else:
        corners = rng.uniform(-0.5, 0.5, (7, 2)) * long + centre
        hull = cv2.convexHull(corners.astype(np.float32))
        cv2.fillPoly(mask, [hull.astype(np.int32)], 255, cv2.LINE_AA)
    cover = mask.astype(np.float32) / 255
    shadow: Any = cv2.GaussianBlur(
        np.roll(cover, (size // 60, size // 80), (0, 1)), (0, 0), size / 60
    )
    ground *= (1 - 0.5 * shadow)[..., None]
    rim: Any = cv2.GaussianBlur(cover, (0, 0), size / 90)
    tone = 0.75 + 0.35 * rim + 0.08 * smooth_noise(rng, size, size, 6, 6)
    colour: Any = floats(cloth_colour(rng)[1])
    if rng.random() < 0.35:
        colour = cv2.resize(PRINTS[str(rng.choice(list(PRINTS)))](rng, _palette(rng)), (size, size))
    ground *= 1 - cover[..., None]
    ground += colour * (tone * cover)[..., None]


def background(rng: np.random.Generator, width_px: int, height_px: int) -> Ground:
    """A busy ground seen at a slant.

    Args:
        rng: where the randomness comes from.
        width_px: width of the result.
        height_px: height of the result.

    Returns:
        ``(height_px, width_px, 3)`` float32 RGB, about [0, 1].
    """
    names = list(GROUNDS)
    chances = np.array([GROUNDS[name][1] for name in names])
    size = max(width_px, height_px)

    def surface() -> Ground:
        name = names[int(rng.choice(len(names), p=chances / chances.sum()))]
        return GROUNDS[name][0](rng, size)

    ground = surface()
    if rng.random() < 0.22:  # where a rug ends or a wall begins
        other = surface()
        slope = float(rng.normal(0, 0.2))
        edge = size * float(rng.choice([rng.uniform(0.03, 0.25), rng.uniform(0.75, 0.97)]))
        level = np.arange(size)[:, None] + slope * np.arange(size)[None, :] - edge
        share = np.clip(level, 0, 1).astype(np.float32)[..., None]
        if rng.random() < 0.5:
            share = np.swapaxes(share, 0, 1)
        drop = np.clip(1 - 0.5 * np.exp(-np.abs(level) / (size * 0.015)), 0, 1).astype(np.float32)
        ground = ground * (1 - share) + other * share
        ground *= drop[..., None] if share.shape == drop.shape else 1.0
    for _ in range(int(rng.choice([0, 0, 0, 1, 2, 3]))):
        _thing(rng, ground)
    turn = float(rng.choice([0, 0, 90, 90, rng.uniform(0, 180)])) + float(rng.normal(0, 5))
    spin: Any = cv2.getRotationMatrix2D((size / 2, size / 2), turn, float(rng.uniform(1.0, 1.7)))
    spin = np.vstack([spin, [0, 0, 1]])
    tilt = np.eye(3)
    tilt[2, :2] = rng.normal(0, 0.12, 2) / size
    centre = np.eye(3)
    centre[:2, 2] = (width_px - size) / 2, (height_px - size) / 2
    seen: Any = cv2.warpPerspective(
        ground,
        centre @ tilt @ spin,
        (width_px, height_px),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    return seen  # type: ignore[no-any-return]
