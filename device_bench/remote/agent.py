"""The far end of a remote bench: a program that is sent as text and leaves nothing behind.

It needs nothing but Python's standard library, for at its start nothing of edgeseg is there. It
owns one folder, does what it is told on standard input, and answers on standard output. When the
input ends, or says nothing for ``SILENCE_S``, the desk is gone, whatever became of it: what runs is
killed, the folder removed, and the program ends. So no ending of the desk's own needs a message.

Both directions are frames: a kind (one byte), a length (four), and so many bytes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

#: A frame's kind and length.
HEADER = struct.Struct(">cI")
MAX_FRAME_BYTES = 1 << 20
#: From the desk: a request (JSON); a piece of the file that the last request announced; a sign of
#: life. From here: an answer (JSON); what a program wrote to standard output and standard error.
REQUEST, PIECE, BEAT, ANSWER, OUTPUT, COMPLAINT = b"Q", b"P", b"B", b"A", b"O", b"E"
#: The first thing said, so that the desk can tell what a login shell printed before it.
READY = b"edgeseg-bench: ready\n"
#: A network that went away without a word (a laptop closed, a cable pulled) ends nothing by itself.
SILENCE_S = 120.0
#: In the folder; the shell that started this kills the group in it if this can't.
GROUP_FILE = "group"

_Json = dict[str, Any]
_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_KILLED_MAY_WRITE_S = 3.0
_RETRY_S = 0.05
# What the device could not take, in contrast to what is wrong with this program.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _GoneError(Exception):
    """The desk has hung up, or this was told to end."""


def main(folder: str) -> int:
    """Serve until the desk hangs up; then remove ``folder``."""
    for number in _SIGNALS:
        signal.signal(number, _end)
    try:
        Path(folder, "tmp").mkdir()  # for what is run here
        os.write(1, READY)
        while True:
            request = json.loads(_read_frame(REQUEST))
            try:
                answer = _DOES[request["do"]](folder, request)
            except OSError as error:
                answer = {"error": error.strerror or str(error), "full": error.errno in _FULL}
            _send(ANSWER, json.dumps(answer).encode())
    except (_GoneError, BrokenPipeError):
        pass
    finally:
        _ignore_signals()
        why = _remove(folder)
        with contextlib.suppress(OSError):
            _send(ANSWER, json.dumps({"left": why}).encode())
    return 0


def _end(*_: object) -> None:
    _ignore_signals()  # a second one must not interrupt the clearing up
    raise _GoneError


def _ignore_signals() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _probe(folder: str, _request: _Json) -> _Json:
    return {
        "folder": folder,
        "free_bytes": shutil.disk_usage(folder).free,
        "python": platform.python_version(),
        "executable": sys.executable,
        "machine": platform.machine(),
        "system": platform.system(),
        "libc": list(platform.libc_ver()),
    }


def _put(folder: str, request: _Json) -> _Json:
    """Write the pieces that follow to a file below the folder; all are read, also when it fails."""
    path = Path(folder, request["name"])
    left, failure = request["size"], None
    try:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        target, failure = None, error
    while left:
        piece = _read_frame(PIECE)
        left -= len(piece)
        try:
            while piece and target is not None and failure is None:
                piece = piece[os.write(target, piece) :]
        except OSError as error:
            failure = error
    if target is not None:
        os.close(target)
    if failure is not None:
        raise failure
    return {}


def _unpack(folder: str, request: _Json) -> _Json:
    path = Path(folder, request["name"])
    with zipfile.ZipFile(path) as archive:
        archive.extractall(Path(folder, request["to"]))
    path.unlink()
    return {}


def _run(folder: str, request: _Json) -> _Json:
    """Run a program to its end, in a group of its own that can be killed as one."""
    variables = {name: value.replace("{folder}", folder) for name, value in request["env"].items()}
    process = subprocess.Popen(
        [word.replace("{folder}", folder) for word in request["argv"]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**os.environ, **variables},
        start_new_session=True,
    )
    group_file = Path(folder, GROUP_FILE)
    try:
        group_file.write_text(str(process.pid), encoding="ascii")
        _relay(process)
        # Not reaped yet: until then its number, which is the group's, cannot be another's.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with contextlib.suppress(OSError):
            group_file.unlink()
    return {"code": process.returncode}


_DOES = {"probe": _probe, "put": _put, "unpack": _unpack, "run": _run}


def _relay(process: subprocess.Popen[bytes]) -> None:
    """Send on what a program writes until it has closed both its outputs."""
    assert process.stdout is not None
    assert process.stderr is not None
    kinds = {process.stdout.fileno(): OUTPUT, process.stderr.fileno(): COMPLAINT}
    heard_s = time.monotonic()
    while kinds:
        ready = select.select([0, *kinds], [], [], max(0.0, heard_s + SILENCE_S - time.monotonic()))
        if not ready[0]:
            raise _GoneError
        for descriptor in ready[0]:
            if descriptor == 0:
                _read_frame(BEAT)
                heard_s = time.monotonic()
                continue
            piece = os.read(descriptor, 1 << 16)
            if piece:
                _send(kinds[descriptor], piece)
            else:
                del kinds[descriptor]


def _read_frame(wanted: bytes) -> bytes:
    """The next frame of a kind; signs of life before it are passed over."""
    while True:
        kind, length = HEADER.unpack(_read(HEADER.size))
        if length > MAX_FRAME_BYTES or kind not in (wanted, BEAT):
            raise _GoneError
        content = _read(length)
        if kind == wanted:
            return content


def _read(length: int) -> bytes:
    content = b""
    while len(content) < length:
        if not select.select([0], [], [], SILENCE_S)[0]:
            raise _GoneError
        piece = os.read(0, length - len(content))
        if not piece:
            raise _GoneError
        content += piece
    return content


def _send(kind: bytes, content: bytes) -> None:
    message = HEADER.pack(kind, len(content)) + content
    while message:
        message = message[os.write(1, message) :]


def _remove(folder: str) -> str | None:
    """Remove the folder; why it is still there, or None. Killed programs may still be ending."""
    deadline_s = time.monotonic() + _KILLED_MAY_WRITE_S
    os.chdir("/")
    while True:
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            if time.monotonic() > deadline_s:
                return error.strerror or str(error)
            time.sleep(_RETRY_S)


# Sent and executed as text, with the folder as the argument; imported, it only lends its names.
if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
