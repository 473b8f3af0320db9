"""The parent's handle on a target's child process.

Each target lives in a process of its own, for three reasons: a cold start needs a fresh process,
peak memory is a property of a process, and a damaged model can kill its process (a crafted .tflite
ends in SIGSEGV inside the interpreter), which must cost one clear line and not the whole run.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from device_bench.errors import BenchError
from device_bench.sample import Sample
from device_bench.target import Settings, TargetSpec
from edgeseg.runtime import INTERPRETER_VARIABLE, XNNPACK_VARIABLE

# FC-DenseNet103 in float32 takes 0.8 s an invocation on a server and perhaps 20 s on the slowest
# handheld; a model that answers nothing for five minutes hangs.
REPLY_TIMEOUT_S = 300.0
END_TIMEOUT_S = 10.0
MAX_STDERR_BYTES = 16 * 1024

_ROOT = str(Path(__file__).resolve().parent.parent)
# ``-c`` puts the working directory first on the path, where a user's file could shadow a module:
# the folder that this package was imported from takes its place.
_PROGRAM = (
    f"import sys; sys.path[0] = {_ROOT!r}; from device_bench.worker import main; sys.exit(main())"
)


@dataclass(frozen=True)
class Ending:
    """What a process tells as its last word; see ``scenario.Process`` for each."""

    facts: Mapping[str, Any]
    peak_memory_bytes: int
    steady_memory_bytes: int | None
    cpu_share: float | None


class Worker:
    """A fresh process with one target in it.

    Use it as a context manager: the process never outlives the block.

    Args:
        spec: The target, and the settings of its process.

    Raises:
        BenchError: from any method; the process died, hung or reported an error.
    """

    def __init__(self, spec: TargetSpec) -> None:
        self._spec = spec
        self._buffer = b""
        # Native libraries write banners there; a pipe that nobody reads would block them.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._started_ns = time.perf_counter_ns()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=os.environ | _settings_variables(spec.settings),
            )
        except OSError as error:
            self._stderr.close()
            raise BenchError(f"cannot start a process for {spec.name}: {error.strerror}") from error

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._process.kill()  # after a failure or Ctrl-C, nothing it could still say matters
        self.close()

    def build(self) -> int:
        """Import what the target needs and create it; returns the nanoseconds that it took."""
        return int(self._ask(self._spec.to_dict())["import_ns"])

    def load(self) -> int:
        """Load the target; returns the nanoseconds that it took."""
        return int(self._ask({"do": "load"})["load_ns"])

    def sample(self, count: int, untimed: int = 0, yardstick: bool = False) -> list[Sample]:
        """Take ``count`` samples after ``untimed`` invocations, each with a yardstick or none."""
        self.begin(count, untimed, yardstick)
        return self.finish()

    def begin(self, count: int, untimed: int = 0, yardstick: bool = False) -> None:
        """Have samples taken, and come back for them with ``finish``."""
        asked = {"do": "sample", "count": count, "untimed": untimed, "yardstick": yardstick}
        self._send(asked)

    def busy(self) -> bool:
        """Whether what was begun goes on."""
        assert self._process.stdout is not None
        return not (self._buffer or select.select([self._process.stdout], [], [], 0)[0])

    def finish(self) -> list[Sample]:
        """Wait for what was begun."""
        reply = self._receive()
        samples: list[dict[str, int]] = reply["samples"]
        beside: list[int | None] = reply["yardstick_ns"] or [None] * len(samples)
        return [
            Sample(sum(steps_ns.values()), steps_ns, yardstick_ns)
            for steps_ns, yardstick_ns in zip(samples, beside, strict=True)
        ]

    def end(self) -> Ending:
        """Ask for what is known only at the end, and let the process exit."""
        reply = self._ask({"do": "end"})
        return Ending(
            reply["facts"],
            int(reply["peak_memory_bytes"]),
            reply["steady_memory_bytes"],
            reply["cpu_share"],
        )

    def age_ns(self) -> int:
        """Nanoseconds since the process was started."""
        return time.perf_counter_ns() - self._started_ns

    def close(self) -> None:
        """End the process, by force if it doesn't end by itself."""
        try:
            if self._process.stdin is not None:
                self._process.stdin.close()
        except OSError:
            pass  # it is dead already: what was to be flushed has no reader
        try:
            self._process.wait(END_TIMEOUT_S if self._process.poll() is None else 0)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._stderr.close()

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._send(request)
        return self._receive()

    def _send(self, request: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._death() from error

    def _receive(self) -> dict[str, Any]:
        line = self._read_line()
        try:
            reply: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise BenchError(f"{self._spec.name}: its process gave no proper answer") from error
        if "error" in reply:
            raise BenchError(self._told(reply["error"])) from RuntimeError(self._tail())
        return reply

    def _read_line(self) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline_s = time.monotonic() + REPLY_TIMEOUT_S
        while b"\n" not in self._buffer:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or not select.select([descriptor], [], [], left_s)[0]:
                self._process.kill()
                raise BenchError(
                    f"{self._spec.name} gave no answer for {REPLY_TIMEOUT_S:.0f} s and was ended"
                )
            piece = os.read(descriptor, 1 << 16)
            if not piece:
                raise self._death()
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _told(self, message: str) -> str:
        """Name the target in front, unless the message names its file already."""
        known = {self._spec.name, self._spec.source} - {""}
        named = any(name in message for name in known)
        return message if named else f"{self._spec.name}: {message}"

    def _death(self) -> BenchError:
        status = self._process.wait()
        cause = RuntimeError(self._tail())
        if status < 0:
            number = -status
            name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
            if number == signal.SIGKILL:
                reason = "was killed (SIGKILL), most often for want of memory"
            else:
                reason = (
                    f"crashed its process ({name}): the model is damaged, or made for another "
                    "version of the interpreter or another CPU"
                )
            error = BenchError(f"{self._spec.name} {reason}")
        else:
            error = BenchError(f"{self._spec.name}: its process ended with status {status}")
        error.__cause__ = cause
        return error

    def _tail(self) -> str:
        """The end of what the process wrote to standard error, for ``--debug``."""
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - MAX_STDERR_BYTES))
        return self._stderr.read().decode(errors="replace").strip()


def _settings_variables(settings: Settings) -> dict[str, str]:
    """Environment variables that make a process run as it is set.

    OpenCV, OpenMP and BLAS take their threads from there; an interpreter is given its number.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    variables = dict.fromkeys((*names, "OPENCV_FOR_THREADS_NUM"), str(settings.threads))
    variables[XNNPACK_VARIABLE] = "on" if settings.xnnpack else "off"
    if settings.interpreter is not None:
        variables[INTERPRETER_VARIABLE] = settings.interpreter
    return variables
