"""What is printed on a chest: words, emblems, pictures and small logos."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from examples.drawing.geometry import floats
from examples.drawing.items import Item

GRAPHIC_PX = 256
_FACES = (cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_SCRIPT_COMPLEX)
_SYLLABLES = (
    "LO",
    "KA",
    "RE",
    "MIN",
    "TO",
    "VA",
    "NOR",
    "SU",
    "BEL",
    "ZE",
    "HAR",
    "DO",
    "PI",
    "EST",
)
Ink = tuple[float, float, float, float]


def _word(rng: np.random.Generator, syllables: int) -> str:
    return "".join(str(rng.choice(_SYLLABLES)) for _ in range(syllables))


def _write(canvas: Any, rng: np.random.Generator, word: str, y: int, width: int, ink: Ink) -> None:
    """The word, centred on the line that ends at y, as wide as ``width``."""
    face = int(rng.choice(_FACES))
    thickness = int(rng.integers(2, 8))
    (natural, _), _ = cv2.getTextSize(word, face, 1.0, thickness)
    size = min(width / max(natural, 1), 3.2)
    start = int(GRAPHIC_PX / 2 - natural * size / 2)
    cv2.putText(canvas, word, (start, y), face, size, ink, thickness, cv2.LINE_AA)


def _text(canvas: Any, rng: np.random.Generator, inks: list[Ink]) -> None:
    for row in range(int(rng.integers(1, 4))):
        word = _word(rng, int(rng.integers(1, 4)))
        _write(canvas, rng, word, 80 + 62 * row, int(rng.integers(120, 236)), inks[row % 2])


def _emblem(canvas: Any, rng: np.random.Generator, inks: list[Ink]) -> None:
    centre = (128, 118)
    cv2.circle(canvas, centre, 100, inks[0], int(rng.choice([-1, 6, 10])), cv2.LINE_AA)
    spokes = int(rng.integers(3, 12))
    for spoke in range(spokes):
        angle = spoke * 6.283 / spokes
        tip = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(60, 92) + centre
        side = np.array([-np.sin(angle), np.cos(angle)]) * rng.uniform(6, 26)
        base = np.array([np.cos(angle), np.sin(angle)]) * 20 + centre
        shape = np.stack([base - side, tip, base + side]).astype(np.int32)
        cv2.fillPoly(canvas, [shape], inks[1], cv2.LINE_AA)
    cv2.circle(canvas, centre, int(rng.integers(10, 30)), inks[2], -1, cv2.LINE_AA)
    if rng.random() < 0.6:
        _write(canvas, rng, _word(rng, 2), 250, 180, inks[0])


def _picture(canvas: Any, rng: np.random.Generator, inks: list[Ink]) -> None:
    """A head of some beast, or a landscape with a sun."""
    if rng.random() < 0.5:
        wide, high = int(rng.integers(55, 85)), int(rng.integers(60, 90))
        for side in (-1, 1):
            ear = np.array(
                [[128 + side * wide, 120], [128 + side * wide, 20], [128 + side * 15, 70]]
            )
            cv2.fillPoly(canvas, [ear.astype(np.int32)], inks[0], cv2.LINE_AA)
        cv2.ellipse(canvas, (128, 130), (wide, high), 0, 0, 360, inks[0], -1, cv2.LINE_AA)
        for side in (-1, 1):
            eye = (128 + side * wide // 2, 115)
            cv2.ellipse(canvas, eye, (wide // 4, wide // 5), 0, 0, 360, inks[1], -1, cv2.LINE_AA)
            cv2.circle(canvas, eye, wide // 10, inks[2], -1, cv2.LINE_AA)
            for lean in (-12, 0, 12):
                end = (128 + side * (wide + 30), 165 + lean)
                cv2.line(canvas, (128 + side * 14, 165), end, inks[2], 2, cv2.LINE_AA)
        cv2.ellipse(canvas, (128, 158), (wide // 5, wide // 7), 0, 0, 360, inks[2], -1, cv2.LINE_AA)
        return
    cv2.rectangle(canvas, (20, 20), (236, 236), inks[0], -1)
    sun = (int(rng.integers(60, 196)), int(rng.integers(60, 120)))
    cv2.circle(canvas, sun, int(rng.integers(20, 45)), inks[2], -1, cv2.LINE_AA)
    for layer, ink in enumerate((inks[1], inks[2])):
        x = np.linspace(20, 236, 9)
        y = rng.uniform(110 + 50 * layer, 170 + 40 * layer, 9)
        ridge = np.concatenate([np.stack([x, y], 1), [[236, 236], [20, 236]]])
        cv2.fillPoly(canvas, [ridge.astype(np.int32)], ink, cv2.LINE_AA)


def _logo(canvas: Any, rng: np.random.Generator, inks: list[Ink]) -> None:
    at = np.array([186, 70])
    turn = np.arange(3 + int(rng.integers(0, 4))) * 6.283 / 3.7
    shape = np.stack([np.cos(turn), np.sin(turn)], 1) * 17 + at
    cv2.fillPoly(canvas, [shape.astype(np.int32)], inks[0], cv2.LINE_AA)


_GRAPHICS: dict[str, Callable[[Any, np.random.Generator, list[Ink]], None]] = {
    "text": _text,
    "emblem": _emblem,
    "picture": _picture,
    "logo": _logo,
}


def graphic_of(item: Item) -> Any:
    """The item's chest graphic, ``(GRAPHIC_PX, GRAPHIC_PX, 4)`` float32 RGBA, or None.

    Returns:
        RGB in [0, 1] and the ink's opacity in [0, 1]; None if nothing is printed.
    """
    if item.graphic == "none":
        return None
    rng = item.rng(2)
    drawn = np.zeros((GRAPHIC_PX, GRAPHIC_PX, 4), np.uint8)
    palette = item.palette()
    contrast = sorted(
        (*palette[1:], floats([0.95] * 3), floats([0.06] * 3)),
        key=lambda colour: -float(np.linalg.norm(colour - palette[0])),
    )
    bright = [255 * colour for colour in contrast[:3]]
    inks: list[Ink] = [(float(c[0]), float(c[1]), float(c[2]), 255.0) for c in bright]
    _GRAPHICS[item.graphic](drawn, rng, inks)
    canvas = drawn.astype(np.float32) / 255
    if rng.random() < 0.3:
        worn = rng.random((64, 64)).astype(np.float32)
        canvas[..., 3] *= np.clip(cv2.resize(worn, (GRAPHIC_PX, GRAPHIC_PX)) * 3 - 0.3, 0, 1)
    return canvas
