"""A profile's tables, as columns and rows of text and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Table = tuple[list[str], list[list[str]]]


def summary_lines(document: Mapping[str, Any]) -> list[str]:
    """What was measured, and how far the parts account for the whole."""
    model, told = document["model"], document["environment"]
    network = f", its {model['network']}" if model["network"] else ""
    delegate = "XNNPACK" if model["xnnpack"] else "without XNNPACK"
    whole = document["whole"]
    clock = "CPU time" if document["clock"] == "cpu" else "wall-clock time"
    return [
        f"{model['source']}{network}: {model['runtime']} ({delegate}), threads: {told['threads']}, "
        f"{told['cpu'] or told['machine']}",
        f"the whole: {_with_interval(whole['ms'], whole['interval_ms'])} ms; accounted for: "
        f"{document['accounted_for']:.1%} by its operators one by one, "
        f"{document['blocks_accounted_for']:.1%} by its blocks one by one; "
        f"{document['rounds']} rounds, {clock}",
    ]


def block_table(document: Mapping[str, Any]) -> Table:
    """The blocks, in the model's order."""
    columns = ["block", "operators", "ms", "as one part ms", "share", "MMAC", "GMAC/s"]
    rows = [
        [
            block["name"],
            str(len(block["operators"])),
            _ms(block["ms"]),
            _with_interval(block["alone_ms"], block["interval_ms"]),
            *_shares(block),
        ]
        for block in document["blocks"]
    ]
    return columns, rows


def type_table(document: Mapping[str, Any]) -> Table:
    """The operator types, the longest first."""
    columns = ["operator type", "operators", "ms", "share", "MMAC", "GMAC/s"]
    rows = [
        [group["type"], str(group["count"]), _ms(group["ms"]), *_shares(group)]
        for group in document["types"]
    ]
    return columns, rows


def operator_table(document: Mapping[str, Any], most: int | None) -> Table:
    """The operators: the ``most`` longest first, or all in the model's order for None."""
    columns = [
        "#", "operator", "block", "input", "output", "delegate", "ms", "share", "MMAC", "GMAC/s",
    ]  # fmt: skip
    chosen: Sequence[Mapping[str, Any]] = document["operators"]
    if most is not None:
        timed = [one for one in chosen if one["ms"] is not None]
        chosen = sorted(timed, key=lambda one: -float(one["ms"]))[:most]
    rows = [
        [
            str(one["index"]),
            one["type"],
            one["block"] or "-",
            " + ".join(_shape(shape) for shape in one["inputs"]) or "constants",
            " + ".join(_shape(shape) for shape in one["outputs"]),
            "-" if one["partition"] is None else f"yes ({one['partition']})",
            _operator_ms(one, document["empty_ms"]),
            *_shares(one),
        ]
        for one in chosen
    ]
    return columns, rows


def _operator_ms(one: Mapping[str, Any], empty_ms: float) -> str:
    if one["ms"] is None:
        return "-"
    if one["below_resolution"]:
        return f"< {_ms(empty_ms)}"
    return _with_interval(one["ms"], one["interval_ms"])


def _shares(one: Mapping[str, Any]) -> list[str]:
    share = "-" if one["share"] is None else f"{one['share']:.1%}"
    macs = "-" if one["macs"] is None else f"{one['macs'] / 1e6:.1f}"
    rate = "-" if one["gmacs_per_s"] is None else f"{one['gmacs_per_s']:.1f}"
    return [share, macs, rate]


def _shape(shape: Sequence[int]) -> str:
    """Without a batch of one."""
    return "x".join(str(size) for size in (shape[1:] if shape[:1] == [1] else shape)) or "scalar"


def _with_interval(ms: float, interval_ms: Sequence[float] | None) -> str:
    if interval_ms is None:
        return _ms(ms)
    return f"{_ms(ms)} ({_ms(interval_ms[0])}-{_ms(interval_ms[1])})"


def _ms(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}"
