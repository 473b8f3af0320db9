"""What became of a target in the course of a sustained run, with the clock and the heat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from device_bench.report.plots.marks import (
    AXIS_PX,
    box,
    dots,
    escape,
    line,
    path,
    picture,
    stretched,
    tag,
    words,
    x_axis,
)
from device_bench.report.plots.scale import Scale
from device_bench.report.tables import ms

# What a slice tells, how high it is drawn, and how much of its greatest value the axis spans at
# least: what moved by less than that should look as if it had stood still.
_LINES = (
    ("p50_ms", "p50, ms", 110.0, 0.2),
    ("frequency_mhz", "clock, MHz", 60.0, 0.2),
    ("temperature_c", "temperature, degrees C", 60.0, 0.2),
)
_TITLE_PX = 22
_MINUTES_FROM_S = 180.0


def plots(report: Mapping[str, Any], scenario: str) -> str:
    """Of every target of a configuration that was watched over time."""
    return "".join(
        _course(target["name"], figures)
        for target in report["targets"]
        if target["configuration"] is not None
        for figures in [target["scenarios"][scenario]]
        if figures["slices"]
    )


def _course(name: str, figures: Mapping[str, Any]) -> str:
    slices = figures["slices"]
    last_s = slices[-1]["until_s"]
    per_unit_s, unit = (60.0, "min") if last_s >= _MINUTES_FROM_S else (1.0, "s")
    ends = [each["until_s"] / per_unit_s for each in slices]
    middles = [(start + end) / 2 for start, end in zip([0.0, *ends], ends, strict=False)]
    scale = Scale.from_zero(ends[-1] * 1.02)
    drift = figures["drift"]
    shown = [tag("h4", tag("bdi", escape(name)))]
    if drift is not None:
        said = f"at its end {drift:.2f} times what it took at its beginning"
        shown.append(tag("p", escape(said), class_="said"))
    shown += [
        _line(name, [each[key] for each in slices], middles, scale, (title, height, span), unit)
        for key, title, height, span in _LINES
        if any(each[key] is not None for each in slices)
    ]
    return tag("figure", *shown)


def _line(
    name: str,
    values: Sequence[float | None],
    middles: Sequence[float],
    across: Scale,
    form: tuple[str, float, float],
    unit: str,
) -> str:
    title, height, least_span = form
    known = [value for value in values if value is not None]
    up = Scale.over(known, least_span, linear=True)
    bottom = _TITLE_PX + height

    def y_px(value: float) -> float:
        return bottom - up.percent(value) / 100 * height

    marks = [box(0, _TITLE_PX, 100, height, "ground"), *x_axis(across, _TITLE_PX, bottom, unit)]
    for tick in up.ticks():
        marks.append(line(0, y_px(tick), 100, y_px(tick), "grid"))
        marks.append(words(0.5, y_px(tick) - 3, f"{tick:g}", "tick", "start"))
    commands, places = [], []
    pen = "M"
    for middle, value in zip(middles, values, strict=True):
        if value is None:
            pen = "M"
            continue
        places.append((across.percent(middle), y_px(value)))
        commands.append(f"{pen}{places[-1][0]:.2f} {places[-1][1]:.1f}")
        pen = "L"
    drawn = (path("".join(commands), "course"), dots(places, "dot even large"))
    marks.append(stretched(bottom + AXIS_PX, *drawn))
    marks.append(words(0.5, _TITLE_PX - 10, title, "percentile", "start"))
    said = f"{name}: {title}, from {ms(known[0])} to {ms(known[-1])}"
    return picture(bottom + AXIS_PX, said, marks)
