"""The label page in a real Chromium, driven by mouse, fingers and keys."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="needs the extra serve")

from edgeseg.labelling.label_set import LabelSet
from tests.verify.figure import NotMeasuredError
from tests.verify.label_attacks import unrefused
from tests.verify.label_site import (
    Site,
    chromium,
    chromium_program,
    draw,
    drawn_photo,
    make_labels,
    sit_down,
    wait_ready,
    wait_saved,
)


def _require_chromium() -> None:
    try:
        chromium_program()
    except NotMeasuredError as absent:
        pytest.skip(str(absent))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    _require_chromium()
    with chromium() as started:
        yield started


class Visit:
    """A label set of six photos, its server, and one person's page."""

    def __init__(self, browser: Any, folder: Path, **screen: Any) -> None:
        self.labels = make_labels(folder, (drawn_photo(number, 640, 480) for number in range(6)))
        self.site = Site(self.labels.folder)
        self.context = browser.new_context(viewport={"width": 1000, "height": 700}, **screen)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def begin(self) -> Any:
        self.site.start()
        sit_down(self.page, self.site.url, "Anna")
        return self.page

    def strokes(self, number: int = 0) -> list[Any]:
        wait_saved(self.page)
        return self.labels.strokes(self.labels.records()[number].id)


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Visit]:
    made = Visit(browser, tmp_path)
    yield made
    made.site.kill()
    made.context.close()
    assert made.complaints == []


def _drawn_share(page: Any) -> str:
    return str(page.get_attribute("#stage", "aria-label"))


def test_strokes_of_every_tool(visit: Visit) -> None:
    page = visit.begin()
    before = _drawn_share(page)
    assert "photo 000.jpg" in before.lower()
    draw(page, [(0.3, 0.3), (0.4, 0.4)])
    draw(page, [(0.3, 0.3), (0.4, 0.4)], "right")
    page.keyboard.press("e")
    draw(page, [(0.5, 0.5), (0.6, 0.5)])
    page.keyboard.press("c")
    draw(page, [(0.5, 0.5)])
    page.keyboard.press("r")
    draw(page, [(0.2, 0.2), (0.8, 0.8)])
    page.keyboard.press("p")
    page.keyboard.press("k")
    for corner in ((0.3, 0.3), (0.4, 0.3), (0.4, 0.4)):
        draw(page, [corner])
    page.keyboard.press("Enter")
    strokes = visit.strokes()
    told = [(stroke.kind, stroke.foreground) for stroke in strokes]
    assert told == [
        ("foreground", True), ("background", False), ("eraser", False), ("click", True),
        ("rectangle", True), ("polygon", False),
    ]  # fmt: skip
    assert len(strokes[5].points) == 3
    assert strokes[3].width_px == 0
    # 24 pixels of the screen, in the photo's.
    assert strokes[0].width_px == pytest.approx(24 / page.evaluate(
        "Math.min(document.querySelector('#stage').width / 640,"
        " document.querySelector('#stage').height / 480)"
    ), rel=0.02)  # fmt: skip
    assert page.evaluate("performance.getEntriesByName('stroke to mask').length") == 6


