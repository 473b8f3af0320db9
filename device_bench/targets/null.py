"""Nothing at all: what the harness itself costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from device_bench.target import Step


class NullTarget:
    """Times an empty call.

    Its warm time is the clock's and the call's own; its memory is Python's with the harness. Any
    figure of another target that comes near it measures the harness.
    """

    def load(self) -> None:
        """Nothing to load."""

    def prepare(self, index: int) -> None:
        """Nothing to prepare."""

    def steps(self) -> Sequence[Step]:
        """One empty step."""
        return [Step("nothing", _nothing)]

    def facts(self) -> Mapping[str, Any]:
        """Nothing to tell."""
        return {}


def _nothing() -> None:
    return None
