"""What counts as a change, on reports whose noise is known."""

from __future__ import annotations

import json

import numpy as np

from device_bench.compare import compare
from tests.device_bench.pretended import report


def _drawn(level: float, rng: np.random.Generator, processes: int = 8) -> list[float]:
    """Medians of processes that differ by 2%, as those of one model on an idle machine do."""
    return [float(value) for value in level * np.exp(0.02 * rng.standard_normal(processes))]


def test_ten_percent_is_found_and_nothing_is_not() -> None:
    rng = np.random.default_rng(1)
    found = same = 0
    for _ in range(200):
        slowed = compare(report(_drawn(10, rng)), report(_drawn(11, rng)))
        found += slowed.changes[0].verdict == "slower"
        again = compare(report(_drawn(10, rng)), report(_drawn(10, rng)))
        same += again.changes[0].verdict == "no change beyond noise"
    assert found >= 196
    assert same >= 199


def test_many_targets_at_once_do_not_make_one_change_by_chance() -> None:
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(100):
        series = [[_drawn(10, rng) for _ in range(8)] for _ in range(2)]
        alarms += any(
            change.verdict != "no change beyond noise"
            for change in compare(report(*series[0]), report(*series[1]), 0.0).changes
        )
    assert alarms <= 2, "one of 1,000 is what the confidence allows"


def test_a_slower_machine_is_no_slower_model() -> None:
    before = report([10.0, 10.1, 9.9], yardstick_ms=2.0)
    after = report([20.0, 20.2, 19.8], yardstick_ms=4.0)
    change = compare(before, after).changes[0]
    assert change.to_yardstick
    assert change.verdict == "no change beyond noise"
    assert (change.before_ms, change.after_ms) == (10.0, 20.0), "the times are told as they are"
    without = compare(report([10.0, 10.1], yardstick_ms=None), after).changes[0]
    assert without.verdict == "slower", "without a yardstick on both sides nothing can be made even"


def test_faster_is_told_too_and_small_changes_are_not() -> None:
    before, after = report([10.0, 10.01, 9.99]), report([8.0, 8.01, 7.99])
    told = compare(before, after)
    assert told.changes[0].verdict == "faster"
    assert told.headline() == "c0: model is 20% faster (single_stream)"
    slightly = compare(before, report([10.2, 10.21, 10.19]))
    assert slightly.changes[0].verdict == "no change beyond noise", "sure, and less than 3%"
    assert compare(before, report([10.2, 10.21, 10.19]), 0.01).changes[0].verdict == "slower"


def test_one_process_tells_nothing() -> None:
    told = compare(report([10.0]), report([20.0]))
    assert told.changes[0].verdict == "cannot tell"
    assert "--processes" in told.changes[0].why
    assert told.headline() == "nothing can be told"


def test_noise_is_called_noise() -> None:
    change = compare(report([10.0, 20.0, 5.0]), report([12.0, 6.0, 25.0])).changes[0]
    assert change.verdict == "no change beyond noise"
    assert "noisy" in change.why


def test_configurations_are_paired_in_their_order_whatever_their_files_are_called() -> None:
    before, after = report([10.0, 10.1], [30.0, 30.1]), report([10.0, 10.1], [45.0, 45.1])
    for each in (*after["configurations"], *after["targets"]):
        each["name"] = each["name"].replace("c", "new")
    for target in after["targets"]:
        target["configuration"] = target["configuration"].replace("c", "new")
    verdicts = {change.target: change.verdict for change in compare(before, after).changes}
    assert verdicts == {"new0: model": "no change beyond noise", "new1: model": "slower"}


def test_memory_quality_and_circumstances_are_told() -> None:
    before, after = report([10.0, 10.1]), report([10.0, 10.1])
    after["targets"][0]["scenarios"]["single_stream"]["peak_memory_bytes"] = 100_000_000
    before["configurations"][0]["quality"] = {"segmentation": {"iou_mean": 0.91}}
    after["configurations"][0]["quality"] = {"segmentation": {"iou_mean": 0.88}}
    after["environment"] = before["environment"] | {"cpu": "D", "libraries": {"numpy": "3"}}
    told = compare(before, after)
    assert told.others == (
        "c0: model takes 20 MB more at its peak (100 MB, single_stream)",
        "c0: iou_mean is 0.0300 lower (0.9100, now 0.8800)",
    )
    assert told.circumstances == (
        "cpu differs: C, then D",
        "numpy differs: 2, then 3, and with it the yardstick",
    )
    assert json.loads(json.dumps(told.to_dict()))["changes"][0]["ratio"]["ratio"] == 1.0


def test_what_only_one_run_has_is_named() -> None:
    told = compare(report([10.0, 10.1], [1.0, 1.1]), report([10.0, 10.1]))
    assert told.others == ("the later run has no c1: model",)
