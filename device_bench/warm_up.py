"""When a process has warmed up: found from its times, not guessed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from device_bench.launcher import Worker

# Of each further look. Fewer than eight cannot tell a trend from noise.
CHUNK = 8
# A process whose times still fall after this is counted as it is, and the report says so.
MAX_INVOCATIONS = 64
MAX_S = 10.0
# However slow a target is.
MIN_INVOCATIONS = 3
# The rule weighs what is left by its length squared; with fewer it follows chance.
_MIN_LEFT = 4


@dataclass(frozen=True)
class WarmUp:
    """A warm-up that is over, or was given up.

    Attributes:
        times_ns: Of its invocations.
        detected: Whether the end was found before ``MAX_INVOCATIONS`` and ``MAX_S``.
    """

    times_ns: list[int]
    detected: bool


def truncation(times_ns: Sequence[int]) -> int:
    """How many of the first times are warm-up, by the marginal standard error rule.

    The number d that makes the standard error of the mean of what is left least::

        MSER(d) = sum((y_i - mean)^2 for i >= d) / (n - d)^2

    (K. P. White, An effective truncation heuristic for bias reduction in simulation output,
    Simulation 69(6), 1997, eq. 3), here of the times' logarithms, so that a single disturbed
    invocation late in the series does not weigh more than the whole warm-up.
    """
    logs = [math.log(max(1, time_ns)) for time_ns in times_ns]
    best, least = 0, math.inf
    for dropped in range(max(1, len(logs) - _MIN_LEFT + 1)):
        left = logs[dropped:]
        mean = math.fsum(left) / len(left)
        error = math.fsum((value - mean) ** 2 for value in left) / len(left) ** 2
        if error < least:
            best, least = dropped, error
    return best


def warm_up(worker: Worker) -> WarmUp:
    """Invoke a loaded target until its times have settled.

    They have when what the rule drops is no more than half of them, which is White's own test.

    Raises:
        BenchError: The target's process failed.
    """
    times_ns: list[int] = []
    while len(times_ns) < MAX_INVOCATIONS:
        wanted = CHUNK
        if times_ns:
            left_ns = MAX_S * 1e9 - sum(times_ns)
            wanted = min(CHUNK, int(left_ns / max(1, times_ns[-1])))
        else:
            # One first, to know how many the time allows.
            wanted = 1
        if wanted < 1 and len(times_ns) >= MIN_INVOCATIONS:
            return WarmUp(times_ns, detected=False)
        times_ns += [sample.total_ns for sample in worker.sample(max(1, wanted))]
        if len(times_ns) > CHUNK and truncation(times_ns) <= len(times_ns) // 2:
            return WarmUp(times_ns, detected=True)
    return WarmUp(times_ns, detected=False)
