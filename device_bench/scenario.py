"""How targets are timed: the protocol between the runner and a scenario."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from device_bench.launcher import Worker
from device_bench.target import TargetSpec

T = TypeVar("T")

#: Wraps an iterable of turns, given their number and a label, to show how far a scenario is.
Progress = Callable[[Iterable[T], int, str], Iterable[T]]
#: Starts a fresh process for a target.
Launch = Callable[[TargetSpec], Worker]


@dataclass(frozen=True)
class Sample:
    """One measurement.

    Attributes:
        total_ns: What the scenario's ``timed`` says, in nanoseconds.
        steps_ns: The parts that the scenario tells apart, in nanoseconds, by name.
    """

    total_ns: int
    steps_ns: Mapping[str, int]


@dataclass
class Outcome:
    """All that a scenario measured on one target.

    Attributes:
        samples: In the order taken.
        peak_memory_bytes: The most resident memory of the target's process; None if unreadable.
        cpu_share: CPU time of the invocations over their wall-clock time; above 1 with several
            threads, and well below 1 where other processes had the CPU. None where they are too
            short to tell.
        facts: What the target told about itself.
    """

    samples: list[Sample] = field(default_factory=list)
    peak_memory_bytes: int | None = None
    cpu_share: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class Scenario(Protocol):
    """A way to time targets."""

    @property
    def name(self) -> str:
        """Its key in the report."""

    @property
    def timed(self) -> str:
        """What a sample's total covers, in a sentence."""

    def settings(self) -> Mapping[str, Any]:
        """The counts that a reader needs to judge the figures; JSON values."""

    def measure(
        self, specs: Sequence[TargetSpec], launch: Launch, progress: Progress[int]
    ) -> list[Outcome]:
        """Time every target.

        Args:
            specs: What to time.
            launch: Starts a fresh process for one of them; the scenario closes what it started.
            progress: Wraps the scenario's turns.

        Returns:
            One outcome a spec, in their order.

        Raises:
            BenchError: a target's process failed.
        """
