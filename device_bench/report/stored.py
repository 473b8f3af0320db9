"""Reports that were kept: read back and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from device_bench.report.document import FORMAT_VERSION, KIND
from edgeseg import limits
from edgeseg.errors import FormatError, UnsupportedFormatVersionError
from edgeseg.files import read_bounded, shown_path

_NUMBER = (int, float)
# What the readers of a report rely on, and of which type it is; a ``?`` may be null or missing.
_REPORT = {
    "environment": dict, "afterwards": dict, "scenarios": dict, "configurations": list,
    "targets": list, "notes": list, "harness_overhead_ms?": dict,
}  # fmt: skip
_ENVIRONMENT = {"libraries?": dict, "governors?": list, "interpreters?": list}
_CONFIGURATION = {"name": str, "quality": dict}
_TARGET = {
    "name": str, "kind": str, "role": str, "configuration?": str, "scenarios": dict, "facts": dict,
}  # fmt: skip
_FIGURES = {
    "samples": int, "p50_ms": _NUMBER, "p90_ms?": _NUMBER, "p99_ms?": _NUMBER, "max_ms": _NUMBER,
    "load_ms": _NUMBER, "peak_memory_bytes": int, "steady_memory_bytes?": int, "energy_j?": _NUMBER,
    "drift?": _NUMBER, "resolution?": _NUMBER, "ratio_to_first?": _NUMBER, "baseline?": dict,
    "slices": list, "stages": dict, "processes": list,
}  # fmt: skip
_PROCESS = {"samples_ms": list, "yardstick_ms?": list}
_QUALITIES = ("iou_mean", "recall_at_1", "recall_at_5", "recall_at_10")


def read_report(path: Path) -> dict[str, Any]:
    """Read a report that ``edgeseg bench run --out`` kept.

    Raises:
        FormatError: It is no such report, or a damaged one.
        UnsupportedFormatVersionError: Another edgeseg made it.
        EdgesegError: It cannot be read.
    """
    data = read_bounded(path, limits.MAX_BENCH_REPORT_BYTES, "bench report")
    try:
        report = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{shown_path(path)} is no bench report: it is not JSON") from error
    if not isinstance(report, dict) or report.get("kind") != KIND:
        raise FormatError(
            f"{shown_path(path)} is no bench report (`edgeseg bench --out` makes one)"
        )
    version = report.get("format_version")
    if version != FORMAT_VERSION:
        raise UnsupportedFormatVersionError(
            f"{shown_path(path)} has format_version {version}, and this edgeseg reads "
            f"{FORMAT_VERSION}: measure again"
        )
    try:
        _check(report)
    except FormatError as error:
        raise FormatError(f"{shown_path(path)} is a damaged bench report: {error}") from error
    return report


def _check(report: Mapping[str, Any]) -> None:
    _require(report, _REPORT, "the report")
    _require(report["environment"], _ENVIRONMENT, "the environment")
    names = [_configuration(each) for each in report["configurations"]]
    for scenario in report["scenarios"].values():
        _require(scenario, {"timed": str}, "a scenario")
    for target in report["targets"]:
        _require(target, _TARGET, "a target")
        if target.get("configuration") not in (*names, None):
            raise FormatError(f"{target['name']} is of no configuration")
        if set(target["scenarios"]) != set(report["scenarios"]):
            raise FormatError(f"{target['name']} lacks a scenario")
        for figures in target["scenarios"].values():
            _figures(figures, target["name"])


def _configuration(value: Any) -> str:
    _require(value, _CONFIGURATION, "a configuration")
    for figures in value["quality"].values():
        _require(figures, {"intervals?": dict}, "a configuration's quality")
        for key in _QUALITIES:
            _require(figures, {f"{key}?": _NUMBER}, "a configuration's quality")
            _interval(figures.get(f"{key}_interval"), key)
            _interval((figures.get("intervals") or {}).get(key), key)
    return str(value["name"])


def _figures(value: Any, where: str) -> None:
    _require(value, _FIGURES, where)
    for percentile in ("p50", "p90", "p99"):
        _interval(value.get(f"{percentile}_interval_ms"), where)
    baseline = value.get("baseline")
    if baseline is not None:
        _require(baseline, {"samples": int, "p50_ms": _NUMBER, "max_ms": _NUMBER}, where)
        _times(baseline.get("samples_ms"), where)
    if not value["processes"]:
        raise FormatError(f"{where} has no process")
    for process in value["processes"]:
        _require(process, _PROCESS, where)
        _times(process["samples_ms"], where)
        _require(process, {"warm_up_ms?": list}, where)
        if process.get("warm_up_ms"):
            _times(process["warm_up_ms"], where)
        beside = process.get("yardstick_ms")
        if beside is not None:
            _times(beside, where)
            if len(beside) != len(process["samples_ms"]) or 0 in beside:
                raise FormatError(f"{where} has no proper yardstick")


def _times(value: Any, where: str) -> None:
    proper = isinstance(value, list) and value
    if not proper or not all(isinstance(time, _NUMBER) and time >= 0 for time in value):
        raise FormatError(f"{where} has no proper samples")


def _interval(value: Any, where: str) -> None:
    ends = value if isinstance(value, list) else ()
    if value is not None and [isinstance(end, _NUMBER) for end in ends] != [True, True]:
        raise FormatError(f"{where} has no proper interval")


def _require(value: Any, fields: Mapping[str, Any], where: str) -> None:
    if not isinstance(value, dict):
        raise FormatError(f"{where} is not an object")
    for field, kind in fields.items():
        name = field.rstrip("?")
        given = value.get(name)
        if given is None and field.endswith("?"):
            continue
        if not isinstance(given, kind):
            raise FormatError(f"{where} has no proper {name!r}")
