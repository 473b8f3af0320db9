"""The representative set: the pictures that set the ranges of int8 activations.

Real photographs are better. Where none are given, seeded drawings of garments on textured
backgrounds serve, with their exact masks, so that every recipe runs without data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.photographs import Photograph, read_photographs
from edgeseg.preprocessing import Preprocessing

DRAWN_PX = 192
Grid = NDArray[np.float64]


@dataclass(frozen=True)
class RepresentativeSet:
    """Pictures and where they came from, as told in the report."""

    photographs: tuple[Photograph, ...]
    source: str
    drawn: bool


def representative_set(folders: Sequence[Path], count: int, seed: int) -> RepresentativeSet:
    """``count`` training photographs of ``folders``, or as many drawings where there are none.

    Raises:
        DatasetError: a folder does not exist or holds no picture.
        PhotoError: a picture cannot be read.
    """
    if folders:
        photographs = tuple(read_photographs(folders, "train", count, seed))
        return RepresentativeSet(photographs, f"{len(photographs)} photographs", drawn=False)
    return RepresentativeSet(
        tuple(drawn_photographs(count, seed)), f"{count} drawn pictures (seed {seed})", drawn=True
    )


def network_input(
    photographs: Sequence[Photograph], preprocessing: Preprocessing
) -> NDArray[np.uint8]:
    """Photographs in the network's frame, ``(N, S, S, 3)`` uint8 RGB, not yet scaled."""
    return np.stack([preprocessing.resized(p.image) for p in photographs])


def calibration_input(
    pictures: NDArray[np.uint8], preprocessing: Preprocessing
) -> NDArray[np.float32]:
    """Scaled pictures whose range is exactly that of a byte.

    Two corner pixels of the first picture are set to black and white: then the input's scale comes
    out as ``preprocessing.scale`` itself, and a photo's bytes are the model's input as they are.

    Args:
        pictures: ``(N, S, S, 3)`` uint8 RGB.
        preprocessing: the network's.

    Returns:
        ``(N, S, S, 3)`` float32.
    """
    pictures = pictures.copy()
    pictures[0, 0, 0] = 0
    pictures[0, 0, 1] = 255
    return preprocessing.normalized(pictures)


def drawn_photographs(count: int, seed: int, side_px: int = DRAWN_PX) -> list[Photograph]:
    """Seeded drawings: a patterned garment on a shaded, textured background, with its mask."""
    shapes: tuple[Callable[[Grid, Grid], NDArray[np.bool_]], ...] = (
        _top,
        _trousers,
        _dress,
        _shoes,
    )
    drawn = []
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        y, x = _turned_grid(side_px, rng)
        mask = shapes[index % len(shapes)](x, y)
        image = np.where(mask[..., None], _fabric(side_px, rng), _background(side_px, rng))
        image *= _light(side_px, rng)[..., None]
        image += rng.normal(0, rng.uniform(1, 10), size=image.shape)
        drawn.append(Photograph(f"drawing {index}", np.clip(image, 0, 255).astype(np.uint8), mask))
    return drawn


def _turned_grid(side_px: int, rng: np.random.Generator) -> tuple[Grid, Grid]:
    """Coordinates in [-1, 1], y down, under a random turn, zoom and shift of the garment."""
    y, x = np.mgrid[0:side_px, 0:side_px] / (side_px - 1) * 2 - 1
    angle, zoom = rng.uniform(-0.5, 0.5), rng.uniform(0.75, 1.3)
    x, y = x - rng.uniform(-0.2, 0.2), y - rng.uniform(-0.2, 0.2)
    turned_x = (x * np.cos(angle) - y * np.sin(angle)) * zoom
    return (x * np.sin(angle) + y * np.cos(angle)) * zoom, turned_x


def _top(x: Grid, y: Grid) -> NDArray[np.bool_]:
    body = (np.abs(x) < 0.36 + 0.05 * y) & (np.abs(y) < 0.6)
    across, along = np.abs(x) - 0.3, y + 0.58
    sleeve = (across > 0) & (along > across * 0.5) & (along < across * 0.5 + 0.3) & (across < 0.4)
    neck = x**2 + (y + 0.62) ** 2 < 0.02
    return np.asarray((body | sleeve) & ~neck)


def _trousers(x: Grid, y: Grid) -> NDArray[np.bool_]:
    waist = (np.abs(x) < 0.34) & (y > -0.75) & (y < -0.2)
    legs = (np.abs(np.abs(x) - 0.2 - 0.06 * y) < 0.15) & (y >= -0.25) & (y < 0.8)
    return np.asarray(waist | legs)


def _dress(x: Grid, y: Grid) -> NDArray[np.bool_]:
    skirt = (np.abs(x) < 0.2 + 0.3 * np.maximum(y + 0.1, 0)) & (y > -0.3) & (y < 0.8)
    bodice = (np.abs(x) < 0.26) & (y > -0.7) & (y <= -0.2)
    return np.asarray(skirt | bodice)


def _shoes(x: Grid, y: Grid) -> NDArray[np.bool_]:
    side = np.abs(x) - 0.28
    return np.asarray((side / 0.2) ** 2 + (y / 0.6) ** 2 < 1)


def _fabric(side_px: int, rng: np.random.Generator) -> Grid:
    """``(S, S, 3)`` in 0..255: one colour, or two in stripes or checks."""
    y, x = np.mgrid[0:side_px, 0:side_px] / side_px
    first, second = rng.uniform(10, 245, size=(2, 3))
    period = rng.uniform(10, 60)
    stripes = np.sin(period * x) > 0
    pattern = (np.zeros_like(stripes), stripes, stripes ^ (np.sin(period * y) > 0))
    chosen = pattern[int(rng.integers(len(pattern)))]
    return np.asarray(np.where(chosen[..., None], second, first))


def _background(side_px: int, rng: np.random.Generator) -> Grid:
    """``(S, S, 3)`` in 0..255: a colour with coarse and fine texture."""
    texture = np.zeros((side_px, side_px))
    for cells in (4, 12, 48):
        coarse = rng.normal(0, rng.uniform(2, 20), size=(cells, cells))
        repeat = -(-side_px // cells)
        texture += np.kron(coarse, np.ones((repeat, repeat)))[:side_px, :side_px]
    return np.asarray(rng.uniform(20, 250, size=3) + texture[..., None])


def _light(side_px: int, rng: np.random.Generator) -> Grid:
    y, x = np.mgrid[0:side_px, 0:side_px] / side_px - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    slope = rng.uniform(0, 0.6) * (x * np.cos(angle) + y * np.sin(angle))
    return np.asarray(rng.uniform(0.7, 1.15) + slope)
