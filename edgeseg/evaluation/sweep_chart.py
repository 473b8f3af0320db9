"""Recall over gallery sizes as a drawing: SVG, for a page without scripts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from edgeseg.evaluation.gallery_sweep import Sweep, SweepPoint

# Okabe and Ito's colours, which people with any colour vision tell apart; then from the start.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
_WIDTH_PX, _HEIGHT_PX = 560, 320
_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX = 44, 30, 12, 40
_INK, _GRID = "#5f6979", "#e0e4ea"
_FIGURE = "recall_at_10"


def sweep_chart(series: Sequence[tuple[str, Sweep]]) -> str:
    """Draw recall@10 over the number of items, on a logarithmic scale.

    Lines are dashed from the last gallery of real items on, and a ring is a gallery filled up with
    copies, to be compared with the point of its line at the same size.

    Args:
        series: names with what was measured, one at least.

    Returns:
        An ``<svg>`` element and a legend.
    """
    sizes = [point.items for _, sweep in series for point in sweep.points]
    low, high = math.log10(min(sizes)), math.log10(max(sizes))

    def x(items: int) -> float:
        share = (math.log10(items) - low) / (high - low) if high > low else 0.5
        return _LEFT_PX + share * (_WIDTH_PX - _LEFT_PX - _RIGHT_PX)

    def y(recall: float) -> float:
        return _TOP_PX + (1 - recall) * (_HEIGHT_PX - _TOP_PX - _BOTTOM_PX)

    def place(point: SweepPoint) -> str:
        return f"{x(point.items):.1f},{y(point.recall[_FIGURE]):.1f}"

    parts = []
    for tenth in range(0, 11, 2):
        height = y(tenth / 10)
        parts.append(
            f'<line x1="{_LEFT_PX}" x2="{_WIDTH_PX - _RIGHT_PX}" y1="{height:.1f}" '
            f'y2="{height:.1f}" stroke="{_GRID}"/><text x="{_LEFT_PX - 6}" y="{height + 4:.1f}" '
            f'text-anchor="end">{tenth / 10:.1f}</text>'
        )
    for power in range(math.ceil(low), math.floor(high) + 1):
        parts.append(
            f'<text x="{x(10**power):.1f}" y="{_HEIGHT_PX - 22}" text-anchor="middle">'
            f"{10**power:,}</text>"
        )
    middle = (_LEFT_PX + _WIDTH_PX - _RIGHT_PX) / 2
    parts.append(
        f'<text x="{middle:.1f}" y="{_HEIGHT_PX - 4}" text-anchor="middle">items in the gallery'
        "</text>"
    )
    legend = []
    for number, (name, sweep) in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        real = [point for point in sweep.points if not point.perturbed]
        beyond = [*real[-1:], *(point for point in sweep.points if point.perturbed)]
        for points, dashes in ((real, ""), (beyond, ' stroke-dasharray="5 4"')):
            parts.append(
                f'<polyline points="{" ".join(map(place, points))}" fill="none" '
                f'stroke="{colour}" stroke-width="2"{dashes}/>'
            )
        for point in sweep.points:
            parts.append(_dot(place(point), colour, colour, name, point))
        if sweep.check is not None:
            parts.append(_dot(place(sweep.check), "none", colour, name, sweep.check))
        legend.append(f'<li><b style="background:{colour}"></b>{escape(name)}</li>')
    return (
        f'<svg viewBox="0 0 {_WIDTH_PX} {_HEIGHT_PX}" font-size="11" fill="{_INK}" role="img" '
        f'aria-label="recall at 10 over gallery size">{"".join(parts)}</svg>'
        f'<ul class="legend">{"".join(legend)}</ul>'
    )


def _dot(place: str, fill: str, stroke: str, name: str, point: SweepPoint) -> str:
    left, top = place.split(",")
    told = f"{name}: {point.recall[_FIGURE]:.3f} among {point.items:,} items"
    if point.perturbed:
        told += f", {point.perturbed:,} of them perturbed copies"
    radius = 5 if fill == "none" else 3
    return (
        f'<circle cx="{left}" cy="{top}" r="{radius}" fill="{fill}" stroke="{stroke}">'
        f"<title>{escape(told)}</title></circle>"
    )
