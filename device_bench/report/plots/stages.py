"""Where the time of an invocation goes: the medians of its stages, one bar a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from device_bench.report.plots.marks import (
    AXIS_PX,
    box,
    escape,
    picture,
    tag,
    width_percent,
    words,
    x_axis,
)
from device_bench.report.plots.scale import Scale
from device_bench.report.tables import ms

_BAR_PX = 26
# How many colours page.css tells apart.
_COLOURS = 8
# A stage of cold starts that holds all the others: of it, only the rest is a part of the bar.
_WHOLE = "process"
_REST = "rest of the process"


def plots(report: Mapping[str, Any], scenario: str) -> str:
    """Of the targets that have more than one stage; those of alike stages share an axis."""
    groups: dict[tuple[str, ...], list[tuple[str, Mapping[str, float]]]] = {}
    for target in report["targets"]:
        stages = target["scenarios"][scenario]["stages"]
        if len(stages) > 1:
            parts = _parts({name: each["p50_ms"] for name, each in stages.items()})
            groups.setdefault(tuple(parts), []).append((target["name"], parts))
    return "".join(_group(names, bars) for names, bars in groups.items())


def _parts(medians_ms: Mapping[str, float]) -> dict[str, float]:
    """What a bar is made of, from the left."""
    parts = {name: value for name, value in medians_ms.items() if name != _WHOLE}
    if _WHOLE in medians_ms:
        parts[_REST] = max(0.0, medians_ms[_WHOLE] - sum(parts.values()))
    return parts


def _group(names: Sequence[str], bars: Sequence[tuple[str, Mapping[str, float]]]) -> str:
    scale = Scale.from_zero(1.02 * max(sum(parts.values()) for _, parts in bars))
    legend = "".join(
        tag("li", tag("i", class_=f"swatch part{number % _COLOURS}"), escape(name))
        for number, name in enumerate(names)
    )
    caption = "Medians of the stages; they need not add up to the median of the whole."
    return tag(
        "figure",
        tag("figcaption", caption),
        tag("ul", legend, class_="legend"),
        *(_bar(name, parts, scale) for name, parts in bars),
    )


def _bar(name: str, parts: Mapping[str, float], scale: Scale) -> str:
    marks = x_axis(scale, 0, _BAR_PX + 4, "ms")
    start_ms = 0.0
    for number, (stage, value_ms) in enumerate(parts.items()):
        left, right = scale.percent(start_ms), scale.percent(start_ms + value_ms)
        part = f"part{number % _COLOURS}"
        told = f"{stage}: {ms(value_ms)} ms"
        marks.append(box(left, 2, right - left, _BAR_PX, part, told))
        if right - left > width_percent(stage):
            marks.append(words((left + right) / 2, _BAR_PX / 2 + 6, stage, f"in {part}", "middle"))
        start_ms += value_ms
    said = ", ".join(f"{stage} {ms(value)} ms" for stage, value in parts.items())
    return tag("h4", tag("bdi", escape(name))) + picture(
        _BAR_PX + 4 + AXIS_PX, f"{name}: {said}", marks
    )
