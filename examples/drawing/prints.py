"""Fabrics: square print tiles, `TILE_PX` wide, that cover a whole garment (1.25 garment units)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.drawing.geometry import floats
from examples.drawing.noise import fractal_noise, smooth_noise

TILE_PX = 640
TILE_UNITS = 1.25
"""Width of a tile in garment units: a garment is 1 long, the rest is room for the grain to turn."""

Tile = NDArray[np.float32]
"""``(TILE_PX, TILE_PX, 3)`` float32 RGB in [0, 1]."""
Colour = NDArray[np.float32]
"""``(3,)`` float32 RGB in [0, 1]."""
Painter = Callable[[np.random.Generator, list[Colour]], Tile]

_ROWS, _COLUMNS = np.mgrid[0:TILE_PX, 0:TILE_PX].astype(np.float32)


def _filled(colour: Colour) -> Tile:
    return np.broadcast_to(colour, (TILE_PX, TILE_PX, 3)).astype(np.float32)


def _mixed(weight: NDArray[Any], low: NDArray[Any], high: NDArray[Any]) -> Tile:
    share = np.asarray(weight, np.float32)[..., None]
    blended: Tile = (low * (1 - share) + high * share).astype(np.float32)
    return blended


def _solid(_rng: np.random.Generator, colours: list[Colour]) -> Tile:
    return _filled(colours[0])


def _melange(rng: np.random.Generator, colours: list[Colour]) -> Tile:
    flecks = smooth_noise(rng, TILE_PX, TILE_PX, 120, 320) * 0.5 + 0.5
    return _mixed(np.clip(flecks, 0, 1) * 0.35, colours[0], colours[1])


def _bands(rng: np.random.Generator, colours: list[Colour], across: NDArray[Any]) -> Tile:
    """Stripes along one axis: one to three coloured bands that repeat."""
    period = float(rng.uniform(28, 110))
    phase = (across + rng.uniform(0, period)) % period / period
    tile = _filled(colours[0])
    at = 0.0
    for colour in colours[1 : 1 + int(rng.integers(1, 3))]:
        width = float(rng.uniform(0.12, 0.4))
        edge = 1.5 / period
        inside = np.clip((phase - at) / edge, 0, 1) * np.clip((at + width - phase) / edge, 0, 1)
        tile = _mixed(inside, tile, colour)
        at += width + float(rng.uniform(0.05, 0.2))
    return tile


def _stripes(rng: np.random.Generator, colours: list[Colour]) -> Tile:
    return _bands(rng, colours, _ROWS)


def _pinstripes(rng: np.random.Generator, colours: list[Colour]) -> Tile:
    return _bands(rng, colours, _COLUMNS)


def _gingham(rng: np.random.Generator, colours: list[Colour]) -> Tile:
    period = float(rng.uniform(18, 60))
    down = (_ROWS % period < period / 2).astype(np.float32)
    across = (_COLUMNS % period < period / 2).astype(np.float32)
    return _mixed((down + across) / 2, colours[0], colours[1])


def _tartan(rng: np.random.Generator, colours: list[Colour]) -> Tile:
    period = float(rng.uniform(70, 170))
    sett = [(rng.uniform(0, 0.9), rng.uniform(0.03, 0.3), int(rng.integers(1, 3))) for _ in "abcd"]
    tile = _filled(colours[0])
    for axis, twill in ((_ROWS, 0.5), (_COLUMNS, 0.5)):
        phase = axis % period / period
        for start, width, colour in sett:
            inside = ((phase >= start) & (phase < start + width)).astype(np.float32)
            tile = _mixed(inside * twill, tile, colours[colour])
    return tile


def _dots(rng: np.random.Generator, colours: list[Colour]) -> Tile:
    period = float(rng.uniform(18, 64))
    radius = period * float(rng.uniform(0.15, 0.36))
    row = np.floor(_ROWS / period)
    x = (_COLUMNS + (row % 2) * period / 2) % period - period / 2
    y = _ROWS % period - period / 2
    return _mixed(np.clip(radius - np.hypot(x, y) + 0.5, 0, 1), colours[0], colours[1])


def _scatter(
    rng: np.random.Generator,
    colours: list[Colour],
    spacing: float,
    stamp: Callable[[Any, tuple[int, int], float, Any], None],
) -> Tile:
    """Motifs on a jittered grid, in all colours but the first."""
    canvas = np.ascontiguousarray(_filled(colours[0]))
    for y in np.arange(-spacing / 2, TILE_PX + spacing, spacing):
        for x in np.arange(-spacing / 2, TILE_PX + spacing, spacing):
            jitter = rng.uniform(-0.34, 0.34, 2) * spacing
            colour = colours[1 + int(rng.integers(0, len(colours) - 1))]
            centre = (int(x + jitter[0]), int(y + jitter[1]))
            stamp(canvas, centre, float(rng.uniform(0, 6.28)), tuple(map(float, colour)))
    return canvas


def _floral(rng: np.random.Generator, colours: list[Colour]) -> Tile:
    spacing = float(rng.uniform(34, 120))
    petals = int(rng.integers(4, 8))
    leaf = tuple(map(float, colours[2] * 0.4 + floats([0.1, 0.3, 0.12])))
    heart = tuple(map(float, colours[3]))

    def flower(canvas: Any, centre: tuple[int, int], turn: float, colour: Any) -> None:
        size = spacing * float(rng.uniform(0.2, 0.42))
        for side in (0.6, 2.4):
            tip = (
                int(centre[0] + size * 1.5 * np.cos(turn + side)),
                int(centre[1] + size * 1.5 * np.sin(turn + side)),
            )
            axes = (int(size * 0.7) + 1, int(size * 0.25) + 1)
            degrees = float(np.degrees(turn + side))
            cv2.ellipse(canvas, tip, axes, degrees, 0, 360, leaf, -1, cv2.LINE_AA)
        for petal in range(petals):
            angle = turn + petal * 6.283 / petals
            at = (
                int(centre[0] + size * 0.6 * np.cos(angle)),
                int(centre[1] + size * 0.6 * np.sin(angle)),
            )
            axes = (int(size * 0.55) + 1, int(size * 0.34) + 1)
            shade = tuple(c * (0.85 + 0.15 * (petal % 2)) for c in colour)
            cv2.ellipse(canvas, at, axes, float(np.degrees(angle)), 0, 360, shade, -1, cv2.LINE_AA)
        cv2.circle(canvas, centre, int(size * 0.25) + 1, heart, -1, cv2.LINE_AA)

    return _scatter(rng, colours, spacing, flower)


def _leaves(rng: np.random.Generator, colours: list[Colour]) -> Tile:
    spacing = float(rng.uniform(30, 90))

    def leaf(canvas: Any, centre: tuple[int, int], turn: float, colour: Any) -> None:
        axes = (int(spacing * 0.6), int(spacing * rng.uniform(0.1, 0.24)) + 1)
        degrees = float(np.degrees(turn))
        cv2.ellipse(canvas, centre, axes, degrees, 0, 360, colour, -1, cv2.LINE_AA)
        reach = np.array([np.cos(turn), np.sin(turn)]) * spacing * 0.6
        ends = [(int(centre[0] + s * reach[0]), int(centre[1] + s * reach[1])) for s in (-1, 1)]
        cv2.line(canvas, ends[0], ends[1], tuple(c * 0.7 for c in colour), 1, cv2.LINE_AA)

    return _scatter(rng, colours, spacing, leaf)


def _motifs(rng: np.random.Generator, colours: list[Colour]) -> Tile:
    spacing = float(rng.uniform(28, 80))
    corners = int(rng.integers(3, 7))
    inner = float(rng.uniform(0.35, 1.0))

    def star(canvas: Any, centre: tuple[int, int], turn: float, colour: Any) -> None:
        t = np.arange(2 * corners) * np.pi / corners + turn
        radius = spacing * 0.3 * np.where(np.arange(2 * corners) % 2 == 0, 1.0, inner)
        shape = np.stack([np.cos(t), np.sin(t)], 1) * radius[:, None] + centre
        cv2.fillPoly(canvas, [shape.astype(np.int32)], colour, cv2.LINE_AA)

    return _scatter(rng, colours, spacing, star)


def _camouflage(rng: np.random.Generator, colours: list[Colour]) -> Tile:
    tile = _filled(colours[0])
    for colour in colours[1:]:
        blobs = fractal_noise(rng, TILE_PX, TILE_PX, float(rng.uniform(7, 13)), 3)
        tile = _mixed(np.clip((blobs - 0.12) * 25, 0, 1), tile, colour)
    return tile


def _leopard(rng: np.random.Generator, colours: list[Colour]) -> Tile:
    cells = float(rng.uniform(22, 44))
    field = np.abs(smooth_noise(rng, TILE_PX, TILE_PX, cells, cells))
    ring = np.clip((field - 0.22) * 9, 0, 1) * np.clip((0.62 - field) * 9, 0, 1)
    tile = _mixed(np.clip((field - 0.45) * 6, 0, 1) * 0.6, colours[0], colours[1])
    return _mixed(ring, tile, colours[0] * 0.25)


def _dyed(rng: np.random.Generator, colours: list[Colour]) -> Tile:
    swirl = fractal_noise(rng, TILE_PX, TILE_PX, 3, 4) + np.hypot(_ROWS - 300, _COLUMNS - 320) / 90
    rings = np.sin(swirl * float(rng.uniform(0.8, 2.2))) * 0.5 + 0.5
    return _mixed(rings, _mixed(_ROWS / TILE_PX, colours[0], colours[1]), colours[2])


def _blocks(rng: np.random.Generator, colours: list[Colour]) -> Tile:
    edge = float(rng.uniform(0.28, 0.62)) * TILE_PX
    slant = float(rng.choice([0.0, 0.0, 0.35, -0.35]))
    level = _ROWS + slant * (_COLUMNS - TILE_PX / 2)
    tile = _mixed(np.clip(level - edge, 0, 1), colours[0], colours[1])
    band = float(rng.uniform(0, 0.14)) * TILE_PX
    return _mixed(
        np.clip(level - edge, 0, 1) * np.clip(edge + band - level, 0, 1), tile, colours[2]
    )


def _chevrons(rng: np.random.Generator, colours: list[Colour]) -> Tile:
    period = float(rng.uniform(24, 70))
    zigzag = np.abs(_COLUMNS % period - period / 2)
    return _bands(rng, colours, _ROWS + zigzag)


def _denim(rng: np.random.Generator, _colours: list[Colour]) -> Tile:
    indigo = floats(rng.choice([[0.2, 0.27, 0.42], [0.36, 0.47, 0.62], [0.13, 0.16, 0.24]]))
    twill = ((_ROWS + _COLUMNS) % 5 < 2).astype(np.float32) * 0.14
    slub = smooth_noise(rng, TILE_PX, TILE_PX, 30, 300) * 0.08
    worn = np.clip(fractal_noise(rng, TILE_PX, TILE_PX, 3, 3), 0, 1) * 0.3
    return _mixed(np.clip(twill + slub + worn, 0, 1), indigo, floats([0.78, 0.83, 0.88]))


def _knit(rng: np.random.Generator, colours: list[Colour]) -> Tile:
    stitch = float(rng.uniform(6, 13))
    vee = np.sin((_ROWS + np.abs(_COLUMNS % stitch - stitch / 2)) * 6.283 / (stitch * 0.8))
    cable = np.sin(_COLUMNS * 6.283 / (stitch * float(rng.integers(3, 8))))
    return _mixed(np.clip(0.22 + 0.12 * vee + 0.1 * cable, 0, 1), colours[0], colours[0] * 0.35)


PRINTS: dict[str, Painter] = {
    "solid": _solid,
    "melange": _melange,
    "stripes": _stripes,
    "pinstripes": _pinstripes,
    "gingham": _gingham,
    "tartan": _tartan,
    "dots": _dots,
    "floral": _floral,
    "leaves": _leaves,
    "motifs": _motifs,
    "camouflage": _camouflage,
    "leopard": _leopard,
    "dyed": _dyed,
    "blocks": _blocks,
    "chevrons": _chevrons,
    "denim": _denim,
    "knit": _knit,
}


@lru_cache(maxsize=1)
def _threads() -> NDArray[np.float32]:
    """The grain that all cloth shares; drawing it costs more than many a print."""
    rng = np.random.default_rng(0)
    fine = rng.normal(0, 1, (TILE_PX, TILE_PX)).astype(np.float32)
    threads: Any = cv2.GaussianBlur(fine, (0, 0), 0.9)
    patches = fractal_noise(rng, TILE_PX, TILE_PX, 5, 3)
    return floats(1 + 0.05 * threads + 0.02 * patches)


def weave(rng: np.random.Generator) -> NDArray[np.float32]:
    """Fine cloth grain, ``(TILE_PX, TILE_PX)`` float32 about 1, multiplied onto any print."""
    return np.roll(_threads(), rng.integers(0, TILE_PX, 2).tolist(), (0, 1))


def print_tile(name: str, rng: np.random.Generator, colours: list[Colour]) -> Tile:
    """The named print in the given colours (four of them, the ground first), with cloth grain.

    Raises:
        KeyError: for a name that is not in `PRINTS`.
    """
    tile = PRINTS[name](rng, colours) * weave(rng)[..., None]
    return floats(np.clip(tile, 0, 1))
