"""The handheld page as a worker has it: a real Chromium, from a photo to what is kept."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.imaging import encode_png
from edgeseg.sync.confirmations import ConfirmationLog, read_confirmations
from edgeseg.web.access import Access
from edgeseg.web.application import make_application
from edgeseg.web.matching.answers import Answers
from edgeseg.web.matching.decisions import Decisions
from edgeseg.web.matching.handlers import MatchingPage
from edgeseg.web.matching.source import FileSource
from edgeseg.web.server import listen, serving
from tests.edgeseg.web.driven import DESK, PHONE, Tab, browser, tab
from tests.edgeseg.web.matching.conftest import EVIL, Shop, photo_bytes

_MIN_TARGET_PX = 48


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@dataclass
class Served:
    """The page on a real port."""

    url: str
    origin: str
    log: ConfirmationLog
    lines: list[str]


@contextlib.contextmanager
def served(shop: Shop, token: str | None = None) -> Iterator[Served]:
    listener = listen("127.0.0.1", 0)
    lines: list[str] = []
    source = FileSource(shop.catalogue, shop.bundle, 1, shop.items)
    log = ConfirmationLog(shop.folder / "kept.jsonl")
    page = MatchingPage(Answers(source, 3), Decisions(log, None))
    # With a token: as for other machines, though it is this one that asks.
    access = Access.to("127.0.0.1" if token is None else "0.0.0.0", listener.port, token)
    application = make_application(page.routes(), access, lines.append)
    origin = f"http://127.0.0.1:{listener.port}"
    with serving(application, listener, lines.append):
        yield Served(f"{origin}/?token={token}" if token else f"{origin}/", origin, log, lines)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "taken.png"
    path.write_bytes(photo_bytes())
    return path


@pytest.fixture
def floor(tmp_path: Path) -> Path:
    path = tmp_path / "floor.png"
    path.write_bytes(encode_png(np.full((90, 120, 3), (90, 120, 90), np.uint8)))
    return path


def take(opened: Tab, photo: Path) -> None:
    opened.page.set_input_files("#take", photo)
    opened.page.locator("#result").wait_for()


def test_from_a_photo_to_what_is_kept(chromium: Any, shop: Shop, photo: Path) -> None:
    with served(shop) as server, tab(chromium, server.origin) as opened:
        page = opened.page
        page.goto(server.url)
        page.get_by_text("5 items").wait_for()
        take(opened, photo)
        assert page.locator("#verdict").inner_text() == "sku-red"
        assert "likely to be it" in page.locator("#doubt").inner_text()
        assert page.locator("#items img").count() == 3
        page.get_by_role("radio", name="sku-orange").check()
        page.get_by_role("button", name="Confirm sku-orange").click()
        page.get_by_text("Kept: sku-orange").wait_for()
        # From the keyboard: the next photo is where the focus is.
        assert page.evaluate("document.activeElement.id") == "take"
        take(opened, photo)
        page.get_by_role("button", name="None of these").click()
        page.get_by_text("Kept: none of these").wait_for()
        kept, _ = read_confirmations(server.log.path)
        assert [each.sku for each in kept] == ["sku-orange", None]
        assert (opened.troubles, opened.outside, server.lines) == ([], [], [])


def test_no_garment_is_said_and_the_whole_photo_matched(
    chromium: Any, shop: Shop, floor: Path
) -> None:
    with served(shop) as server, tab(chromium, server.origin) as opened:
        opened.page.goto(server.url)
        take(opened, floor)
        assert "No garment found" in opened.page.locator("#verdict").inner_text()
        assert opened.page.get_by_role("button", name="None of these").is_disabled()
        opened.page.get_by_role("button", name="Match the whole photo").click()
        opened.page.locator("#items li").first.wait_for()


def test_what_is_no_photo_is_told(chromium: Any, shop: Shop, photo: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo.read_bytes()[:300])
    note = tmp_path / "note.txt"
    note.write_text("not a photo")
    with served(shop) as server, tab(chromium, server.origin) as opened:
        page = opened.page
        page.goto(server.url)
        for wrong, told in ((broken, "The photo"), (note, "The photo has to be image/")):
            page.set_input_files("#choose", wrong)
            page.get_by_role("alert").get_by_text(told).wait_for()
            assert page.locator("#start").is_visible()
        take(opened, photo)
        assert not page.get_by_role("alert").is_visible()


def test_a_stroke_corrects_the_cutout(chromium: Any, shop: Shop, photo: Path) -> None:
    with served(shop) as server, tab(chromium, server.origin) as opened:
        page = opened.page
        page.goto(server.url)
        take(opened, photo)
        before = page.locator("#cutout-picture").get_attribute("src")
        page.get_by_role("button", name="Correct the cutout").click()
        page.get_by_role("button", name="Is garment").click()
        box = page.locator("#canvas").bounding_box()
        with page.expect_response("**/strokes") as answered:
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.3)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.6, steps=5)
            page.mouse.up()
        assert answered.value.status == 201
        page.get_by_text("The cutout is new.").wait_for()
        # The same by the keyboard, and all of it taken back.
        page.get_by_role("button", name="Is background").click()
        page.locator("#canvas").focus()
        page.keyboard.press("ArrowUp")
        with page.expect_response("**/strokes") as answered:
            page.keyboard.press(" ")
        assert answered.value.json()["cutout"] == "corrected"
        for _ in range(2):
            with page.expect_response("**/strokes") as answered:
                page.get_by_role("button", name="Undo").click()
        assert answered.value.json()["cutout"] == "model"
        page.get_by_role("button", name="Done").click()
        page.locator("#result").wait_for()
        assert page.locator("#cutout-picture").get_attribute("src") != before
        assert (opened.troubles, server.lines) == ([], [])


def test_scripts_in_a_catalogue_stay_text(chromium: Any, shop: Shop, photo: Path) -> None:
    shop.prefix = EVIL
    shop.build(attributes={EVIL: EVIL, "colour": "\u202e" + EVIL})
    with served(shop) as server, tab(chromium, server.origin) as opened:
        opened.page.goto(server.url)
        take(opened, photo)
        opened.page.wait_for_load_state("networkidle")
        assert opened.page.locator("#verdict").inner_text() == f"{EVIL}red"
        opened.page.locator("#confirm").click()
        opened.page.get_by_text("Kept:").wait_for()
        assert opened.page.locator("main script, main [onerror]").count() == 0
        assert (opened.troubles, opened.outside, server.lines) == ([], [], [])
        assert read_confirmations(server.log.path)[0][0].sku == f"{EVIL}red"


def test_a_new_generation_needs_no_reload(chromium: Any, shop: Shop, photo: Path) -> None:
    with served(shop) as server, tab(chromium, server.origin) as opened:
        opened.page.goto(server.url)
        take(opened, photo)
        shop.build("new-")
        for _ in range(100):
            take(opened, photo)
            opened.page.wait_for_timeout(50)
            if opened.page.locator("#verdict").inner_text() == "new-sku-red":
                break
        told = opened.page.locator("#items bdi").all_inner_texts()
        assert [sku.startswith("new-") for sku in told] == [True] * 3
        assert (opened.troubles, server.lines) == ([], [])


def test_the_token_is_asked_for_and_kept(chromium: Any, shop: Shop, photo: Path) -> None:
    with served(shop, "a-token-of-more-than-24-letters") as server:
        with tab(chromium, server.origin) as stranger:
            assert stranger.page.goto(server.origin).status == 401
        server.lines.clear()
        with tab(chromium, server.origin) as opened:
            opened.page.goto(server.url)
            opened.page.get_by_text("5 items").wait_for()
            assert opened.page.url == f"{server.origin}/"
            take(opened, photo)
            # Out of reach of any script.
            assert opened.page.evaluate("document.cookie") == ""
            [kept] = opened.page.context.cookies()
            assert (kept["httpOnly"], kept["sameSite"]) == (True, "Strict")
            assert (opened.troubles, server.lines) == ([], [])


def test_no_other_site_reaches_it(chromium: Any, shop: Shop) -> None:
    """From a page of another origin in the same browser."""
    with served(shop) as server, tab(chromium, "") as opened:
        opened.page.goto(f"{server.origin}/icon.svg".replace("127.0.0.1", "localhost"))
        tried = opened.page.evaluate(
            """async (origin) => {
                const tried = [];
                for (const [path, options] of [
                    ["/api/state", {}],
                    ["/api/state", {mode: "no-cors"}],
                    ["/api/answers", {method: "POST", body: "x"}],
                    ["/api/answers", {method: "POST", body: "x", mode: "no-cors"}],
                ]) {
                    try {
                        const answer = await fetch(origin + path, options);
                        tried.push(answer.type + answer.status);
                    } catch (error) { tried.push("refused"); }
                }
                return tried;
            }""",
            server.origin,
        )
        assert set(tried) == {"refused"}


def test_the_app_opens_when_nobody_answers(chromium: Any, shop: Shop) -> None:
    with tab(chromium, "") as opened:
        page = opened.page
        with served(shop) as server:
            opened.origin = server.origin
            page.goto(server.url)
            page.get_by_text("5 items").wait_for()
            page.evaluate("navigator.serviceWorker.ready.then(() => true)")
            manifest = page.evaluate("fetch('/manifest.webmanifest').then((told) => told.json())")
            for icon in manifest["icons"]:
                assert page.request.get(server.origin + icon["src"]).status == 200
            page.reload()
            page.get_by_text("5 items").wait_for()
        page.reload()
        page.get_by_role("alert").get_by_text("Is `edgeseg serve` still running").wait_for()
        assert page.locator("#start").is_visible()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_stands_in_anybodys_way(
    chromium: Any, shop: Shop, photo: Path, floor: Path, size: tuple[int, int], scheme: str
) -> None:
    with (
        served(shop) as server,
        tab(chromium, server.origin, size, color_scheme=scheme, bypass_csp=True) as opened,
    ):
        page = opened.page
        page.goto(server.url)
        page.get_by_text("5 items").wait_for()
        found = {"start": opened.findings()}
        take(opened, photo)
        page.wait_for_load_state("networkidle")
        found["result"] = opened.findings()
        sizes = [_small_targets(opened)]
        page.get_by_role("button", name="Correct the cutout").click()
        page.locator("#correction").wait_for()
        found["correction"] = opened.findings()
        sizes.append(_small_targets(opened))
        page.get_by_role("button", name="Done").click()
        take(opened, floor)
        found["no garment"] = opened.findings()
        sizes.append(_small_targets(opened))
        assert found == {view: [] for view in found}
        assert sizes == [[]] * 3
        assert opened.excess_px() <= 0


def _small_targets(opened: Tab) -> list[str]:
    """What is pressed with gloves on and smaller than that allows."""
    told = opened.page.evaluate(
        """[...document.querySelectorAll("button, .button, .item")]
            .filter((each) => each.checkVisibility())
            .map((each) => [each.textContent.trim(), each.getBoundingClientRect()])
            .map(([text, box]) => [text, box.width, box.height])"""
    )
    assert len(told) >= 3
    return [json.dumps(each) for each in told if min(each[1:]) < _MIN_TARGET_PX]