def test_the_keyboard_alone_is_enough(visit: Visit) -> None:
    page = visit.begin()
    page.keyboard.press("k")
    page.keyboard.press("]")
    for key in ("ArrowLeft", "ArrowUp", "Space", "ArrowRight", "Shift+ArrowRight", "Space"):
        page.keyboard.press(key)
    (stroke,) = visit.strokes()
    assert stroke.kind == "background"
    (x0, y0), (x1, y1) = stroke.points[0], stroke.points[-1]
    assert x1 > x0
    assert y1 == y0
    page.keyboard.press("z")
    assert visit.strokes() == []
    page.keyboard.press("y")
    assert visit.strokes() == [stroke]
    page.keyboard.press("p")
    for key in ("Space", "ArrowRight", "ArrowRight", "Space", "ArrowDown", "ArrowDown", "Space"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    assert [each.kind for each in visit.strokes()] == ["background", "polygon"]
    page.keyboard.press("n")
    page.keyboard.type("a sleeve is hidden")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.wait_for_function("document.querySelector('#photo-name').textContent === '001.jpg'")
    wait_ready(page)
    record = visit.labels.records()[0]
    assert (record.state, record.note) == ("rejected", "a sleeve is hidden")
    page.keyboard.press("Backspace")
    page.wait_for_function("document.querySelector('#photo-name').textContent === '000.jpg'")
    wait_ready(page)
    page.keyboard.press("a")
    page.wait_for_function("document.querySelector('#photo-name').textContent === '001.jpg'")
    assert visit.labels.records()[0].state == "accepted"


def test_zoom_moves_what_is_drawn_with_the_photo(visit: Visit) -> None:
    page = visit.begin()
    draw(page, [(0.5, 0.5)])
    page.mouse.wheel(0, -600)
    page.wait_for_timeout(100)
    draw(page, [(0.5, 0.5)])
    page.keyboard.press("Control+ArrowRight")
    draw(page, [(0.5, 0.5)])
    first, second, third = visit.strokes()
    # The wheel zooms about the pointer, so that what is under it stays there.
    assert second.points[0] == pytest.approx(first.points[0], abs=1.0)
    assert second.width_px < first.width_px / 2
    assert third.points[0][0] > second.points[0][0] + 5
    page.keyboard.press("0")
    assert page.locator("#zoom-told").inner_text().startswith("Fit")


def test_two_fingers_zoom_and_draw_nothing(browser: Any, tmp_path: Path) -> None:
    visit = Visit(browser, tmp_path, has_touch=True)
    try:
        page = visit.begin()
        devtools = visit.context.new_cdp_session(page)
        frame = page.locator("#stage").bounding_box()
        x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
        for kind, reach in (("touchStart", 0), ("touchStart", 40), ("touchMove", 80),
                            ("touchMove", 120), ("touchEnd", None)):  # fmt: skip
            fingers = [] if reach is None else [{"x": x - 40, "y": y, "id": 0}]
            if reach:
                fingers.append({"x": x + reach, "y": y, "id": 1})
            devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})
        assert page.locator("#zoom-told").inner_text() == "200 % 0"
        assert visit.strokes() == []
    finally:
        visit.site.kill()
        visit.context.close()


def test_a_server_that_dies_is_told_and_nothing_is_lost(visit: Visit) -> None:
    page = visit.begin()
    draw(page, [(0.3, 0.3), (0.4, 0.4)])
    wait_saved(page)
    visit.site.kill()
    draw(page, [(0.4, 0.4), (0.5, 0.5)])
    draw(page, [(0.5, 0.4), (0.6, 0.5)])
    page.wait_for_selector("#banner:visible")
    assert "not saved: 2 actions" in page.locator("#banner").inner_text()
    assert page.locator("#saved").inner_text() == "Not saved"
    # And the browser's page is gone as well: what it had not sent is sent by the next.
    page.wait_for_timeout(200)
    visit.site.start()
    page.reload()
    wait_ready(page)
    assert len(visit.strokes()) == 3
    assert not page.is_visible("#banner")


def test_a_lost_lease_is_told(visit: Visit) -> None:
    page = visit.begin()
    record = visit.labels.records()[0]
    later = LabelSet(visit.labels.folder, lambda: time.time() + 3600)
    later.claim(record.id, "Ben", 7200)
    draw(page, [(0.3, 0.3), (0.4, 0.4)])
    page.wait_for_selector("#lost[open]")
    assert "with Ben now. The last action was not saved." in page.locator("#lost-text").inner_text()
    page.click("#lost-button")
    page.wait_for_function("document.querySelector('#photo-name').textContent === '001.jpg'")
    assert visit.labels.strokes(record.id) == []


def test_who_is_asked_once(visit: Visit) -> None:
    page = visit.begin()
    page.reload()
    wait_ready(page)
    assert page.locator("#person-name").inner_text() == "Anna"
    assert not page.is_visible("#ask-name")


def test_nothing_is_asked_of_anyone_else(visit: Visit) -> None:
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    page = visit.begin()
    draw(page, [(0.3, 0.3), (0.4, 0.4)])
    wait_saved(page)
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith(visit.site.url)] == []


def test_attacks_on_its_own_routes(tmp_path: Path) -> None:
    _require_chromium()
    let_through, tried = unrefused(tmp_path)
    assert let_through == []
    assert tried > 25
