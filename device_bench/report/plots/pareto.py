"""Quality against time: which configurations no other one beats in both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from device_bench.report.plots.marks import (
    AXIS_PX,
    PHONE_PX,
    dots,
    escape,
    line,
    path,
    picture,
    stretched,
    tag,
    width_percent,
    words,
    x_axis,
)
from device_bench.report.plots.scale import Scale
from device_bench.report.tables import most_complete, ms, telling_scenario

_HEIGHT_PX = 240.0
_TITLE_PX = 24
_LABEL_PX = 14.0
# From a point's middle to its label.
_APART_PX = 8.0
_LONGEST_NAME = 16
_MOST_NAMES = 6
#: Left, top, right and bottom in pixels of a phone.
_Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """A configuration.

    Attributes:
        name: Its own.
        time_ms: The median of its most complete target.
        time_interval_ms: Where it lies; None where the samples are too few.
        quality: 0 to 1, more is better.
        quality_interval: Where it lies; None where it is not known.
    """

    name: str
    time_ms: float
    time_interval_ms: Sequence[float] | None
    quality: float
    quality_interval: Sequence[float] | None


def plots(report: Mapping[str, Any]) -> str:
    """IoU against time and recall@10 against time, each where two configurations have it."""
    shown = ""
    for title, scored, figure, intervals in (
        ("IoU", "segmentation", "iou_mean", None),
        ("recall@10", "match", "recall_at_10", "intervals"),
    ):
        points = list(_points(report, scored, figure, intervals))
        if len(points) > 1:
            shown += _plot(title, points)
    return shown


def front(points: Sequence[Point]) -> list[Point]:
    """Those that no other beats in time or quality without losing in the other; fastest first."""
    found: list[Point] = []
    for point in sorted(points, key=lambda each: (each.time_ms, -each.quality)):
        if not found or point.quality > found[-1].quality:
            found.append(point)
    return found


def _points(
    report: Mapping[str, Any], scored: str, figure: str, intervals: str | None
) -> Iterator[Point]:
    for each in report["configurations"]:
        quality = each["quality"].get(scored, {})
        target = most_complete(report, each["name"])
        if quality.get(figure) is None or target is None:
            continue
        figures = target["scenarios"][telling_scenario(report)]
        between = (
            quality.get(f"{figure}_interval")
            if intervals is None
            else quality.get(intervals, {}).get(figure)
        )
        yield Point(
            each["name"], figures["p50_ms"], figures["p50_interval_ms"], quality[figure], between
        )


def _plot(title: str, points: Sequence[Point]) -> str:
    across = Scale.over(
        end for point in points for end in (point.time_ms, *(point.time_interval_ms or ()))
    )
    up = Scale.over(
        (end for point in points for end in (point.quality, *(point.quality_interval or ()))),
        linear=True,
    )
    bottom = _TITLE_PX + _HEIGHT_PX

    def place(time_ms: float, quality: float) -> tuple[float, float]:
        return across.percent(time_ms), bottom - up.percent(quality) / 100 * _HEIGHT_PX

    marks = x_axis(across, _TITLE_PX, bottom, "ms")
    for value in up.ticks():
        y_px = place(across.low, value)[1]
        marks.append(line(0, y_px, 100, y_px, "grid"))
        marks.append(words(0.5, y_px - 3, f"{value:g}", "tick", "start"))
    best = front(points)
    places = [place(point.time_ms, point.quality) for point in points]
    drawn = [_steps([place(point.time_ms, point.quality) for point in best], bottom)]
    for kind, shown in (("even", True), ("beaten", False)):
        chosen = (at for point, at in zip(points, places, strict=True) if (point in best) == shown)
        drawn.append(dots(chosen, f"dot huge {kind}"))
    for point in points:
        if point.time_interval_ms is not None:
            ends = [place(time_ms, point.quality) for time_ms in point.time_interval_ms]
            marks.append(line(*ends[0], *ends[1], "whisker"))
        if point.quality_interval is not None:
            ends = [place(point.time_ms, quality) for quality in point.quality_interval]
            marks.append(line(*ends[0], *ends[1], "whisker"))
    marks.append(stretched(bottom + AXIS_PX, *drawn))
    marks += _labels([point.name for point in points], places)
    marks.append(words(0.5, _TITLE_PX - 11, title, "percentile", "start"))
    caption = (
        f"{title} against the time of the most complete target, each with its 95% interval. The "
        "line is drawn through the configurations that no other one beats in both."
    )
    listed = "".join(tag("li", _described(point, title, point in best)) for point in points)
    said = f"{title} against milliseconds, of {len(points)} configurations; the list below has all"
    return tag(
        "figure",
        tag("figcaption", escape(caption)),
        picture(bottom + AXIS_PX, said, marks),
        tag("ol", listed, class_="points"),
    )


def _steps(best: Sequence[tuple[float, float]], bottom_px: float) -> str:
    """What is beaten lies below and to the right of it."""
    corners = [(best[0][0], bottom_px)]
    for x, y in best:
        corners += [(x, corners[-1][1]), (x, y)]
    corners.append((100.0, best[-1][1]))
    return path("M" + "L".join(f"{x:.2f} {y:.1f}" for x, y in corners), "front")


def _described(point: Point, title: str, best: bool) -> str:
    told = f"{ms(point.time_ms)} ms, {title} {point.quality:.3f}"
    return tag("bdi", escape(point.name)) + escape(f": {told}{', beaten by none' * best}")


def _labels(names: Sequence[str], places: Sequence[tuple[float, float]]) -> list[str]:
    """The points' names, or their numbers in the list where the names would not be legible."""
    numbers = [str(number) for number in range(1, len(names) + 1)]
    if len(names) <= _MOST_NAMES and max(map(len, names)) <= _LONGEST_NAME:
        found = _placed(names, places)
        if found is not None:
            return found
    return _placed(numbers, places) or []


def _placed(texts: Sequence[str], places: Sequence[tuple[float, float]]) -> list[str] | None:
    """Each beside its point, in no other's way; None where a name has no room.

    A number that has no room anywhere is left out: its point has the same place as others.
    """
    points = [(x * PHONE_PX / 100, y) for x, y in places]
    taken: list[_Box] = [(x - 4, y - 4, x + 4, y + 4) for x, y in points]
    marks = []
    for text, (x, y), (x_percent, _) in zip(texts, points, places, strict=True):
        wide = width_percent(text) * PHONE_PX / 100
        for anchor, left, baseline in (
            ("middle", x - wide / 2, y - _APART_PX),
            ("start", x + _APART_PX, y + 4),
            ("end", x - _APART_PX - wide, y + 4),
            ("middle", x - wide / 2, y + _APART_PX + 10),
        ):
            box = (left, baseline - _LABEL_PX + 3, left + wide, baseline + 3)
            inside = left >= 0 and left + wide <= PHONE_PX
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                shift = {"start": _APART_PX, "end": -_APART_PX, "middle": 0.0}[anchor]
                marks.append(words(x_percent, baseline, text, "name", anchor, shift))
                break
        else:
            if not text.isdigit():
                return None
    return marks


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
