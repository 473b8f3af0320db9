"""The child process of a profile, and the parent's handle on it.

The child reads one JSON object from standard input, the request, and answers with one a line on
what was its standard output: first the model's operators, then one a round, or an ``error``.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from device_bench.errors import BenchError
from edgeseg.errors import EdgesegError

# As for a bench: the slowest network on the slowest handheld takes 20 s an invocation, and a round
# or the loading of all parts makes a handful of them.
REPLY_TIMEOUT_S = 600.0
MAX_STDERR_BYTES = 16 * 1024

_ROOT = str(Path(__file__).resolve().parent.parent.parent)
# ``-c`` puts the working directory first on the path, where a user's file could shadow a module.
_PROGRAM = (
    f"import sys; sys.path[0] = {_ROOT!r}; "
    "from device_bench.profile.child import main; sys.exit(main())"
)


def main() -> int:
    """Answer the one request; returns the exit status."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(reply: Mapping[str, Any]) -> None:
        replies.write(json.dumps(reply) + "\n")
        replies.flush()

    try:
        for reply in _answers(json.loads(sys.stdin.readline())):
            tell(reply)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    except EdgesegError as error:
        tell({"error": " ".join(str(error).split())})
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
        tell({"error": " ".join(f"{type(error).__name__}: {error}".split())})
    return 0


def _answers(request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    from device_bench.profile.measure import Measurement
    from device_bench.targets.model import read_model
    from edgeseg import runtime

    model = read_model(request["path"], request["network"])
    measurement = Measurement(model, request["threads"], Path(request["folder"]))
    yield {
        "model_bytes": len(model),
        "runtime": runtime.runtime_name(),
        "xnnpack": runtime.uses_xnnpack(),
        "clock": measurement.clock,
        "nodes": [node.to_dict() for node in measurement.graph.nodes],
        "blocks": [[block.name, block.operators] for block in measurement.blocks],
        "notes": measurement.notes,
    }
    for _ in range(request["rounds"]):
        yield measurement.round()


@contextlib.contextmanager
def answers(request: Mapping[str, Any]) -> Iterator[Iterator[dict[str, Any]]]:
    """Start a child with a request; gives its answers, endlessly. Nothing of it outlives the block.

    Args:
        request: ``path`` and ``network`` as for ``targets.model.read_model``; ``threads``;
            ``rounds``.

    Raises:
        BenchError: from the iterator; the child died, hung or reported an error.
    """
    # The folder is made on this side, for a child that crashes leaves what it made.
    with (
        tempfile.TemporaryDirectory(prefix="edgeseg-profile-") as folder,
        tempfile.TemporaryFile() as stderr,
    ):
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        try:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError), process.stdin as requests:
                requests.write(json.dumps({**request, "folder": folder}).encode() + b"\n")
            yield _read(process, request["path"], stderr)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def _read(process: subprocess.Popen[bytes], path: str, stderr: Any) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    descriptor, buffer = process.stdout.fileno(), b""
    while True:
        if not select.select([descriptor], [], [], REPLY_TIMEOUT_S)[0]:
            raise BenchError(f"{path} gave no answer for {REPLY_TIMEOUT_S:.0f} s and was ended")
        piece = os.read(descriptor, 1 << 16)
        if not piece:
            break
        *lines, buffer = (buffer + piece).split(b"\n")
        for line in lines:
            reply: dict[str, Any] = json.loads(line)
            if "error" in reply:
                message = str(reply["error"])
                raise BenchError(message if path in message else f"{path}: {message}")
            yield reply
    status = process.wait()
    stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, stderr.tell() - MAX_STDERR_BYTES))
    told = RuntimeError(stderr.read().decode(errors="replace").strip())
    raise BenchError(f"{path} {_death(status)}") from told


def _death(status: int) -> str:
    if status >= 0:
        return f"could not be profiled: its process ended with status {status}"
    number = -status
    name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
    if number == signal.SIGKILL:
        return "was killed (SIGKILL), most often for want of memory"
    return (
        f"crashed its process ({name}): the model is damaged, or made for another version of the "
        "interpreter or another CPU"
    )
