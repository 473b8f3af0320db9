"""Colours as people write them."""

from __future__ import annotations

import re

_COLOURS: dict[str, tuple[int, int, int]] = {
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
    "gray": (128, 128, 128),
    "silver": (192, 192, 192),
    "red": (255, 0, 0),
    "green": (0, 128, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "orange": (255, 165, 0),
    "pink": (255, 192, 203),
    "purple": (128, 0, 128),
    "beige": (245, 245, 220),
    "navy": (0, 0, 128),
}


def parse_colour(text: str) -> tuple[int, int, int]:
    """Read `#rrggbb`, `#rgb` or a common name as RGB.

    Raises:
        ValueError: If it is neither.
    """
    name = text.strip().lower()
    if name in _COLOURS:
        return _COLOURS[name]
    digits = name.removeprefix("#")
    if re.fullmatch(r"[0-9a-f]{3}", digits):
        digits = "".join(digit * 2 for digit in digits)
    if not re.fullmatch(r"[0-9a-f]{6}", digits):
        raise ValueError(f"{text!r} is no colour: use #rrggbb or one of {', '.join(_COLOURS)}")
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
