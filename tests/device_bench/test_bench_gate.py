"""Bounds that hold, are short, or were never measured."""

from __future__ import annotations

from typing import Any

import pytest

from device_bench.gate import MAXIMA, MINIMA, Bar, judge
from edgeseg.errors import FormatError
from tests.device_bench.pretended import report


def _report() -> dict[str, Any]:
    made = report([10.0, 10.1])
    made["configurations"][0]["quality"] = {
        "segmentation": {"iou_mean": 0.91, "iou_mean_interval": [0.89, 0.93]},
        "match": {"recall_at_10": 0.6, "intervals": {"recall_at_10": [0.5, 0.7]}},
    }
    return made


@pytest.mark.parametrize(
    ("figure", "bound", "status", "near"),
    [
        ("p50_ms", 10.0, "held", True),
        ("p50_ms", 9.99, "short", True),
        ("p50_ms", 12.0, "held", False),
        ("p90_ms", 12.0, "held", False),
        ("p99_ms", 99.0, "not measured", False),
        ("peak_mb", 80.0, "held", False),
        ("peak_mb", 79.9, "short", False),
        ("steady_mb", 70.0, "held", False),
        ("load_ms", 4.0, "short", False),
        ("energy_mj", 1.0, "not measured", False),
        ("drift", 1.1, "not measured", False),
        ("iou", 0.9, "held", True),
        ("iou", 0.92, "short", True),
        ("iou", 0.95, "short", False),
        ("recall_at_10", 0.6, "held", True),
        ("recall_at_1", 0.1, "not measured", False),
    ],
)
def test_bounds(figure: str, bound: float, status: str, near: bool) -> None:
    (held,) = judge(_report(), [Bar(figure, bound)], "model")
    assert (held.status, held.near) == (status, near)


def test_to_be_sure_the_worse_end_of_the_interval_has_to_hold() -> None:
    bars = [
        Bar("p50_ms", 10.5), Bar("p50_ms", 11.0), Bar("p90_ms", 50.0), Bar("iou", 0.9),
        Bar("iou", 0.89), Bar("peak_mb", 80.0),
    ]  # fmt: skip
    held = judge(_report(), bars, "segmenter", sure=True)
    assert sorted((each.bar.figure, each.bar.value, each.status) for each in held) == [
        ("iou", 0.89, "held"),
        ("iou", 0.9, "short"),
        ("p50_ms", 10.5, "short"),
        ("p50_ms", 11.0, "held"),
        ("p90_ms", 50.0, "not measured"),
        ("peak_mb", 80.0, "held"),
    ]


def test_every_configuration_must_hold() -> None:
    held = judge(report([10.0, 10.1], [99.0, 99.1]), [Bar("p50_ms", 50.0)], "model")
    assert [(each.of, each.status) for each in held] == [
        ("c0: model", "held"),
        ("c1: model", "short"),
    ]


def test_a_target_that_is_not_there_was_not_measured() -> None:
    (held,) = judge(_report(), [Bar("p50_ms", 50.0)], "match")
    assert (held.of, held.status) == ("match", "not measured")


def test_a_scenario_that_is_not_there_is_named() -> None:
    with pytest.raises(FormatError, match=r"no scenario 'sustained'; there are: single_stream"):
        judge(_report(), [Bar("p50_ms", 50.0)], "model", "sustained")


def test_callers_mistakes() -> None:
    with pytest.raises(ValueError, match="needs a bound"):
        judge(_report(), [], "model")
    with pytest.raises(ValueError, match="no such figure: speed"):
        judge(_report(), [Bar("speed", 1.0)], "model")
    assert not set(MAXIMA) & set(MINIMA)
