"""Every sample of a target: how long it took, and in which process it was taken when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any

from device_bench.report.plots.marks import (
    AXIS_PX,
    box,
    dots,
    escape,
    in_rows,
    line,
    picture,
    stretched,
    tag,
    words,
    x_axis,
)
from device_bench.report.plots.scale import Scale
from device_bench.report.tables import ms

LEGEND = (
    "Each dot is one sample, from top to bottom in the order taken; grey dots are warm-up, which "
    "no figure counts. Shades tell processes apart, and a short bar is the median of one. The "
    "upright band is where the median of all lies with 95% confidence. Targets of one kind share "
    "an axis."
)
_LABEL_ROW_PX = 14
_SAMPLE_PX = 1.4
_LEAST_PX, _MOST_PX = 40.0, 150.0


@dataclass(frozen=True)
class Series:
    """What one strip shows.

    Attributes:
        name: Of the target, and of the circumstances where it is shown twice.
        figures: Its summary, as the document has it.
        processes: Of each, times of its warm-up and of its samples in milliseconds.
    """

    name: str
    figures: Mapping[str, Any]
    processes: Sequence[tuple[Sequence[float], Sequence[float]]]

    def times_ms(self) -> Iterator[float]:
        """All that is drawn."""
        for warm_up_ms, samples_ms in self.processes:
            yield from warm_up_ms
            yield from samples_ms


def plots(report: Mapping[str, Any], scenario: str) -> str:
    """Of every target of a scenario; targets of one kind follow each other on equal axes."""
    groups: dict[str, list[Series]] = {}
    for target in report["targets"]:
        # A bare model is a segmenter for all that is known, and an embedder compares with its like.
        kind = "embedder" if target["role"] == "embedder" else target["kind"]
        groups.setdefault(kind, []).extend(_series(target, scenario))
    return "".join(_group(series) for series in groups.values())


def _series(target: Mapping[str, Any], scenario: str) -> Iterator[Series]:
    figures = target["scenarios"][scenario]
    name, baseline = target["name"], figures["baseline"]
    processes = [(each["warm_up_ms"], each["samples_ms"]) for each in figures["processes"]]
    if baseline is not None:
        # Warm-up comes before the baseline, which one process takes before the samples.
        warm_up_ms = [time for each, _ in processes for time in each]
        yield Series(f"{name}, before", baseline, [(warm_up_ms, baseline["samples_ms"])])
        name = f"{name}, under {scenario}"
        processes = [([], samples_ms) for _, samples_ms in processes]
    yield Series(name, figures, processes)


def _group(group: Sequence[Series]) -> str:
    scale = Scale.over(time for series in group for time in series.times_ms())
    return tag("figure", *(_strip(series, scale) for series in group))


def _strip(series: Series, scale: Scale) -> str:
    labels = [
        (p, series.figures[f"p{p}_ms"])
        for p in (50, 90, 99)
        if series.figures[f"p{p}_ms"] is not None
    ]
    rows = in_rows([(scale.percent(value), f"p{p}") for p, value in labels])
    top = _LABEL_ROW_PX * (1 + max(rows)) + 2
    slots = sum(len(warm_up) + len(samples) for warm_up, samples in series.processes)
    height = min(max(slots * _SAMPLE_PX, _LEAST_PX), _MOST_PX)
    bottom = top + height
    marks = [*_bands(series, top, height / slots), *x_axis(scale, top, bottom, "ms")]
    interval = series.figures["p50_interval_ms"]
    if interval is not None:
        low, high = map(scale.percent, interval)
        told = f"the median's 95% interval: {ms(interval[0])} to {ms(interval[1])} ms"
        marks.append(box(low, top, high - low, height, "interval", told))
    marks += _dots(series, scale, top, height / slots, bottom + AXIS_PX)
    for (p, value), row in zip(labels, rows, strict=True):
        at, over = scale.percent(value), (row + 1) * _LABEL_ROW_PX
        marks.append(line(at, over + 2, at, bottom, f"p{p}", f"p{p}: {ms(value)} ms"))
        marks.append(words(at, over - 2, f"p{p}", "percentile"))
    said = _said(series)
    axis = "; logarithmic axis" if scale.logarithmic else ""
    return tag("h4", tag("bdi", escape(series.name))) + (
        tag("p", escape(said + axis), class_="said")
        + picture(bottom + AXIS_PX, f"{series.name}: {said}", marks)
    )


def _bands(series: Series, top: float, slot_px: float) -> Iterator[str]:
    """A tinted ground under every other process."""
    start = 0
    for number, (warm_up, samples) in enumerate(series.processes):
        count = len(warm_up) + len(samples)
        if number % 2:
            yield box(0, top + start * slot_px, 100, count * slot_px, "ground")
        start += count


def _dots(series: Series, scale: Scale, top: float, slot_px: float, height: float) -> Iterator[str]:
    """Warm-up, samples in two shades by process, and each process's median."""
    places: dict[str, list[tuple[float, float]]] = {"warm-up": [], "even": [], "odd": []}
    medians = []
    slot = 0
    for number, (warm_up_ms, samples_ms) in enumerate(series.processes):
        shade = ("even", "odd")[number % 2]
        for kind, times_ms in (("warm-up", warm_up_ms), (shade, samples_ms)):
            for time_ms in times_ms:
                places[kind].append((scale.percent(time_ms), top + (slot + 0.5) * slot_px))
                slot += 1
        if len(series.processes) > 1 and len(samples_ms) > 1:
            middle_ms = median_low(samples_ms)
            at, end = scale.percent(middle_ms), top + slot * slot_px
            told = f"process {number + 1}: median {ms(middle_ms)} ms of {len(samples_ms)} samples"
            start = end - len(samples_ms) * slot_px
            medians.append(line(at, start, at, end, "process", told))
    yield stretched(height, *(dots(where, f"dot {kind}") for kind, where in places.items()))
    yield from medians


def _said(series: Series) -> str:
    figures = series.figures
    samples = figures["samples"]
    processes = len(series.processes)
    interval = figures["p50_interval_ms"]
    between = f" ({ms(interval[0])}-{ms(interval[1])})" if interval is not None else ""
    told = [
        f"p50 {ms(figures['p50_ms'])}{between} ms",
        *(f"p{p} {ms(figures[f'p{p}_ms'])}" for p in (90, 99)),
        f"max {ms(figures['max_ms'])}",
        f"{samples} sample{'s' * (samples > 1)}"
        + (f" in {processes} processes" if processes > 1 else ""),
    ]
    warm_up = sum(len(each) for each, _ in series.processes)
    return ", ".join([*told, *([f"and {warm_up} of warm-up"] if warm_up else [])])
