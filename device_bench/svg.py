"""Pieces of an SVG picture that needs nothing beside it: no script, no font, no outside request.

Lengths are the picture's own units; it fills the width that it is given and keeps its proportions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

#: Told apart in print and by most eyes that see fewer colours (Okabe and Ito), the strongest first.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")
TEXT_COLOUR = "#222222"
FAINT_COLOUR = "#dddddd"
FONT_PX = 13.0


def document(width: float, height: float, title: str, pieces: Iterable[str]) -> str:
    """A whole picture on white.

    Args:
        width: In its own units.
        height: As the width.
        title: What it shows, for readers who cannot see it.
        pieces: What ``text``, ``bar`` and ``line`` give, the lowest first.
    """
    inside = "\n".join(pieces)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="100%" '
        f'role="img" font-family="sans-serif" font-size="{FONT_PX:g}">\n'
        f"<title>{escape(title)}</title>\n"
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>\n'
        f"{inside}\n</svg>\n"
    )


def text(x: float, y: float, words: str, anchor: str = "start", bold: bool = False) -> str:
    """Words on a baseline; ``anchor`` is ``start``, ``middle`` or ``end``."""
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{TEXT_COLOUR}"{weight}>'
        f"{escape(words)}</text>"
    )


def bar(x: float, y: float, width: float, height: float, colour: str, told: str) -> str:
    """A filled rectangle; ``told`` shows where a pointer rests on it."""
    return (
        f'<rect x="{x:.2f}" y="{y:.1f}" width="{max(0.0, width):.2f}" height="{height:.1f}" '
        f'fill="{colour}"><title>{escape(told)}</title></rect>'
    )


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    """A faint line."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{FAINT_COLOUR}"/>'
    )


def ticks(most: float, about: int = 4) -> Sequence[float]:
    """Round values from 0 to ``most``, at most ``about`` beside 0, which is 2 or more.

    Raises:
        ValueError: ``most`` is not above 0.
    """
    if not most > 0:
        raise ValueError("an axis needs a length")
    power = 10.0 ** math.floor(math.log10(most))
    step = next(
        multiple * power for multiple in (0.2, 0.5, 1, 2, 5) if most <= about * multiple * power
    )
    return [step * number for number in range(int(most / step * (1 + 1e-9)) + 1)]
