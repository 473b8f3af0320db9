"""Checks of the label page: how fast, whose photo it is, for whom it can be used, and attacks."""

from __future__ import annotations

import csv
import itertools
import shutil
import statistics
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from edgeseg.imaging import Photo, read_photo, resize_bilinear
from edgeseg.labelling.label_set import LabelSet
from edgeseg.segmenter import Segmenter
from tests.verify.figure import Check, Figure, NotMeasuredError
from tests.verify.label_attacks import unrefused
from tests.verify.label_kills import killed
from tests.verify.label_site import (
    Site,
    chromium,
    draw,
    drawn_photo,
    make_labels,
    sit_down,
    wait_for,
    wait_ready,
    wait_saved,
)
from tests.verify.workbench import Workbench

NAMES = ("label-speed", "label-kills", "label-people", "label-access", "label-attacks")

_LARGE_PX = (4000, 3000)
_STROKES = 20
_LARGE_PHOTOS = 2
_KILLS = 24
_SCREENS = {"phone": (390, 844), "desk": (1280, 800)}


def checks(bench: Workbench) -> list[Check]:
    """All of them, bound to a workbench."""
    return [
        Check(
            "label-speed",
            (
                Figure(
                    "label page: a stroke to its mask on screen, 12 megapixels, p90 (ms)",
                    "<", 400, "{:.0f}",
                ),
                Figure("the same, median (ms)", "told", form="{:.0f}"),
            ),
            partial(_speed, bench),
        ),
        Check(
            "label-kills",
            (
                Figure("label page: accepted masks lost by kills", "<=", 0, "{:.0f}"),
                Figure("label page: masks half-written by kills", "<=", 0, "{:.0f}"),
                Figure("label page: saved strokes lost by kills", "<=", 0, "{:.0f}"),
                Figure("label page: kills of server or browser", ">=", 20, "{:.0f}"),
                Figure("masks accepted meanwhile", ">=", 10, "{:.0f}"),
            ),
            lambda: killed(_KILLS),
        ),
        Check(
            "label-people",
            (
                Figure("label page: photos that two browsers had at once", "<=", 0, "{:.0f}"),
                Figure("label page: photos done by two browsers of 24", ">=", 24, "{:.0f}"),
            ),
            partial(_people, bench),
        ),
        Check(
            "label-access",
            (
                Figure("label page: serious findings of axe-core", "<=", 0, "{:.0f}"),
                Figure("label page: states examined, phone and desk", ">=", 12, "{:.0f}"),
            ),
            partial(_accessible, bench),
        ),
        Check(
            "label-attacks",
            (
                Figure("label page: attacks let through or not logged", "<=", 0, "{:.0f}"),
                Figure("label page: attacks tried", ">=", 25, "{:.0f}"),
            ),
            partial(_attacks, bench),
        ),
    ]  # fmt: skip


def _fresh(place: Path) -> Path:
    """A folder without what an earlier run labelled there."""
    shutil.rmtree(place, ignore_errors=True)
    return place


def _speed(bench: Workbench) -> Sequence[float]:
    (folder,) = bench.need("segmentation/snapshots")
    network = Segmenter(bench.bundle).network_confidence
    place = _fresh(bench.work / "label-speed")
    make_labels(place, itertools.islice(large_photos(folder), _LARGE_PHOTOS), confidence=network)
    times_ms: list[float] = []
    with Site(place / "labels") as site, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        sit_down(page, site.url, "Anna")
        for _ in range(_LARGE_PHOTOS):
            for number in range(_STROKES):
                _stroke(page, number)
                wait_saved(page)
                page.wait_for_timeout(100)
            times_ms += page.evaluate(
                "performance.getEntriesByName('stroke to mask').map(each => each.duration)"
            )
            page.evaluate("performance.clearMeasures()")
            page.keyboard.press("a")
            page.wait_for_timeout(300)
            wait_ready(page)
    if len(times_ms) != _LARGE_PHOTOS * _STROKES:
        raise NotMeasuredError(f"{len(times_ms)} of {_LARGE_PHOTOS * _STROKES} strokes were timed")
    return [statistics.quantiles(times_ms, n=10)[-1], statistics.median(times_ms)]


def _stroke(page: Any, number: int) -> None:
    """A brush's stroke or a click, garment or background, somewhere else each time."""
    x, y = 0.15 + 0.6 * (number * 0.618 % 1), 0.2 + 0.5 * (number * 0.382 % 1)
    page.keyboard.press("c" if number % 3 == 2 else "b")
    points = [(x, y)] if number % 3 == 2 else [(x, y), (x + 0.05, y + 0.04), (x + 0.1, y + 0.02)]
    draw(page, points, "right" if number % 2 else "left")


