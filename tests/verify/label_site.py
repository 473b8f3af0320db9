"""A label set, its page served by a process of its own, and Chromium upon it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgeseg.files import sha256_hex
from edgeseg.imaging import Photo, encode_jpeg, encode_png, resize_bilinear
from edgeseg.labelling.filling import add_photo, create_label_set
from edgeseg.labelling.label_set import LabelSet
from edgeseg.labelling.records import NewPhoto
from tests.verify.figure import NotMeasuredError
from tests.verify.workbench import EDGESEG, REPOSITORY

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE_S = 60.0


def drawn_photo(number: int, width_px: int = 160, height_px: int = 120) -> Photo:
    """A bright garment in the middle of a dark ground, different for each number."""
    rng = np.random.default_rng(number)
    photo = rng.integers(20, 60, (height_px, width_px, 3)).astype(np.uint8)
    top, left = height_px // 4, width_px // 4
    garment = photo[top : 3 * top, left : 3 * left]
    garment[...] = garment // 4 + rng.integers(140, 200, 3).astype(np.uint8)
    return photo


def make_labels(
    place: Path, photos: Iterable[Photo], group: str = "group {}", confidence: Any = None
) -> LabelSet:
    """A label set of photos, in place/labels; a group has three photos.

    Args:
        place: a folder, made where it is absent.
        photos: `(H, W, 3)` uint8 RGB each.
        group: names of groups; the number stands for ``{}``.
        confidence: gives the confidence mask of a photo; None has a rectangle in the middle.
    """
    folder = place / "photos"
    folder.mkdir(parents=True, exist_ok=True)
    create_label_set(place / "labels", folder)
    labels = LabelSet(place / "labels")
    for number, photo in enumerate(photos):
        height, width = photo.shape[:2]
        if confidence is None:
            seed = np.zeros((48, 64), np.uint8)
            seed[12:36, 16:40] = 255
        else:
            seed = (confidence(photo) * 255).round().astype(np.uint8)
        data = encode_jpeg(photo)
        path = f"{number:03d}.jpg"
        (folder / path).write_bytes(data)
        mask = resize_bilinear(seed, width, height) >= 128
        add_photo(
            labels,
            NewPhoto(
                path, sha256_hex(data), width, height, group.format(number // 3), "segmenter",
                encode_png(seed), encode_png(mask),
            ),
        )  # fmt: skip
    return labels


class Site:
    """``edgeseg label serve`` in a process, always at the same port."""

    def __init__(self, labels: Path) -> None:
        self._labels = labels
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        port = ("--port", str(self.port))
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
        self._process = subprocess.Popen(
            [*EDGESEG, "label", "serve", str(self._labels), *port],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end_s:
            with contextlib.suppress(OSError), urllib.request.urlopen(self.url, timeout=5):
                return
            time.sleep(0.05)
        raise NotMeasuredError("the label page's server does not answer")

    def kill(self) -> None:
        """End it without warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Site:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def chromium_program() -> str:
    """Where Chromium is.

    Raises:
        NotMeasuredError: none is installed, or nothing to drive it with.
    """
    program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        raise NotMeasuredError("no Chromium is installed (Debian: apt-get install chromium)")
    try:
        import playwright.sync_api  # noqa: F401
    except ModuleNotFoundError as error:
        raise NotMeasuredError("playwright is not installed (extra dev)") from error
    return program


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium, as playwright's ``Browser``.

    Raises:
        NotMeasuredError: there is none.
    """
    program = chromium_program()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class MortalChromium:
    """A Chromium with a profile of its own, to be killed and started again."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._profile = tempfile.mkdtemp(prefix="edgeseg-chromium-")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Any:
        """Start it; gives a page."""
        port_file = Path(self._profile, "DevToolsActivePort")
        port_file.unlink(missing_ok=True)
        for lock in Path(self._profile).glob("Singleton*"):
            lock.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [
                chromium_program(), "--headless", "--no-sandbox", "--disable-gpu",
                "--remote-debugging-port=0", "--no-first-run", "--disable-background-networking",
                "--window-size=1000,700", f"--user-data-dir={self._profile}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        end_s = time.monotonic() + _PATIENCE_S
        while not (port_file.exists() and port_file.read_text()):
            if time.monotonic() > end_s:
                raise NotMeasuredError("Chromium does not start")
            time.sleep(0.05)
        port = port_file.read_text().split()[0]
        browser = self._driver.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
        return browser.contexts[0].new_page()

    def kill(self) -> None:
        """End it without warning, with all its processes."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        """End it for good."""
        self.kill()
        shutil.rmtree(self._profile, ignore_errors=True)


def sit_down(page: Any, url: str, who: str) -> None:
    """Open the label page, give a name where it is asked for, and wait for a photo or its end."""
    page.goto(url)
    page.wait_for_function(
        "document.querySelector('#ask-name').open || document.querySelector('#person-name')"
        ".textContent.length > 1"
    )
    if page.evaluate("document.querySelector('#ask-name').open"):
        page.fill("#name", who)
        page.click("#name-form [type=submit]")
    wait_ready(page)


def wait_ready(page: Any, timeout_s: float = 30.0) -> None:
    """Wait until a photo can be drawn on, or there is none any more."""
    page.wait_for_function(
        "!document.querySelector('[data-do=accept]').disabled"
        " || !document.querySelector('#notice').hidden",
        timeout=1000 * timeout_s,
    )


def wait_saved(page: Any, timeout_s: float = 30.0) -> None:
    """Wait until nothing is on its way."""
    page.wait_for_function(
        "document.querySelector('#saved').dataset.state === 'saved'", timeout=1000 * timeout_s
    )


def draw(page: Any, points: list[tuple[float, float]], button: str = "left") -> None:
    """Draw with the mouse; points as shares of the canvas."""
    frame = page.locator("#stage").bounding_box()
    places = [
        (frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]) for x, y in points
    ]
    page.mouse.move(*places[0])
    page.mouse.down(button=button)
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up(button=button)
