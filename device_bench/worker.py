"""The child process of a target: builds it, loads it and times it when told to.

It reads one JSON object a line from standard input and answers each with one on what was its
standard output; native libraries that print go to standard error instead. The first line is the
target's specification, the others are requests: ``{"do": "load"}``, ``{"do": "sample", "count": N,
"untimed": U, "yardstick": bool}`` and ``{"do": "end"}``.
"""

from __future__ import annotations

import gc
import itertools
import json
import math
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from device_bench.target import Target
from device_bench.targets import TARGETS
from edgeseg.diagnosis.memory import peak_memory_bytes, steady_memory_bytes
from edgeseg.errors import EdgesegError

if TYPE_CHECKING:
    from device_bench.yardstick import Yardstick

# Reading the CPU clock costs about a microsecond.
SHORTEST_TELLING_NS = 100_000


def main() -> int:
    """Serve requests until the last one or the end of input; returns the exit status."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        serve(sys.stdin, replies)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    return 0


@dataclass
class _Spent:
    """What all invocations of a target took so far."""

    invocations: int = 0
    cpu_ns: int = 0
    wall_ns: int = 0

    def cpu_share(self) -> float | None:
        """CPU time over wall-clock time, None where the clocks' own cost would blur it."""
        if self.wall_ns < SHORTEST_TELLING_NS * max(1, self.invocations):
            return None
        return round(self.cpu_ns / self.wall_ns, 3)


def serve(requests: TextIO, replies: TextIO) -> None:
    """Answer every line of ``requests`` on ``replies``.

    An error of any type becomes an ``error`` reply: the parent tells it, and this process has
    nobody else to tell.
    """
    target: Target | None = None
    spent = _Spent()
    yardstick: Yardstick | None = None
    for line in requests:
        request = json.loads(line)
        reply: Mapping[str, Any]
        try:
            if target is None:
                target, reply = _build(request)
            elif request["do"] == "load":
                reply = _load(target)
            elif request["do"] == "sample":
                if request["yardstick"] and yardstick is None:
                    # Imported no earlier: a cold start must not be charged with it.
                    from device_bench.yardstick import Yardstick

                    yardstick = Yardstick()
                measure = yardstick.run_ns if request["yardstick"] and yardstick else None
                reply = _sample(target, spent, request["count"], request["untimed"], measure)
            else:
                reply = {
                    "facts": dict(target.facts()),
                    "peak_memory_bytes": peak_memory_bytes(),
                    "steady_memory_bytes": steady_memory_bytes(),
                    "cpu_share": spent.cpu_share(),
                }
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
            traceback.print_exc(file=sys.stderr)
            reply = {"error": _one_line(error)}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()
        if "error" in reply or request.get("do") == "end":
            return


def _build(spec: Mapping[str, Any]) -> tuple[Target, Mapping[str, Any]]:
    started_ns = time.perf_counter_ns()
    target = TARGETS[spec["kind"]](**spec["options"])
    return target, {"import_ns": time.perf_counter_ns() - started_ns}


def _load(target: Target) -> Mapping[str, Any]:
    started_ns = time.perf_counter_ns()
    target.load()
    return {"load_ns": time.perf_counter_ns() - started_ns}


def _sample(
    target: Target,
    spent: _Spent,
    count: int,
    untimed: int,
    measure: Callable[[], int] | None,
) -> Mapping[str, Any]:
    """Take ``count`` samples after ``untimed`` invocations that are not kept.

    ``measure`` runs before the first sample and after each; what it gives for a sample is the
    geometric mean of what it gave before and after.

    The garbage collector is off meanwhile, as in ``timeit``: a collection is caused by all samples
    and would be charged to one.
    """
    clock = time.perf_counter_ns
    samples: list[dict[str, int]] = []
    measured: list[int] = []
    gc.collect()
    gc.disable()
    try:
        for number in range(untimed + count):
            if measure is not None and number == untimed:
                measured.append(measure())
            target.prepare(spent.invocations)
            times_ns: dict[str, int] = {}
            cpu_started_ns = time.process_time_ns()
            for step in target.steps():
                run = step.run
                started_ns = clock()
                run()
                times_ns[step.name] = clock() - started_ns
            spent.invocations += 1
            spent.cpu_ns += time.process_time_ns() - cpu_started_ns
            spent.wall_ns += sum(times_ns.values())
            samples.append(times_ns)
            if measure is not None and number >= untimed:
                measured.append(measure())
    finally:
        gc.enable()
    beside = [round(math.sqrt(one * other)) for one, other in itertools.pairwise(measured)]
    return {"samples": samples[untimed:], "yardstick_ns": beside or None}


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, EdgesegError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
