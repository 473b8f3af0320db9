"""Draws a profile: a bar for each block, its operator types told apart by colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from device_bench import svg

# A phone shows 360 to 430 CSS pixels: at that width one unit is about one of them.
WIDTH = 400.0
_MARGIN, _ROW, _BAR = 10.0, 34.0, 12.0
_HEAD, _LEGEND_ROW, _AXIS = 44.0, 18.0, 26.0
_LEGEND_COLUMNS = 2
# Operator types that take less are drawn as one.
_LEAST_SHARE = 0.005


def draw(document: Mapping[str, Any]) -> str:
    """The picture of ``report.profile``'s document, as SVG.

    Each block's name and figures stand above its bar, so that both have the picture's whole width.
    """
    colours = _colours(document)
    rows = -(-len(colours) // _LEGEND_COLUMNS)
    top = _HEAD + rows * _LEGEND_ROW + 8
    blocks = document["blocks"]
    height = top + len(blocks) * _ROW + _AXIS
    length = WIDTH - 2 * _MARGIN
    longest_ms = max((block["ms"] for block in blocks), default=0.0) or 1.0
    model, bottom = document["model"], height - _AXIS
    name = model["source"].replace("\\", "/").rsplit("/", 1)[-1]
    title = f"{name}, {model['network']}" if model["network"] else name
    pieces = [
        svg.text(_MARGIN, 18, title, bold=True),
        svg.text(
            _MARGIN,
            36,
            f"{document['whole']['ms']:.3g} ms, {document['accounted_for']:.0%} accounted for, "
            f"threads: {document['environment']['threads']}",
        ),
    ]
    for place, (kind, colour) in enumerate(colours.items()):
        x = _MARGIN + place % _LEGEND_COLUMNS * length / _LEGEND_COLUMNS
        y = _HEAD + place // _LEGEND_COLUMNS * _LEGEND_ROW
        pieces += [svg.bar(x, y, 11, 11, colour, kind), svg.text(x + 16, y + 10, kind)]
    for value in svg.ticks(longest_ms):
        x = _MARGIN + value / longest_ms * length
        anchor = "start" if value == 0 else "end" if value > 0.95 * longest_ms else "middle"
        pieces.append(svg.line(x, top, x, bottom))
        pieces.append(svg.text(x, bottom + 16, f"{value:g} ms" if value else "0", anchor))
    for place, block in enumerate(blocks):
        y = top + place * _ROW
        pieces.append(svg.text(_MARGIN, y + 13, block["name"]))
        pieces.append(
            svg.text(WIDTH - _MARGIN, y + 13, f"{block['ms']:.3g} ms  {block['share']:.1%}", "end")
        )
        x = _MARGIN
        for kind, ms in _segments(block, colours):
            width = ms / longest_ms * length
            told = f"{block['name']}: {kind} {ms:.3g} ms"
            pieces.append(svg.bar(x, y + 17, width, _BAR, colours[kind], told))
            x += width
    return svg.document(WIDTH, height, f"Where the milliseconds of {title} go", pieces)


def _colours(document: Mapping[str, Any]) -> dict[str, str]:
    """A colour for each operator type, the longest first; the small ones share the last."""
    kinds = [one["type"] for one in document["types"] if one["share"] >= _LEAST_SHARE]
    told = kinds[: len(svg.COLOURS) - 1]
    colours = dict(zip(told, svg.COLOURS, strict=False))
    if len(told) < len(document["types"]):
        colours["other"] = svg.COLOURS[-1]
    return colours


def _segments(block: Mapping[str, Any], colours: Mapping[str, str]) -> list[tuple[str, float]]:
    sums: dict[str, float] = {}
    for kind, ms in block["types"].items():
        key = kind if kind in colours else "other"
        sums[key] = sums.get(key, 0.0) + ms
    return [(kind, sums[kind]) for kind in colours if kind in sums]
