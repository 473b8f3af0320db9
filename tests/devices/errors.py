"""What stops a run here, as opposed to what fails in one."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_MAX_TOLD_CHARS = 400


class CannotRunError(Exception):
    """A run cannot be made on this machine, or something in it ended badly; one line says why."""


def run(
    command: Sequence[str | Path],
    what: str,
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a command to its end and give its stdout.

    Args:
        command: the program and its arguments.
        what: names it in the message.
        environment: all of its environment; this process's own when None.
        cwd: its folder.

    Raises:
        CannotRunError: it cannot be started or ends badly; with its last line, or its signal.
    """
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise CannotRunError(f"{what}: {error.strerror}") from error
    if done.returncode:
        raise CannotRunError(f"{what}: {_ended(done.returncode, done.stderr or done.stdout)}")
    return done.stdout


def _ended(code: int, told: str) -> str:
    """How a process ended, in one line."""
    lines = [line for line in told.splitlines() if line.strip()]
    last = lines[-1].strip()[:_MAX_TOLD_CHARS] if lines else "no message"
    return f"died of signal {-code} ({last})" if code < 0 else f"exit code {code} ({last})"
