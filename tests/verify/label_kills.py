"""A labelling session whose server and browser are killed at random moments."""

from __future__ import annotations

import contextlib
import random
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeseg.errors import EdgesegError
from edgeseg.files import sha256_hex
from edgeseg.imaging import read_mask
from edgeseg.labelling.label_set import LabelSet
from tests.verify.label_site import (
    MortalChromium,
    Site,
    chromium_program,
    draw,
    drawn_photo,
    make_labels,
    wait_ready,
)

_PHOTOS = 400
_LONGEST_LIFE_S = 3.0
_SIDE_PX = (640, 480)


@dataclass
class Told:
    """What the browser was told is saved.

    Attributes:
        accepted: photos by id.
        strokes: the most strokes in force of each photo that is not accepted.
    """

    accepted: set[int] = field(default_factory=set)
    strokes: dict[int, int] = field(default_factory=dict)

    def hear(self, response: Any) -> None:
        """Note an answer that came to the browser whole."""
        verb = response.url.rpartition("/")[2]
        if response.status != 200 or verb not in ("accept", "strokes", "undo"):
            return
        # The browser may be gone before its body is asked for: then nobody was told anything.
        with contextlib.suppress(Exception):
            photo = response.json()["photo"]
            if verb == "accept":
                self.accepted.add(photo["id"])
            else:
                self.strokes[photo["id"]] = photo["strokes_done"]


def killed(kills: int, seed: int = 7) -> Sequence[float]:
    """Label with kills between; gives masks lost, masks half-written, strokes lost, kills, masks.

    Args:
        kills: how many, of server and browser in turn.
        seed: of the moments.

    Raises:
        NotMeasuredError: there is no Chromium.
    """
    chromium_program()
    from playwright.sync_api import sync_playwright

    rng, told = random.Random(seed), Told()
    halves = done = 0
    with (
        tempfile.TemporaryDirectory(prefix="edgeseg-kills-") as folder,
        sync_playwright() as driver,
    ):
        photos = (drawn_photo(number, *_SIDE_PX) for number in range(_PHOTOS))
        labels = make_labels(Path(folder), photos)
        browser = MortalChromium(driver)
        try:
            with Site(labels.folder) as site:
                page = _opened(browser, site, told)
                for done in range(1, kills + 1):
                    victim: Callable[[], None] = site.kill if done % 2 else browser.kill
                    _work_until_killed(page, victim, rng)
                    halves += _half_written(labels)
                    if done % 2:
                        site.start()
                        _resume(page)
                    else:
                        page = _opened(browser, site, told)
        finally:
            browser.close()
        lost, strokes_lost = _lost(labels, told)
        return [lost, halves, strokes_lost, done, len(told.accepted)]


def _opened(browser: MortalChromium, site: Site, told: Told) -> Any:
    page = browser.start()
    page.on("response", told.hear)
    page.goto(site.url)
    page.wait_for_timeout(300)
    _resume(page)
    return page


def _resume(page: Any) -> None:
    """Answer what a page asks for after a kill, until it can be drawn on."""
    end_s = time.monotonic() + 60
    while time.monotonic() < end_s:
        if page.is_visible("#name-over"):
            # The browser died before it had written down who it is.
            page.click("#name-over")
        elif page.is_visible("#ask-name"):
            page.fill("#name", "Anna")
            page.click("#name-form [type=submit]")
        elif page.is_visible("#lost-button"):
            page.click("#lost-button")
        elif page.evaluate("document.querySelector('#saved').dataset.state === 'saved'"):
            with contextlib.suppress(Exception):
                wait_ready(page, 2)
                return
        page.wait_for_timeout(50)
    raise TimeoutError("the page does not go on after a kill")


def _work_until_killed(page: Any, kill: Callable[[], None], rng: random.Random) -> None:
    """Stroke and accept; the kill comes from beside, at any moment."""
    timer = threading.Timer(rng.uniform(0.02, _LONGEST_LIFE_S), kill)
    timer.start()
    # The page may be gone in the middle of anything.
    with contextlib.suppress(Exception):
        while timer.is_alive():
            for _ in range(rng.randrange(3)):
                x, y = rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.6)
                draw(page, [(x, y), (x + 0.1, y + 0.05)], rng.choice(["left", "right"]))
                if rng.random() < 0.3:
                    page.keyboard.press("z")
            page.keyboard.press("a")
            page.wait_for_timeout(rng.choice([0, 20, 200]))
    timer.join()


def _half_written(labels: LabelSet) -> int:
    """Masks of the set, named by the database or not, that are not whole."""
    broken = 0
    for record in labels.records():
        path = labels.mask_path(record)
        assert path is not None
        try:
            whole = read_mask(path).shape == (record.height_px, record.width_px)
            named = path.stem.partition("-")[2] == sha256_hex(path.read_bytes())[:16]
            broken += not (whole and named)
        except (EdgesegError, OSError):
            broken += 1
    return broken


def _lost(labels: LabelSet, told: Told) -> tuple[int, int]:
    """Accepted masks, and strokes of other photos, that were told saved and are not there."""
    lost = sum(labels.record(photo_id).state != "accepted" for photo_id in told.accepted)
    strokes = sum(
        labels.record(photo_id).strokes_known < count for photo_id, count in told.strokes.items()
    )
    return lost, strokes


def main() -> None:
    """Print the figures."""
    print(killed(24))


if __name__ == "__main__":
    main()