def large_photos(folder: Path) -> Iterator[Photo]:
    """The validation snapshots, enlarged to what a phone's camera gives."""
    with (folder / "split.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["split"] == "val":
                photo = read_photo(folder / row["image"])
                height, width = photo.shape[:2]
                sides = _LARGE_PX if width >= height else _LARGE_PX[::-1]
                yield resize_bilinear(photo, *sides)


def _people(bench: Workbench) -> Sequence[float]:
    """Two people in two browsers, and a third whose name is taken."""
    labels = make_labels(_fresh(bench.work / "label-people"), map(drawn_photo, range(24)))
    shared = 0
    with Site(labels.folder) as site, chromium() as browser:
        pages = [browser.new_context().new_page() for _ in range(3)]
        for page, who in zip(pages, ("Anna", "Ben", "Anna"), strict=True):
            if page is not pages[2]:
                sit_down(page, site.url, who)
        pages[2].goto(site.url)
        pages[2].fill("#name", "Anna")
        pages[2].click("#name-form [type=submit]")
        pages[2].wait_for_selector("#name-over:visible")
        for _ in range(24):
            names = [page.locator("#photo-name").inner_text() for page in pages]
            held = [name for name in names if name]
            shared += len(held) - len(set(held))
            # Both at once, so that both ask for the next at the same time.
            for page in pages[:2]:
                page.keyboard.press("a")
            for page in pages[:2]:
                page.wait_for_timeout(50)
                wait_ready(page)
    done = [record.decided_by for record in labels.records("accepted")]
    if set(done) != {"Anna", "Ben"}:
        raise NotMeasuredError(f"masks were accepted by {sorted(set(done))}, not by two people")
    return [shared, len(done)]


def _accessible(bench: Workbench) -> Sequence[float]:
    try:
        from axe_core_python.sync_playwright import Axe
    except ModuleNotFoundError as error:
        raise NotMeasuredError("axe-core-python is not installed (extra dev)") from error
    axe, found, examined = Axe(), [], 0
    with chromium() as browser:
        for name, (width, height) in _SCREENS.items():
            labels = make_labels(
                _fresh(bench.work / f"label-access-{name}"), map(drawn_photo, range(2))
            )
            site = Site(labels.folder)
            with site:
                page = browser.new_page(viewport={"width": width, "height": height})
                for state in states(page, site, labels):
                    (bench.work / f"label-{name}-{state}.png").write_bytes(page.screenshot())
                    told = axe.run(page)["violations"]
                    found += [each for each in told if each["impact"] in ("serious", "critical")]
                    examined += 1
                page.close()
    for each in found:
        (bench.work / "label-access.txt").open("a").write(f"{each['id']}: {each['nodes']}\n")
    return [len(found), examined]


def states(page: Any, site: Site, labels: LabelSet) -> Iterator[str]:
    """Bring a page from one state to the next; gives the name of each."""
    page.goto(site.url)
    page.wait_for_selector("#ask-name[open]")
    yield "name"
    page.fill("#name", "Anna")
    page.click("#name-form [type=submit]")
    wait_ready(page)
    yield "fresh"
    draw(page, [(0.4, 0.4), (0.5, 0.5)], "right")
    wait_saved(page)
    yield "strokes"
    page.keyboard.press("v")
    yield "cutout"
    page.keyboard.press("v")
    page.keyboard.press("v")
    for _ in range(4):
        page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(400)
    yield "zoomed"
    page.evaluate(
        "() => document.querySelectorAll('details').forEach(each => { each.open = true; })"
    )
    yield "lists"
    site.kill()
    draw(page, [(0.6, 0.4), (0.5, 0.6)])
    page.wait_for_selector("#banner:visible")
    yield "offline"
    site.start()
    page.wait_for_selector("#banner", state="hidden")
    wait_saved(page)
    record = labels.records("todo")[0]
    labels.release(record.id, "Anna")
    labels.claim(record.id, "Ben")
    draw(page, [(0.3, 0.4), (0.5, 0.6)])
    page.wait_for_selector("#lost[open]")
    yield "lost"
    page.click("#lost-button")
    wait_ready(page)
    page.keyboard.press("s")
    page.wait_for_selector("#notice:visible")
    yield "waiting"
    labels.reject(record.id, "Ben")
    page.click("#notice-button")
    wait_for(page, "document.querySelector('#notice-title').textContent.includes('done')")
    yield "finished"


def _attacks(bench: Workbench) -> Sequence[float]:
    with chromium() as browser:
        let_through, tried = unrefused(_fresh(bench.work / "label-attacks"), browser)
    return [len(let_through), tried]
