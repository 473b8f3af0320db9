"""The desk's end of a conversation with the agent."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from device_bench.errors import BenchError
from device_bench.remote import agent, bootstrap
from device_bench.remote.transport import Transport, last_line

BEAT_EVERY_S = 20.0
# A device clears up within a second or so; what is not heard of by then is told as not known.
END_TIMEOUT_S = 20.0
MAX_CHATTER_BYTES = 64 * 1024
# A report holds every sample: some ten bytes each, a million of each target.
MAX_OUTPUT_BYTES = 512 * 1024 * 1024
MAX_COMPLAINT_BYTES = 64 * 1024
MAX_SHOWN_CHARS = 300


@dataclass(frozen=True)
class Done:
    """How a program on the device ended.

    Attributes:
        code: Its exit status; negative for a signal.
        output: What it wrote to standard output.
        complaint: The end of what it wrote to standard error.
    """

    code: int
    output: bytes
    complaint: str


class DeviceFullError(BenchError):
    """The device has no room for a file."""


class Connection:
    """An agent on a device, and the one folder that it owns.

    Use it as a context manager: whatever ends the block, the device is told to clear up by the end
    of its input, and is waited for.

    Args:
        transport: How it is reached.
        python: A path or name of a Python there; None takes the first that fits.
        folder: Where to make the run's folder; None takes the usual places in turn.

    Raises:
        BenchError: from the constructor and from any method; the device can't be reached, has no
            Python or no folder to work in, or was lost on the way.
    """

    def __init__(self, transport: Transport, python: str | None, folder: str | None) -> None:
        command = transport.argv(bootstrap.command(python, folder))
        self._transport = transport
        self._python = python
        self._writing = threading.Lock()
        self._ended = threading.Event()
        self._left: str | None = "not known"
        # Read at the end; a pipe that nobody empties would block ssh.
        self._complaint = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaint,
                env={**os.environ, "LC_ALL": "C"},  # errors in the words that are looked for
                start_new_session=True,  # Ctrl-C is for this program, which then ends that one
                bufsize=0,
            )
        except OSError as error:
            self._complaint.close()
            raise BenchError(
                f"{transport.name} cannot be reached: {command[0]}: {error.strerror}"
            ) from error
        self._beats = threading.Thread(target=self._beat, daemon=True)
        try:
            with contextlib.suppress(OSError):  # it ended at once: what it said tells why
                self._write(bootstrap.agent_source())
            self._await_agent()
        except BaseException:
            self.close()
            raise
        self._beats.start()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        """The device's address."""
        return self._transport.name

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Have the agent do something that has neither a file nor a program to it."""
        self._send(agent.REQUEST, json.dumps({"do": do, **request}).encode())
        return self._answer(lambda _kind, _content: None)

    def put(self, file: BinaryIO, size: int, name: str) -> None:
        """Copy a file of ``size`` bytes to ``name`` below the folder.

        Raises:
            DeviceFullError: There is no room for it.
        """
        request = {"do": "put", "name": name, "size": size}
        self._send(agent.REQUEST, json.dumps(request).encode())
        left = size
        while left:
            piece = file.read(min(left, agent.MAX_FRAME_BYTES))
            if not piece:
                raise BenchError(f"{file.name} became shorter while it was copied")
            self._send(agent.PIECE, piece)
            left -= len(piece)
        self._answer(lambda _kind, _content: None)

    def put_path(self, path: Path, name: str) -> None:
        """As ``put``, for a local file.

        Raises:
            BenchError: It cannot be read.
        """
        try:
            file = path.open("rb")
        except OSError as error:
            raise BenchError(f"{error.strerror}: {path}") from error
        with file:
            self.put(file, os.fstat(file.fileno()).st_size, name)

    def run(self, argv: Sequence[str], env: Mapping[str, str]) -> Done:
        """Run a program there to its end; ``{folder}`` in a word stands for the agent's folder."""
        output, complaint = bytearray(), bytearray()

        def take(kind: bytes, content: bytes) -> None:
            if kind == agent.OUTPUT:
                output.extend(content)
                if len(output) > MAX_OUTPUT_BYTES:
                    raise BenchError(f"{self.name} sends more than a report can be")
            else:
                complaint.extend(content)
                del complaint[:-MAX_COMPLAINT_BYTES]

        request = {"do": "run", "argv": list(argv), "env": dict(env)}
        self._send(agent.REQUEST, json.dumps(request).encode())
        code = int(self._answer(take)["code"])
        return Done(code, bytes(output), complaint.decode(errors="replace"))

    def close(self) -> str | None:
        """Hang up, and wait until the device has cleared up; why it could not, or None."""
        self._ended.set()
        if self._process.poll() is None or self._left == "not known":
            self._hang_up()
        return self._left

    def _hang_up(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        ender = threading.Timer(END_TIMEOUT_S, self._process.kill)
        ender.daemon = True
        ender.start()
        try:
            with self._writing:
                self._process.stdin.close()
            while True:
                kind, content = self._receive()
                if kind == agent.ANSWER and "left" in (answer := json.loads(content)):
                    self._left = answer["left"]
        except (OSError, ValueError, EOFError):
            pass  # it has ended; what it said of the folder, if anything, is known by now
        finally:
            ender.cancel()
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._complaint.close()

    def _await_agent(self) -> None:
        """Read up to the agent's first word; login shells may print something before it."""
        said = b""
        while not said.endswith(agent.READY):
            piece = self._read_some(1)
            said += piece
            if piece == b"\n" and (failure := bootstrap.failure(said, self._python)):
                raise BenchError(f"{self.name}: {failure}")
            if not piece or len(said) > MAX_CHATTER_BYTES:
                raise self._unreachable(said)

    def _unreachable(self, said: bytes) -> BenchError:
        complaint = self._ended_complaint()
        known = self._transport.explain(complaint)
        reason = known or last_line(complaint) or last_line(said.decode(errors="replace"))
        if not reason:
            reason = f"the connection ended at once (status {self._process.returncode})"
        return BenchError(f"{self.name}: {reason[:MAX_SHOWN_CHARS]}")

    def _lost(self) -> BenchError:
        complaint = last_line(self._ended_complaint())
        why = f" ({complaint[:MAX_SHOWN_CHARS]})" if complaint else ""
        return BenchError(
            f"{self.name}: the connection was lost{why}; the device removes by itself what was "
            f"there, within {agent.SILENCE_S:.0f} s"
        )

    def _ended_complaint(self) -> str:
        """What ssh or adb wrote to standard error, once it has ended or is made to."""
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._complaint.seek(0)
        return self._complaint.read(MAX_CHATTER_BYTES).decode(errors="replace")

    def _answer(self, take: Callable[[bytes, bytes], None]) -> dict[str, Any]:
        while True:
            try:
                kind, content = self._receive()
            except (EOFError, OSError) as error:
                raise self._lost() from error
            if kind == agent.ANSWER:
                break
            take(kind, content)
        answer: dict[str, Any] = json.loads(content)
        if "left" in answer:
            self._left = answer["left"]
            raise self._lost()
        if answer.get("full"):
            raise DeviceFullError(answer["error"])
        if "error" in answer:
            raise BenchError(f"{self.name}: {answer['error']}")
        return answer

    def _receive(self) -> tuple[bytes, bytes]:
        kind, length = agent.HEADER.unpack(self._read(agent.HEADER.size))
        if length > agent.MAX_FRAME_BYTES:
            raise EOFError  # no frame of the agent's: nothing after it can be understood
        return kind, self._read(length)

    def _read(self, length: int) -> bytes:
        content = b""
        while len(content) < length:
            piece = self._read_some(length - len(content))
            if not piece:
                raise EOFError
            content += piece
        return content

    def _read_some(self, length: int) -> bytes:
        assert self._process.stdout is not None
        return os.read(self._process.stdout.fileno(), length)

    def _send(self, kind: bytes, content: bytes) -> None:
        with self._writing:
            try:
                self._write(agent.HEADER.pack(kind, len(content)) + content)
            except OSError as error:
                raise self._lost() from error

    def _write(self, content: bytes) -> None:
        assert self._process.stdin is not None
        view = memoryview(content)
        while view:
            view = view[os.write(self._process.stdin.fileno(), view) :]

    def _beat(self) -> None:
        """Tell the device every now and then that the desk is still there."""
        while not self._ended.wait(BEAT_EVERY_S):
            with self._writing:
                try:
                    self._write(agent.HEADER.pack(agent.BEAT, 0))
                except (OSError, ValueError):
                    return  # lost or closed: whoever reads an answer finds out
