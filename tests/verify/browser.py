"""A headless Chromium, spoken to by its DevTools protocol through two pipes."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.verify.figure import NotMeasuredError

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE_S = 60.0
_EXCESS = "(page => page.scrollWidth - page.clientWidth)(document.scrollingElement)"
# What the protocol reads its commands from, and what it writes its answers to.
_COMMANDS_FD, _ANSWERS_FD, _BEYOND_FD = 3, 4, 10


@dataclass
class Visit:
    """What a page did.

    Attributes:
        requested: Everything that it asked for but itself and what it holds (``data:``), whether or
            not it was let through.
        excess_px: How much wider than the screen it is.
        picture: A PNG of the whole page.
    """

    requested: list[str] = field(default_factory=list)
    excess_px: float = 0.0
    picture: bytes = b""


class Browser:
    """Chromium, as long as the ``with`` block lasts.

    Raises:
        NotMeasuredError: None is installed, it does not start, or it does not answer.
    """

    def __init__(self) -> None:
        program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
        if program is None:
            raise NotMeasuredError("no Chromium is installed (Debian: apt-get install chromium)")
        self._program = program
        self._number = 0
        self._buffer = b""
        self._events: list[dict[str, Any]] = []
        self._alive = contextlib.ExitStack()

    def __enter__(self) -> Browser:
        profile = self._alive.enter_context(
            # Chromium's helpers may still write as they end.
            tempfile.TemporaryDirectory(prefix="edgeseg-chromium-", ignore_cleanup_errors=True)
        )
        commands, self._out = os.pipe()
        self._in, answers = os.pipe()
        for descriptor in (self._out, self._in):
            self._alive.callback(os.close, descriptor)
        # Beyond those that the protocol uses, so that the one's place is not taken by the other.
        theirs = [fcntl.fcntl(each, fcntl.F_DUPFD, _BEYOND_FD) for each in (commands, answers)]
        # A shell puts the pipes where the protocol has them: no Python runs between fork and exec.
        command = f'exec "$0" "$@" {_COMMANDS_FD}<&{theirs[0]} {_ANSWERS_FD}>&{theirs[1]}'
        options = [
            "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
            "--no-first-run", "--disable-background-networking", f"--user-data-dir={profile}",
        ]  # fmt: skip
        process = subprocess.Popen(
            ["bash", "-c", command, self._program, *options],
            pass_fds=theirs,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for descriptor in (commands, answers, *theirs):
            os.close(descriptor)
        self._alive.callback(_end, process)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._alive.close()

    def visit(self, page: Path, width_px: int, *, dark: bool = False) -> Visit:
        """Open a page on a screen of a width, and wait until it is loaded.

        Args:
            page: An HTML file.
            width_px: In CSS pixels; below 600 as a phone.
            dark: Whether the screen is set to dark colours.

        Raises:
            NotMeasuredError: Chromium does not answer, or cannot open the page.
        """
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Network.enable", session)
        self._call("Page.enable", session)
        self._call(
            "Emulation.setDeviceMetricsOverride",
            session,
            width=width_px,
            height=800,
            deviceScaleFactor=1,
            mobile=width_px < 600,
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._call("Emulation.setEmulatedMedia", session, features=scheme)
        self._events.clear()
        url = page.absolute().as_uri()
        self._call("Page.navigate", session, url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._receive()
        told = self._call(
            "Runtime.evaluate",
            session,
            expression=_EXCESS,
        )
        shot = self._call("Page.captureScreenshot", session, captureBeyondViewport=True)
        requested = [
            event["params"]["request"]["url"]
            for event in self._events
            if event["method"] == "Network.requestWillBeSent"
        ]
        self._call("Target.closeTarget", targetId=target)
        return Visit(
            [each for each in requested if each != url and not each.startswith("data:")],
            float(told["result"]["value"]),
            base64.b64decode(shot["data"]),
        )

    def _call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        with contextlib.suppress(BrokenPipeError):  # what it said last is told below
            os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                break
        if "error" in answer:
            raise NotMeasuredError(f"Chromium refuses {method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _receive(self) -> dict[str, Any]:
        """The next message; an event is kept too."""
        for message in self._messages():
            told: dict[str, Any] = json.loads(message)
            if "method" in told:
                self._events.append(told)
            return told
        raise NotMeasuredError("Chromium ended by itself")

    def _messages(self) -> Iterator[bytes]:
        end_s = time.monotonic() + _PATIENCE_S
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, end_s - time.monotonic()))
            if not ready:
                raise NotMeasuredError(f"Chromium said nothing for {_PATIENCE_S:.0f} s")
            read = os.read(self._in, 1 << 20)
            if not read:
                return
            self._buffer += read
        message, _, self._buffer = self._buffer.partition(b"\0")
        yield message


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
