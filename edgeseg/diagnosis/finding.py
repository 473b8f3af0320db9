"""What one check found, and the commands that findings name."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["ok", "warning", "broken", "absent"]


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: of the check; stable, for programs.
        status: ``ok``; ``warning``: it works, and may not for long or not well; ``broken``:
            edgeseg, or what was asked for, does not work; ``absent``: not there and not needed, or
            not tried because of something else that is broken.
        found: what is there, in a few words.
        why: what is wrong with it; empty where nothing is.
        mend: a shell command that mends it; empty where nothing is wrong, or no command can.
        facts: what was found, for programs; JSON values.
    """

    name: str
    status: Status
    found: str
    why: str = ""
    mend: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self)) | {"facts": dict(self.facts)}


def worst(findings: list[Finding]) -> Status:
    """``broken`` or ``warning`` where one finding is, else ``ok``."""
    statuses = {finding.status for finding in findings}
    return next((status for status in _WORST_FIRST if status in statuses), "ok")


_WORST_FIRST: tuple[Status, ...] = ("broken", "warning")


def pip(*arguments: str) -> str:
    """The command that has pip do something in *this* environment, whichever is active."""
    python = shlex.quote(sys.executable or "python3")
    command = shlex.join([*arguments])
    if importlib.util.find_spec("pip") is None:
        return f"{python} -m ensurepip && {python} -m pip {command}"
    return f"{python} -m pip {command}"
