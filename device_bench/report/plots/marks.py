"""Markup that nothing in a report can break out of, and what plots are put together from."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from device_bench.report.plots.scale import Scale

# They would turn the direction of all that follows; a letter of a right-to-left script may stand.
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# They join letters; no other character that is not printable is let through.
_JOINING = frozenset("\u200c\u200d")
#: How wide a plot is on a phone; labels that do not collide there collide nowhere.
PHONE_PX = 320.0
_CHARACTER_PX = 7.0
#: How much the values below an axis need.
AXIS_PX = 20


def escape(text: object) -> str:
    """Text for a page's markup, in attributes too: control characters are made visible."""
    told = " ".join(str(text).split())
    return html.escape("".join(c if _harmless(c) else _visible(c) for c in told))


def tag(name: str, *inside: str, **attributes: object) -> str:
    """An element.

    Args:
        name: Of the element.
        inside: Markup, which is taken as it is.
        attributes: Text, escaped; ``class_`` is ``class``, and ``aria_label`` ``aria-label``.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    return f"<{name}{said}>{''.join(inside)}</{name}>"


def picture(height_px: float, label: str, marks: Iterable[str]) -> str:
    """An SVG picture of the page's width.

    Args:
        height_px: Its height.
        label: What it shows, for who does not see it.
        marks: Elements, the lowest first.
    """
    return tag("svg", *marks, class_="plot", height=f"{height_px:g}", role="img", aria_label=label)


def stretched(height_px: float, *marks: str) -> str:
    """A layer in which x runs from 0 to 100 and y in pixels: for paths, which know no per cent."""
    # viewBox and preserveAspectRatio keep their capitals.
    box = f'viewBox="0 0 100 {height_px:g}" preserveAspectRatio="none"'
    return f'<svg width="100%" height="{height_px:g}" {box}>{"".join(marks)}</svg>'


def path(commands: str, class_: str) -> str:
    """A path of a ``stretched`` layer; its stroke is not stretched with it."""
    return tag("path", class_=class_, d=commands, vector_effect="non-scaling-stroke")


def dots(places: Iterable[tuple[float, float]], class_: str) -> str:
    """Dots of a ``stretched`` layer, by x from 0 to 100 and y in pixels.

    Those that fall on one place are drawn once, so that a million samples are no million marks.
    """
    seen = dict.fromkeys((round(x, 1), round(2 * y) / 2) for x, y in places)
    return path("".join(f"M{x:g} {y:g}h0" for x, y in seen), class_) if seen else ""


def line(
    x1_percent: float, y1_px: float, x2_percent: float, y2_px: float, class_: str, told: str = ""
) -> str:
    """A straight line; ``told`` shows where a pointer rests on it."""
    return tag(
        "line",
        tag("title", escape(told)) if told else "",
        class_=class_,
        x1=f"{x1_percent:.2f}%",
        y1=f"{y1_px:.1f}",
        x2=f"{x2_percent:.2f}%",
        y2=f"{y2_px:.1f}",
    )


def box(
    x_percent: float, y_px: float, width_percent: float, height_px: float, class_: str,
    told: str = "",
) -> str:  # fmt: skip
    """A filled rectangle; ``told`` shows where a pointer rests on it."""
    return tag(
        "rect",
        tag("title", escape(told)) if told else "",
        class_=class_,
        x=f"{x_percent:.2f}%",
        y=f"{y_px:.1f}",
        width=f"{max(width_percent, 0.0):.2f}%",
        height=f"{max(height_px, 0.0):.1f}",
    )


def words(
    x_percent: float, y_px: float, text: str, class_: str, anchor: str = "", shift_px: float = 0.0
) -> str:
    """Text on a baseline, by default turned inwards where it would leave the picture.

    Args:
        x_percent: Where its anchor is, from the left.
        y_px: Where its baseline is, from the top.
        text: What it says.
        class_: How it looks.
        anchor: ``start``, ``middle`` or ``end``.
        shift_px: To the right of ``x_percent``.
    """
    half = width_percent(text) / 2
    if not anchor:
        anchor = "start" if x_percent < half else "end" if x_percent > 100 - half else "middle"
    return tag(
        "text",
        escape(text),
        class_=class_,
        x=f"{x_percent:.2f}%",
        y=f"{y_px:.1f}",
        text_anchor=anchor,
        **({"dx": f"{shift_px:g}"} if shift_px else {}),
    )


def width_percent(text: str) -> float:
    """About how much of a phone's width a label takes."""
    return 100.0 * _CHARACTER_PX * len(text) / PHONE_PX


def x_axis(scale: Scale, top_px: float, bottom_px: float, unit: str) -> list[str]:
    """Upright lines at round values, and the values below them; in ``AXIS_PX``."""
    marks = []
    ticks = scale.ticks()
    for value in ticks:
        at = scale.percent(value)
        told = f"{value:g} {unit}" if value == ticks[-1] else f"{value:g}"
        marks.append(line(at, top_px, at, bottom_px, "grid"))
        marks.append(words(at, bottom_px + 14, told, "tick"))
    return marks


def in_rows(labels: Sequence[tuple[float, str]]) -> list[int]:
    """The row of each label, so that none runs into one before it.

    Args:
        labels: Where the middle of each is, in per cent, and its text.
    """
    ends: list[float] = []
    rows = []
    for at, text in labels:
        # A character's width stays free between two.
        half = width_percent(f"{text} ") / 2
        middle = min(max(at, half), 100 - half)
        row = next((number for number, end in enumerate(ends) if end <= middle - half), len(ends))
        ends[row:] = [middle + half, *ends[row + 1 :]]
        rows.append(row)
    return rows


def _harmless(character: str) -> bool:
    return (character.isprintable() or character in _JOINING) and character not in _TURNING


def _visible(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
