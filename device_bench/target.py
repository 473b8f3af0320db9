"""What can be timed: the protocol between the harness and a target, and a target's description."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Step:
    """One part of an invocation, timed by the harness on its own.

    Attributes:
        name: The stage's name in the report.
        run: Called once a sample; its return value is dropped.
    """

    name: str
    run: Callable[[], object]


class Target(Protocol):
    """Something to time. It never reads a clock itself.

    The harness calls ``load`` once, then for each sample ``prepare`` (not timed) and every step in
    order (timed). What the steps are, and so what a time means, stands in the target's docstring.
    """

    def load(self) -> None:
        """Get ready for the first invocation: read files, create interpreters."""

    def prepare(self, index: int) -> None:
        """Set the stage for sample ``index`` (from 0). Not timed."""

    def steps(self) -> Sequence[Step]:
        """The steps of one invocation, in order; the same names each time."""

    def facts(self) -> Mapping[str, Any]:
        """JSON values to show beside the times (sizes, shapes, versions). Called at the end."""


@dataclass(frozen=True)
class TargetSpec:
    """A target as plain data, so that a fresh process can build it.

    Attributes:
        kind: A key of ``device_bench.targets.TARGETS``.
        name: What the report calls it; unique within a run.
        source: The file that it came from, or "" if it has none.
        options: Keyword arguments of the target's class; JSON values only.
    """

    kind: str
    name: str
    source: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The same as a JSON object."""
        return asdict(self)
