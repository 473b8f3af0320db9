"""What a profile says: measured in a child process, reduced to a JSON document and to tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from device_bench import environment
from device_bench.profile.child import answers
from device_bench.stats import interval_ranks

FORMAT_VERSION = 1
#: Wraps the rounds, given their number and a label, to show how far the profile is.
Progress = Callable[[Iterable[int], int, str], Iterable[int]]
# Beyond this the parts are not what the whole is made of, and a reader must know.
WORST_ACCOUNT = 0.15


def profile(
    path: Path, network: str | None, threads: int, rounds: int, progress: Progress
) -> dict[str, Any]:
    """Measure where the time of one invocation of a model goes.

    Args:
        path: A ``.tflite`` file or a bundle.
        network: ``None`` for a bare model; which network of a bundle: "segmenter" or "embedder".
        threads: Threads of the interpreter.
        rounds: How often the whole and each part is timed, in turns.
        progress: Shows how far it is.

    Returns:
        JSON values. Times are milliseconds: a median, and in ``interval_ms`` where it lies with
        95%, or None where the rounds are too few. A part's is less ``empty_ms``, and relative to
        the whole of the same round, see ``_Rounds``.

        - ``format_version``; ``environment`` with ``threads``; ``model``: ``source``, ``network``,
          ``model_bytes``, ``runtime``, ``xnnpack``; ``rounds``;
          ``clock``: ``cpu``, the time that the one thread ran, or ``wall``;
        - ``whole``: ``ms``, ``interval_ms`` of the model as it is;
        - ``empty_ms``: one invocation of a graph without operators. What takes less than it is
          below the resolution;
        - ``accounted_for``, ``blocks_accounted_for``: the sum of the operators, and of the blocks
          timed as one part each, over the whole: 1 where nothing is lost by cutting;
        - ``operators``: for each ``index``, ``type``, ``name``, ``block``, ``inputs`` and
          ``outputs`` (shapes; without constants), ``dtype``, ``partition`` of the delegate or None,
          ``macs`` or None, ``ms``, ``interval_ms``, ``share`` of the operators' sum,
          ``gmacs_per_s``, ``below_resolution``; an operator on constants alone has None for each
          time, for it is timed with those that use it;
        - ``types``: for each operator ``type`` the ``count``, ``ms``, ``share``, ``macs``,
          ``gmacs_per_s``, the longest first;
        - ``blocks``: for each ``name`` its ``operators`` by index, ``ms`` as the sum of these,
          ``alone_ms`` and ``interval_ms`` of the block timed as one part, ``share``, ``macs``,
          ``gmacs_per_s``, ``types`` (milliseconds by operator type), in the model's order;
        - ``notes``: sentences.

    Raises:
        EdgesegError: The file cannot be read, is no model, cannot be cut, or crashes its process.
    """
    recorded = environment.read()
    request = {"path": str(path), "network": network, "threads": threads, "rounds": rounds}
    with answers(request) as replies:
        head = next(replies)
        told = [next(replies) for _ in progress(range(rounds), rounds, "rounds")]
    measured = _Rounds(told)
    timed = [node["index"] for node in head["nodes"] if not node["constant"]]
    times = {index: measured.figure("operators", place, 1) for place, index in enumerate(timed)}
    total_ms = sum(figure["ms"] for figure in times.values())
    block_of = {index: name for name, indices in head["blocks"] for index in indices}
    operators = [
        _operator(node, times.get(node["index"]), block_of, total_ms, measured.empty_ms)
        for node in head["nodes"]
    ]
    pieces = _pieces(head["blocks"], len(head["nodes"]))
    blocks = []
    for place, (name, indices) in enumerate(head["blocks"]):
        alone = measured.figure("blocks", place, pieces[place])
        members = [operators[index] for index in indices]
        blocks.append(
            {
                **_group("name", name, members, total_ms),
                "operators": indices,
                "alone_ms": alone["ms"],
                "interval_ms": alone["interval_ms"],
                "types": _by_type(members),
            }
        )
    document = {
        "format_version": FORMAT_VERSION,
        "environment": recorded | {"threads": threads},
        "model": {
            "source": str(path),
            "network": network,
            **{name: head[name] for name in ("model_bytes", "runtime", "xnnpack")},
        },
        "clock": head["clock"],
        "rounds": rounds,
        "whole": measured.whole,
        "empty_ms": measured.empty_ms,
        "accounted_for": total_ms / measured.whole["ms"],
        "blocks_accounted_for": sum(one["alone_ms"] for one in blocks) / measured.whole["ms"],
        "operators": operators,
        "types": _types(operators, total_ms),
        "blocks": blocks,
    }
    return document | {"notes": head["notes"] + _notes(document)}


def _pieces(blocks: Sequence[Sequence[Any]], count: int) -> list[int]:
    """How many parts each block was timed in: runs of operators that follow each other."""
    pieces = []
    for _, indices in blocks:
        chosen = set(indices)
        pieces.append(sum(i in chosen and i - 1 not in chosen for i in range(count)))
    return pieces


class _Rounds:
    """What was timed, reduced to medians.

    A machine is slower in some rounds than in others, and a part's median and the whole's could
    come from different ones. So a part's time is its share of the whole of its own round, in the
    median, times the median of the whole.
    """

    def __init__(self, told: Sequence[Mapping[str, Any]]) -> None:
        self._told = told
        self._wholes_ns = [median(one["whole"]) for one in told]
        self.empty_ns = median(value for one in told for value in one["empty"])
        self.empty_ms = self.empty_ns / 1e6
        self.whole = _told([value / 1e6 for value in self._wholes_ns])

    def figure(self, what: str, place: int, invocations: int) -> dict[str, Any]:
        """A part's time, less that of so many empty invocations."""
        less_ns, whole_ms = invocations * self.empty_ns, self.whole["ms"]
        return _told(
            [
                max(0.0, one[what][place] - less_ns) / whole_ns * whole_ms
                for one, whole_ns in zip(self._told, self._wholes_ns, strict=True)
            ]
        )


