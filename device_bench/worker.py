"""The child process of a target: builds it, loads it and times it when told to.

It reads one JSON object a line from standard input and answers each with one on what was its
standard output; native libraries that print go to standard error instead. The first line is the
target's specification, the others are requests: ``{"do": "load"}``, ``{"do": "sample", "count": N,
"untimed": U}`` and ``{"do": "end"}``.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from device_bench.target import Target
from device_bench.targets import TARGETS
from edgeseg.diagnosis.memory import peak_memory_bytes, steady_memory_bytes
from edgeseg.errors import EdgesegError

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
    for line in requests:
        request = json.loads(line)
        reply: Mapping[str, Any]
        try:
            if target is None:
                target, reply = _build(request)
            elif request["do"] == "load":
                reply = _load(target)
            elif request["do"] == "sample":
                reply = _sample(target, spent, request["count"], request["untimed"])
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


def _sample(target: Target, spent: _Spent, count: int, untimed: int) -> Mapping[str, Any]:
    """Take ``count`` samples after ``untimed`` invocations that are not kept.

    The garbage collector is off meanwhile, as in ``timeit``: a collection is caused by all samples
    and would be charged to one.
    """
    clock = time.perf_counter_ns
    samples: list[dict[str, int]] = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(untimed + count):
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
    finally:
        gc.enable()
    return {"samples": samples[untimed:]}


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, EdgesegError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
