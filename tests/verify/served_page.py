"""``edgeseg serve`` as a process of its own, with its memory and its log."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.verify.figure import NotMeasuredError
from tests.verify.workbench import EDGESEG, REPOSITORY, Workbench


@dataclass
class Server:
    """A page that is served.

    Attributes:
        url: to open, with the token where there is one.
        process: that serves it.
        kept: its file of confirmations.
        lines: its log so far.
    """

    url: str
    process: subprocess.Popen[str]
    kept: Path
    lines: list[str] = field(default_factory=list)

    @property
    def origin(self) -> str:
        """Without path and token."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def port(self) -> int:
        """That it listens at."""
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def memory_bytes(self) -> int:
        """What it holds now, its own and what it shares."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) * 1024

    def check_quiet(self, opened: Any) -> None:
        """Nothing went wrong that would make a figure worthless.

        Raises:
            NotMeasuredError: the page or the server complained.
        """
        troubles = [*opened.troubles, *self.lines, *opened.outside]
        if troubles:
            raise NotMeasuredError(f"the page complains: {troubles[0]}")


@contextlib.contextmanager
def serve_page(bench: Workbench, *options: str) -> Iterator[Server]:
    """Serve while the context lasts, at any free port.

    Raises:
        NotMeasuredError: it does not start.
    """
    with tempfile.TemporaryDirectory(dir=bench.work, prefix="served-") as folder:
        kept = Path(folder) / "kept.jsonl"
        process = subprocess.Popen(
            [*EDGESEG, "serve", "--port", "0", "--confirmations", str(kept), "--json", *options],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            server = Server(_told(process)["url"], process, kept)
            assert process.stderr is not None
            told = (process.stderr, server.lines)
            threading.Thread(target=_read, args=told, daemon=True).start()
            yield server
        finally:
            process.terminate()
            process.wait()


def _told(process: subprocess.Popen[str]) -> dict[str, str]:
    """What it printed at its start."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        with contextlib.suppress(ValueError):
            told: dict[str, str] = json.loads(text)
            return told
    assert process.stderr is not None
    raise NotMeasuredError(f"edgeseg serve: {process.stderr.read().strip()}")


def _read(stream: Any, lines: list[str]) -> None:
    for line in stream:
        lines.append(line.rstrip("\n"))
