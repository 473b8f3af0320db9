"""A check in a process of its own: a wrong wheel ends in SIGILL, SIGSEGV or never.

The child tells in lines of JSON what it is about to do, what it found and how it ended, so that of
one that dies it is known what it was doing, and what was fine until then.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

DEFAULT_TIMEOUT_S = 120.0
Ending = Literal["done", "import", "error", "memory", "signal", "timeout", "unstarted", "untried"]

# The child finds modules where this process does, whatever `-c` puts first.
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[1].split(chr(10)); "
    "from edgeseg.diagnosis.tasks import main; sys.exit(main(sys.argv[2], sys.argv[3]))"
)
_MEANINGS = {
    "SIGILL": "an illegal instruction: it was built for another processor",
    "SIGSEGV": "a segmentation fault",
    "SIGBUS": "a bus error",
    "SIGABRT": "it aborted",
    "SIGFPE": "an arithmetic fault",
    "SIGKILL": "it was killed, most likely for want of memory",
}
_MAX_MESSAGE_CHARS = 500


@dataclass(frozen=True)
class Outcome:
    """How a child ended.

    Attributes:
        ending: ``done``; ``import`` where a module is missing or does not load; ``error`` for any
            other exception; ``memory`` for a MemoryError; ``signal`` where it died; ``timeout``;
            ``unstarted`` where the system starts no process; ``untried`` where that made no sense.
        facts: what it told until then.
        stage: what it was doing last.
        detail: the exception's message, or the signal's name.
    """

    ending: Ending
    facts: Mapping[str, Any] = field(default_factory=dict)
    stage: str = ""
    detail: str = ""

    @property
    def done(self) -> bool:
        """Whether it came to its end."""
        return self.ending == "done"

    @property
    def untried(self) -> bool:
        """Whether there was no trial, because of something else that is broken."""
        return self.ending == "untried"

    def told(self) -> str:
        """How it ended, in one line."""
        doing = f" while {self.stage}" if self.stage else ""
        if self.ending == "signal":
            meaning = _MEANINGS.get(self.detail, "")
            return f"died with {self.detail}{doing}" + (f" ({meaning})" if meaning else "")
        if self.ending == "timeout":
            return f"did not answer within {self.detail} s{doing}"
        if self.ending == "memory":
            return f"ran out of memory{doing}"
        if self.ending == "unstarted":
            return f"no process could be started for it ({self.detail})"
        return self.detail


def in_child(
    task: str, arguments: Mapping[str, Any] | None = None, timeout_s: float = DEFAULT_TIMEOUT_S
) -> Outcome:
    """Run a task of :mod:`edgeseg.diagnosis.tasks` in a fresh process.

    Args:
        task: its name.
        arguments: JSON values.
        timeout_s: after which it is killed.
    """
    path = "\n".join(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100 (keeps links)
    command = [sys.executable, "-c", _PROGRAM, path, task, json.dumps(arguments or {})]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A group of its own, so that what it may have started ends with it.
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return Outcome("unstarted", detail=str(error))
    timed_out = False
    with process:
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
            _kill(process)
            out, err = process.communicate()
        except BaseException:  # Ctrl-C does not reach another session
            _kill(process)
            raise
    return _outcome(out, err, process.returncode, f"{timeout_s:g}" if timed_out else "")


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)


def _outcome(out: bytes, err: bytes, code: int, timeout_s: str) -> Outcome:
    facts: dict[str, Any] = {}
    stage, error = "", None
    for line in out.splitlines():
        # The last line of a process that died may be cut.
        with contextlib.suppress(ValueError):
            said = json.loads(line)
            stage = said.get("stage", stage)
            facts |= said.get("facts", {})
            error = said.get("error", error)
    if timeout_s:
        return Outcome("timeout", facts, stage, timeout_s)
    if code < 0:
        return Outcome("signal", facts, stage, _signal_name(-code))
    if error is not None:
        return Outcome(error["ending"], facts, stage, error["message"][:_MAX_MESSAGE_CHARS])
    if code:
        last = err.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {code}"]
        return Outcome("error", facts, stage, last[0][:_MAX_MESSAGE_CHARS])
    return Outcome("done", facts, stage)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
