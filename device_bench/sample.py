"""One measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """One measurement.

    Attributes:
        total_ns: What the scenario's ``timed`` says, in nanoseconds.
        steps_ns: The parts that the scenario tells apart, in nanoseconds, by name.
        yardstick_ns: What a fixed piece of work took beside it, see ``yardstick``; None where none
            was done.
    """

    total_ns: int
    steps_ns: Mapping[str, int]
    yardstick_ns: int | None = None