def _told(values_ms: Sequence[float]) -> dict[str, Any]:
    """A median with its interval."""
    ordered = sorted(values_ms)
    ranks = interval_ranks(len(ordered), 50)
    ends = None if ranks is None else [ordered[rank - 1] for rank in ranks]
    return {"ms": median(ordered), "interval_ms": ends}


def _operator(
    node: Mapping[str, Any],
    figure: Mapping[str, Any] | None,
    block_of: Mapping[int, str],
    total_ms: float,
    empty_ms: float,
) -> dict[str, Any]:
    figure = figure or {"ms": None, "interval_ms": None}
    ms = figure["ms"]
    return {
        "index": node["index"],
        "type": node["type"],
        "name": node["name"],
        "block": block_of.get(node["index"]),
        "inputs": node["input_shapes"],
        "outputs": node["output_shapes"],
        "dtype": node["dtype"],
        "partition": node["partition"],
        "macs": node["macs"],
        **figure,
        "share": None if ms is None else _over(ms, total_ms),
        "gmacs_per_s": _rate(node["macs"], ms),
        "below_resolution": None if ms is None else ms < empty_ms,
    }


def _group(
    key: str, name: str, operators: Sequence[Mapping[str, Any]], total_ms: float
) -> dict[str, Any]:
    ms = sum(one["ms"] for one in operators)
    counted = [one for one in operators if one["macs"] is not None]
    macs = sum(one["macs"] for one in counted) if counted else None
    return {
        key: name,
        "ms": ms,
        "share": _over(ms, total_ms),
        "macs": macs,
        "gmacs_per_s": _rate(macs, ms),
    }


def _types(operators: Sequence[Mapping[str, Any]], total_ms: float) -> list[dict[str, Any]]:
    members: dict[str, list[Mapping[str, Any]]] = {}
    for one in operators:
        if one["ms"] is not None:
            members.setdefault(one["type"], []).append(one)
    groups = [
        {**_group("type", name, ones, total_ms), "count": len(ones)}
        for name, ones in members.items()
    ]
    return sorted(groups, key=lambda group: -float(group["ms"]))


def _by_type(operators: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for one in operators:
        sums[one["type"]] = sums.get(one["type"], 0.0) + one["ms"]
    return sums


def _over(ms: float, total_ms: float) -> float:
    return ms / total_ms if total_ms else 0.0


def _rate(macs: int | None, ms: float | None) -> float | None:
    return macs / ms / 1e6 if macs is not None and ms else None


def _notes(document: Mapping[str, Any]) -> list[str]:
    notes = []
    account, threads = document["accounted_for"], document["environment"]["threads"]
    if abs(account - 1) > WORST_ACCOUNT:
        reason = (
            "each alone wakes the other threads anew"
            if threads > 1
            else "repeat it on an idle machine, or with more rounds"
        )
        notes.append(
            f"the operators add up to {account:.0%} of the whole: trust their order, not their "
            f"times; {reason}"
        )
    below = [one for one in document["operators"] if one["below_resolution"]]
    if below:
        notes.append(
            f"{len(below)} operators take less than an empty invocation, "
            f"{document['empty_ms'] * 1e3:.1f} microseconds: below the resolution"
        )
    constant = sum(one["ms"] is None for one in document["operators"])
    if constant:
        notes.append(f"{constant} operators on constants alone are timed with those that use them")
    if document["environment"].get("busy"):
        notes.append("the machine was busy before the run: trust the shares, not the times")
    return notes
