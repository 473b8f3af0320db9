"""What can be timed: the protocol between the harness and a target, and a target's description."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
class Settings:
    """What decides for a whole process how a target runs.

    Attributes:
        threads: Threads of each interpreter, of OpenCV and of BLAS.
        interpreter: Of ``edgeseg.runtime.INTERPRETERS``; None for the preferred one installed.
        xnnpack: Whether the interpreter's default delegate takes what it can.
    """

    threads: int = 1
    interpreter: str | None = None
    xnnpack: bool = True


@dataclass(frozen=True)
class TargetSpec:
    """A target as plain data, so that a fresh process can build it.

    Attributes:
        kind: A key of ``device_bench.targets.TARGETS``.
        name: What the report calls it; unique within a run.
        source: The file that it came from, or "" if it has none.
        options: Keyword arguments of the target's class; JSON values only.
        role: What it is in its configuration, as in "segmenter"; the same in every run, so that two
            runs' targets can be told to be of one kind whatever their files are called.
        configuration: The file and settings that it belongs to, "" for a target of the harness.
        settings: Of its process.
    """

    kind: str
    name: str
    source: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    role: str = ""
    configuration: str = ""
    settings: Settings = field(default_factory=Settings)

    @property
    def of_harness(self) -> bool:
        """Whether it is timed only to judge the others by."""
        return not self.configuration

    def to_dict(self) -> dict[str, Any]:
        """What the process that builds it has to know, as a JSON object."""
        return {"kind": self.kind, "options": self.options}
