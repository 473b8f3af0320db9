"""How targets are timed: the protocol between the runner and a scenario."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from device_bench.launcher import Worker
from device_bench.ratios import resolution, typical
from device_bench.sample import Sample
from device_bench.target import TargetSpec

T = TypeVar("T")

#: Wraps an iterable of turns, given their number and a label, to show how far a scenario is.
Progress = Callable[[Iterable[T], int, str], Iterable[T]]
#: Starts a fresh process for a target.
Launch = Callable[[TargetSpec], Worker]


@dataclass
class Process:
    """What one process of a target came to. Processes differ by more than their samples do.

    Where memory came to lie, which core it was put on and what else ran in its time are one
    process's fate; so a process, not a sample, is what two runs are compared by.

    Attributes:
        samples: In the order taken; none is left out.
        warm_up_ns: Totals of the invocations before the samples, which were found to be warm-up.
        settled: Whether the warm-up was found to be over.
        import_ns: Importing what the target needs and creating it.
        load_ns: Loading it.
        energy_j: Energy that the machine spent on each sample; None where it does not tell.
        peak_memory_bytes: The most resident memory.
        steady_memory_bytes: Resident memory after the last sample; None if unreadable.
        cpu_share: CPU time of the invocations over their wall-clock time; above 1 with several
            threads, and well below 1 where other processes had the CPU. None where they are too
            short to tell.
    """

    samples: list[Sample] = field(default_factory=list)
    warm_up_ns: list[int] = field(default_factory=list)
    settled: bool = True
    import_ns: int = 0
    load_ns: int = 0
    energy_j: float | None = None
    peak_memory_bytes: int = 0
    steady_memory_bytes: int | None = None
    cpu_share: float | None = None

    def yardsticks_ns(self) -> list[int] | None:
        """What the yardstick took beside each sample; None where one has none."""
        known = [each.yardstick_ns for each in self.samples if each.yardstick_ns is not None]
        return known if len(known) == len(self.samples) else None

    def typical(self) -> float:
        """What is typical of its samples, to their yardsticks where they have them."""
        return typical([sample.total_ns for sample in self.samples], self.yardsticks_ns())


@dataclass
class Outcome:
    """All that a scenario measured on one target.

    Attributes:
        processes: In the order started.
        facts: What the target told about itself.
        baseline: Samples of the same target without what the scenario puts it under, if it takes
            some.
        slices: What a scenario that watches a course of time saw, in order; JSON values.
    """

    processes: list[Process] = field(default_factory=list)
    facts: Mapping[str, Any] = field(default_factory=dict)
    baseline: list[Sample] = field(default_factory=list)
    slices: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def samples(self) -> list[Sample]:
        """The samples of all processes."""
        return [sample for process in self.processes for sample in process.samples]

    def resolution(self) -> float | None:
        """The smallest change, as a share, that another run like this one would show."""
        return resolution([process.typical() for process in self.processes])

    def totals_ns(self) -> list[int]:
        """What each sample took."""
        return [sample.total_ns for sample in self.samples]


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


def in_turn(count: int, turn: int) -> Sequence[int]:
    """Positions 0 to ``count - 1``, each turn in the opposite order, so that drift cancels out."""
    return range(count) if turn % 2 == 0 else range(count - 1, -1, -1)
