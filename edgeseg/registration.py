"""Laying a picture over another: how far one is shifted and scaled against the other.

A copy that was cropped, enlarged or put on a wider canvas differs from its original by a shift and
a scale along each axis. They are found by Gauss-Newton steps on the grey values (Lucas and Kanade,
"An iterative image registration technique", IJCAI 1981), with a gain and an offset beside them, so
that a brighter copy lies no worse. Many pairs go through at once.

A *placement* is `(scale_x, shift_x, scale_y, shift_y)`: the point `(x, y)` of the fixed picture is
at `(scale_x * x + shift_x, scale_y * y + shift_y)` of the moving one, where each picture reaches
from -1 to 1 along both axes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Placements = NDArray[np.float32]

IN_PLACE = (1.0, 0.0, 1.0, 0.0)
# A copy that shows less than four fifths of the original along an axis is a detail of it.
_MIN_SCALE, _MAX_SCALE = 0.8, 1.25
_MAX_SHIFT = 0.25
# No step goes farther than the slope of a picture's grey values can foretell: a pixel of 24.
_MAX_STEP = 0.08
# Against the step that a nearly flat picture would ask for, as a share and in grey values squared.
_DAMPING_RATIO, _DAMPING = 1e-3, 1e-3
_MIN_GAIN = 0.5


def resample(
    pictures: NDArray[np.float32], placements: Placements
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Draw moving pictures as they lie under the fixed ones, bilinearly.

    Args:
        pictures: `(N, S, S)` float32.
        placements: `(N, 4)` float32.

    Returns:
        `(N, S, S)` float32; and `(N, S, S)` bool, False where the moving picture does not reach:
        there its outermost pixels are repeated.
    """
    side = pictures.shape[1]
    across, inside_x = _weights(placements[:, :2], side)
    down, inside_y = _weights(placements[:, 2:], side)
    drawn = np.matmul(down @ pictures, across.transpose(0, 2, 1), dtype=np.float32)
    return drawn, inside_y[:, :, None] & inside_x[:, None, :]


def register(
    fixed: NDArray[np.float32],
    moving: NDArray[np.float32],
    placements: Placements,
    steps: int,
) -> Placements:
    """Improve placements, step by step.

    Args:
        fixed: `(N, S, S)` float32, grey.
        moving: `(N, S, S)` float32, grey.
        placements: `(N, 4)` float32 to start from, a few pixels off at most.
        steps: how many.

    Returns:
        `(N, 4)` float32; of pictures that are not alike, some placement without a meaning.
    """
    side = fixed.shape[1]
    slope_x: NDArray[np.float32] = np.asarray(np.gradient(moving, 2.0 / side, axis=2))
    slope_y: NDArray[np.float32] = np.asarray(np.gradient(moving, 2.0 / side, axis=1))
    grid = _grid(side)
    placements = placements.astype(np.float32)
    for _ in range(steps):
        lying, inside = resample(moving, placements)
        lying_x, _ = resample(slope_x, placements)
        lying_y, _ = resample(slope_y, placements)
        columns = (
            lying_x * grid,
            lying_x,
            lying_y * grid[:, None],
            lying_y,
            lying,
            np.ones_like(lying),
        )
        by_pixel = np.stack(columns, axis=-1) * inside[..., None]
        design = by_pixel.reshape(len(fixed), -1, len(columns))
        # What is left, so that damping draws towards no step at all: equal pictures stay in place.
        target = ((fixed - lying) * inside).reshape(len(fixed), -1, 1)
        normal = design.transpose(0, 2, 1) @ design
        diagonal = np.arange(len(columns))
        normal[:, diagonal, diagonal] *= 1.0 + _DAMPING_RATIO
        normal[:, diagonal, diagonal] += _DAMPING
        solved = np.linalg.solve(normal, design.transpose(0, 2, 1) @ target)[:, :, 0]
        gain = np.maximum(1.0 + solved[:, 4:5], _MIN_GAIN)
        placements = placements + np.clip(solved[:, :4] / gain, -_MAX_STEP, _MAX_STEP)
        placements[:, ::2] = placements[:, ::2].clip(_MIN_SCALE, _MAX_SCALE)
        placements[:, 1::2] = placements[:, 1::2].clip(-_MAX_SHIFT, _MAX_SHIFT)
    return placements


def correlation(
    fixed: NDArray[np.float32], moving: NDArray[np.float32], placements: Placements
) -> NDArray[np.float32]:
    """How alike pictures are where they overlap, whatever their brightness and contrast.

    Args:
        fixed: `(N, S, S)` float32, grey.
        moving: `(N, S, S)` float32, grey.
        placements: `(N, 4)` float32.

    Returns:
        `(N,)` float32 in [-1, 1]; 1 for two flat pictures, 0 where only one of them is flat.
    """
    lying, inside = resample(moving, placements)
    count = np.maximum(inside.sum(axis=(1, 2)), 1)
    first, second = (
        (grey - ((grey * inside).sum(axis=(1, 2)) / count)[:, None, None]) * inside
        for grey in (fixed, lying)
    )
    spread = [np.sqrt((part * part).sum(axis=(1, 2)) / count) for part in (first, second)]
    product = (first * second).sum(axis=(1, 2)) / count
    flat = [part < 1.0 for part in spread]
    alike: NDArray[np.float32] = np.where(
        flat[0] | flat[1],
        np.float32(flat[0] & flat[1]),
        product / np.maximum(spread[0] * spread[1], 1.0),
    )
    return alike


def _grid(side: int) -> NDArray[np.float32]:
    """Where the middle of each pixel is, between -1 and 1."""
    return ((2 * np.arange(side, dtype=np.float32) + 1) / side - 1).astype(np.float32)


def _weights(axis: NDArray[np.float32], side: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """What each pixel takes from those of the moving picture along an axis.

    Args:
        axis: `(N, 2)` float32, scale and shift.
        side: pixels along the axis.

    Returns:
        `(N, side, side)` float32 whose rows sum to 1; and `(N, side)` bool, whether it is inside.
    """
    place = ((axis[:, :1] * _grid(side) + axis[:, 1:]) + 1.0) * (side / 2) - 0.5
    inside = (place >= -0.5) & (place <= side - 0.5)
    near = np.abs(place.clip(0, side - 1)[:, :, None] - np.arange(side, dtype=np.float32))
    return np.maximum(1.0 - near, 0.0).astype(np.float32), inside
