"""Whether a report's figures are good enough to ship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgeseg.errors import FormatError

# Where a figure stands in a report, and in which unit it is asked for.
_TIMES = ("p50_ms", "p90_ms", "p99_ms")
_QUALITIES = {
    "iou": ("segmentation", "iou_mean"),
    "recall_at_1": ("match", "recall_at_1"),
    "recall_at_5": ("match", "recall_at_5"),
    "recall_at_10": ("match", "recall_at_10"),
}
#: What can be bounded from above, and from below.
MAXIMA = (*_TIMES, "load_ms", "peak_mb", "steady_mb", "energy_mj", "drift")
MINIMA = tuple(_QUALITIES)


@dataclass(frozen=True)
class Bar:
    """A bound.

    Attributes:
        figure: Of ``MAXIMA`` or ``MINIMA``.
        value: The bound itself still holds.
    """

    figure: str
    value: float

    @property
    def upper(self) -> bool:
        """Whether it bounds from above."""
        return self.figure in MAXIMA


@dataclass(frozen=True)
class Held:
    """A bound and what became of it.

    Attributes:
        of: The target or configuration.
        bar: The bound.
        value: The figure; None where it was not measured.
        interval: Where it lies with 95% confidence; None where that is not known.
        status: ``held``, ``short``, or ``not measured``, which is as bad.
        near: Whether the interval reaches to the other side of the bound.
    """

    of: str
    bar: Bar
    value: float | None
    interval: tuple[float, float] | None
    status: Literal["held", "short", "not measured"]
    near: bool


def judge(
    report: Mapping[str, Any],
    bars: Sequence[Bar],
    kind: str,
    scenario: str | None = None,
    sure: bool = False,
) -> list[Held]:
    """Hold a report against bounds; every configuration must hold every one.

    Args:
        report: See ``report.stored.read_report``.
        bars: One or more.
        kind: Of the targets whose times and memory count, or their role: "match", "segmenter".
        scenario: Whose figures count; None takes ``single_stream``, or the only one there is.
        sure: Judge times and quality by the worse end of their interval, and take one without an
            interval for not measured. Memory, energy and drift have none.

    Raises:
        FormatError: The report has no such scenario.
        ValueError: No bounds, or one on no known figure.
    """
    if not bars:
        raise ValueError("a gate needs a bound")
    for bar in bars:
        if bar.figure not in (*MAXIMA, *MINIMA):
            raise ValueError(f"no such figure: {bar.figure}")
    held = []
    if any(bar.upper for bar in bars):
        chosen = _scenario(report, scenario)
        targets = [
            target
            for target in report["targets"]
            if target.get("configuration") and kind in (target["kind"], target["role"])
        ]
        for bar in (bar for bar in bars if bar.upper):
            if not targets:
                held.append(Held(kind, bar, None, None, "not measured", near=False))
            for target in targets:
                value, interval = _figure(target["scenarios"][chosen], bar.figure)
                held.append(_judged(target["name"], bar, value, interval, sure))
    for bar in (bar for bar in bars if not bar.upper):
        for configuration in report["configurations"]:
            value, interval = _quality(configuration, bar.figure)
            held.append(_judged(configuration["name"], bar, value, interval, sure))
    return held


def _scenario(report: Mapping[str, Any], asked: str | None) -> str:
    known = list(report["scenarios"])
    if asked is None:
        asked = "single_stream" if "single_stream" in known else known[-1] if known else ""
    if asked not in known:
        raise FormatError(f"the report has no scenario {asked!r}; there are: {', '.join(known)}")
    return asked


def _figure(
    figures: Mapping[str, Any], name: str
) -> tuple[float | None, tuple[float, float] | None]:
    if name in _TIMES:
        interval = figures.get(f"{name[: -len('_ms')]}_interval_ms")
        return figures.get(name), None if interval is None else (interval[0], interval[1])
    key, scale = {
        "peak_mb": ("peak_memory_bytes", 1e-6),
        "steady_mb": ("steady_memory_bytes", 1e-6),
        "energy_mj": ("energy_j", 1e3),
    }.get(name, (name, 1.0))
    value = figures.get(key)
    return None if value is None else value * scale, None


def _quality(
    configuration: Mapping[str, Any], name: str
) -> tuple[float | None, tuple[float, float] | None]:
    part, key = _QUALITIES[name]
    figures = configuration["quality"].get(part, {})
    interval = figures.get(f"{key}_interval") or figures.get("intervals", {}).get(key)
    return figures.get(key), None if interval is None else (interval[0], interval[1])


def _judged(
    of: str,
    bar: Bar,
    value: float | None,
    interval: tuple[float, float] | None,
    sure: bool,
) -> Held:
    sure = sure and bar.figure in (*_TIMES, *MINIMA)
    if value is None or (sure and interval is None):
        return Held(of, bar, value, interval, "not measured", near=False)
    near = interval is not None and interval[0] <= bar.value <= interval[1]
    decisive = value
    if sure and interval is not None:
        decisive = interval[1] if bar.upper else interval[0]
    fine = decisive <= bar.value if bar.upper else decisive >= bar.value
    return Held(of, bar, value, interval, "held" if fine else "short", near)
