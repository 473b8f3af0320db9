"""Seeded smooth noise: the stuff of wrinkles, wood, carpets and uneven light."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""``(H, W)`` float32."""


def smooth_noise(
    rng: np.random.Generator, height: int, width: int, cells_y: float, cells_x: float
) -> Field:
    """Value noise of mean about 0 and range about [-1, 1].

    Args:
        rng: where the randomness comes from.
        height: rows of the result.
        width: columns of the result.
        cells_y: number of bumps down the picture; fewer than ``cells_x`` stretches them downwards.
        cells_x: number of bumps across it.
    """
    grid = rng.uniform(-1, 1, (max(int(cells_y), 1) + 3, max(int(cells_x), 1) + 3))
    field: Any = cv2.resize(grid.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return field  # type: ignore[no-any-return]


def fractal_noise(
    rng: np.random.Generator,
    height: int,
    width: int,
    cells: float,
    octaves: int = 4,
    stretch: float = 1.0,
) -> Field:
    """Octaves of `smooth_noise`, each of half the amplitude and twice the frequency.

    Args:
        rng: where the randomness comes from.
        height: rows.
        width: columns.
        cells: bumps across the picture in the first octave.
        octaves: how many octaves are summed.
        stretch: above 1 the bumps are that much longer down than across.
    """
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        count = cells * 2**octave
        total += smooth_noise(rng, height, width, count / stretch, count) / np.float32(2**octave)
    return total


def creases(rng: np.random.Generator, size: int, cells: float, stretch: float) -> Field:
    """A height field of cloth lying in folds: ridged noise, about [0, 1], ``(size, size)``.

    Ridges (1 - |noise|) are sharp where the cloth folds over and flat between; warping the domain
    by more noise keeps them from running parallel.
    """
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    sway = size * 0.09
    warp_x = columns + sway * smooth_noise(rng, size, size, 3, 3)
    warp_y = rows + sway * smooth_noise(rng, size, size, 3, 3)
    height = np.zeros((size, size), np.float32)
    for octave, weight in ((1.0, 1.0), (2.1, 0.45), (4.3, 0.18)):
        ridge = 1 - np.abs(smooth_noise(rng, size, size, cells * octave / stretch, cells * octave))
        height += np.float32(weight) * ridge
    warped: Any = cv2.remap(height, warp_x, warp_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return warped  # type: ignore[no-any-return]


def lit(height: Field, direction: float, strength: float) -> Field:
    """How light falls on a height field: about 1, brighter on slopes that face the light.

    Args:
        height: ``(H, W)`` float32 height field.
        direction: where the light comes from, radians.
        strength: contrast; 0.1 is a soft lamp, 0.5 a window from the side.
    """
    blurred: Any = cv2.GaussianBlur(height, (0, 0), max(1.0, height.shape[0] / 200))
    slope_x: Any = cv2.Sobel(blurred, cv2.CV_32F, 1, 0, ksize=3)
    slope_y: Any = cv2.Sobel(blurred, cv2.CV_32F, 0, 1, ksize=3)
    slope = slope_x * np.float32(np.cos(direction)) + slope_y * np.float32(np.sin(direction))
    spread = max(float(slope.std()), 1e-6)
    shade: Field = (1 + strength * np.tanh(slope / (1.6 * spread))).astype(np.float32)
    return shade
