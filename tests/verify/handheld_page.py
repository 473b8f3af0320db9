"""What the handheld page promises: no delay of its own, flat memory, whole answers, no way in."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgeseg.catalogue import Catalogue, Item
from edgeseg.imaging import encode_jpeg, read_photo, resize
from edgeseg.matcher import Matcher
from tests.edgeseg.web.driven import DESK, PHONE, Tab, browser, tab
from tests.verify.attacked_page import attacked
from tests.verify.figure import Check, Figure, NotMeasuredError
from tests.verify.served_page import Server, serve_page
from tests.verify.switched_page import switched
from tests.verify.vectors import perturbed
from tests.verify.workbench import Workbench

NAMES = ("page-overhead", "page-memory", "page-switch", "page-attacks", "page-accessibility")
ITEMS, TIMED, IN_A_ROW, MATCHES = 10_000, 24, 50, 5
# A phone's 12 megapixels.
_WIDTH_PX, _HEIGHT_PX = 3024, 4032
_PHOTOS = 12
_WARM_UP = 6
# More than answers are kept: from here on memory has no reason to grow.
_FILLING = 24
_MIB = 1 << 20


def checks(bench: Workbench) -> list[Check]:
    """The rows of the handheld page."""
    return [
        Check(
            "page-overhead",
            (
                Figure("page: beyond Matcher from photo to result, median", "<", 150, "{:.0f} ms"),
                # Without a bar: a neighbour on this core disturbs one side of a difference alone.
                Figure("page: the same, 9 of 10", "told", form="{:.0f} ms"),
                Figure("page: from photo to result, median", "told", form="{:.0f} ms"),
                Figure("page: Matcher itself, median", "told", form="{:.0f} ms"),
                Figure("page: until all thumbnails are there, median", "told", form="{:.0f} ms"),
            ),
            lambda: overhead(bench),
        ),
        Check(
            "page-memory",
            (
                Figure(f"page: server's memory, grown over {IN_A_ROW} photos", "<", 8, "{:.1f} MB"),
                Figure(f"page: browser's heap, grown over {IN_A_ROW} photos", "<", 1, "{:.2f} MB"),
                Figure("page: server's memory", "told", form="{:.0f} MB"),
            ),
            lambda: memory(bench),
        ),
        Check(
            "page-switch",
            (
                Figure("page: failed requests over generations", "<=", 0, "{:.0f}"),
                Figure("page: answers of mixed generations", "<=", 0, "{:.0f}"),
                Figure("page: photos answered meanwhile", ">=", 40, "{:.0f}"),
                Figure("page: generations that answered", ">=", 4, "{:.0f}"),
            ),
            lambda: switched(bench, _snapshots(bench)),
        ),
        Check(
            "page-attacks",
            (
                Figure("page: attacks that were not refused", "<=", 0, "{:.0f}"),
                Figure("page: attacks without their one line in the log", "<=", 0, "{:.0f}"),
                Figure("page: scripts that ran out of a catalogue", "<=", 0, "{:.0f}"),
                Figure("page: attacks", "told", form="{:.0f}"),
            ),
            lambda: attacked(bench, _snapshots(bench)[0]),
        ),
        Check(
            "page-accessibility",
            (
                Figure("page: serious findings of axe, 4 views x 2 widths", "<=", 0, "{:.0f}"),
                Figure("page: px that it is wider than a phone", "<=", 0, "{:.0f}"),
            ),
            lambda: accessible(bench),
        ),
    ]


def overhead(bench: Workbench) -> Sequence[float]:
    """The page and the matcher alone in turns, photo by photo, on one catalogue and bundle."""
    catalogue, items = _shop(bench)
    photos = _large_photos(bench)
    matcher = Matcher(Catalogue.open(catalogue), bench.bundle)
    beyond, page_ms, matcher_ms, pictures_ms = [], [], [], []
    options = ("--catalogue", str(catalogue), "--pictures", str(items), *bench.bundle_options)
    with serve_page(bench, *options) as server, _opened(server) as opened:
        for number in range(_WARM_UP + TIMED):
            photo = photos[number % len(photos)]
            alone_ms = sum(matcher.match(photo, MATCHES).timings_ms.values())
            result_ms, all_ms = _timed(opened, photo)
            if number >= _WARM_UP:
                beyond.append(result_ms - alone_ms)
                page_ms.append(result_ms)
                matcher_ms.append(alone_ms)
                pictures_ms.append(all_ms)
        server.check_quiet(opened)
    return [
        statistics.median(beyond),
        statistics.quantiles(beyond, n=10)[-1],
        statistics.median(page_ms),
        statistics.median(matcher_ms),
        statistics.median(pictures_ms),
    ]


def memory(bench: Workbench) -> Sequence[float]:
    """Fifty photos of 12 megapixels, each decided on, in one page that is never loaded anew."""
    catalogue, items = _shop(bench)
    photos = _large_photos(bench)
    options = ("--catalogue", str(catalogue), "--pictures", str(items), *bench.bundle_options)
    with serve_page(bench, *options) as server, _opened(server) as opened:
        session = opened.page.context.new_cdp_session(opened.page)
        heaps, held = [], []
        for number in range(_FILLING + IN_A_ROW):
            _timed(opened, photos[number % len(photos)])
            opened.page.locator("#none").click()
            opened.page.get_by_text("Kept: none of these").wait_for()
            if number >= _FILLING - 1:
                held.append(server.memory_bytes())
            if number in (_FILLING - 1, _FILLING + IN_A_ROW - 1):
                session.send("HeapProfiler.collectGarbage")
                heaps.append(session.send("Runtime.getHeapUsage")["usedSize"])
        server.check_quiet(opened)
    tenth = IN_A_ROW // 5
    grown = statistics.median(held[-tenth:]) - statistics.median(held[:tenth])
    return [grown / _MIB, (heaps[1] - heaps[0]) / _MIB, held[-1] / _MIB]


def accessible(bench: Workbench) -> Sequence[float]:
    """All views of the page, on a phone's screen and a desk's."""
    catalogue, items = _shop(bench)
    photo = _snapshots(bench)[0]
    empty = bench.work / "empty.jpg"
    empty.write_bytes(encode_jpeg(np.full((90, 120, 3), 128, np.uint8)))
    found: list[str] = []
    excess_px = 0.0
    options = ("--catalogue", str(catalogue), "--pictures", str(items), *bench.bundle_options)
    with serve_page(bench, *options) as server:
        for size in (PHONE, DESK):
            with _opened(server, size) as opened:
                found += opened.findings()
                _timed(opened, photo)
                found += opened.findings()
                excess_px = max(excess_px, opened.excess_px())
                opened.page.locator("#correct").click()
                opened.page.locator("#correction").wait_for()
                found += opened.findings()
                opened.page.set_input_files("#choose", empty)
                opened.page.locator("#result").wait_for()
                found += opened.findings()
                excess_px = max(excess_px, opened.excess_px())
    return [len(found), excess_px]


def _opened(server: Server, size: tuple[int, int] = PHONE) -> _OpenedPage:
    return _OpenedPage(server, size)


class _OpenedPage:
    """The page in a browser of its own."""

    def __init__(self, server: Server, size: tuple[int, int]) -> None:
        self._server, self._size = server, size

    def __enter__(self) -> Tab:
        self._browser = browser()
        self._tab = tab(self._browser.__enter__(), self._server.origin, self._size)
        opened = self._tab.__enter__()
        opened.page.goto(self._server.url)
        opened.page.get_by_text("items").first.wait_for()
        return opened

    def __exit__(self, *told: object) -> None:
        self._tab.__exit__(None, None, None)
        self._browser.__exit__(None, None, None)


def _timed(opened: Tab, photo: Path) -> tuple[float, float]:
    """Milliseconds from a photo to its result on the screen, and to all of its pictures."""
    page = opened.page
    page.evaluate("performance.clearMeasures(); performance.clearResourceTimings()")
    page.set_input_files("#take", photo)
    page.locator("#result").wait_for()
    page.wait_for_load_state("networkidle")
    # The measure is taken in the frame behind the one that shows the result.
    told = page.evaluate(
        """() => new Promise((resolve) => {
            const look = () => {
                const [found] = performance.getEntriesByName("photo to result");
                if (!found) return requestAnimationFrame(look);
                const parts = performance.getEntriesByType("resource");
                const last = Math.max(found.startTime, ...parts.map((each) => each.responseEnd));
                return resolve([found.duration, last - found.startTime]);
            };
            look();
        })"""
    )
    return float(told[0]), max(float(told[0]), float(told[1]))


def _snapshots(bench: Workbench) -> list[Path]:
    """Phone photos of garments."""
    [table] = bench.need("segmentation/snapshots/split.csv")
    with table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"]
    return [table.parent / row["image"] for row in rows[:_PHOTOS]]


def _large_photos(bench: Workbench) -> list[Path]:
    """The same with as many pixels as a phone gives them."""
    made = []
    for number, snapshot in enumerate(_snapshots(bench)):
        path = bench.work / f"photo-{number}.jpg"
        if not path.is_file():
            path.write_bytes(encode_jpeg(resize(read_photo(snapshot), _WIDTH_PX, _HEIGHT_PX), 90))
        made.append(path)
    return made


def _shop(bench: Workbench) -> tuple[Path, Path]:
    """A catalogue of 10,000 items, and where their pictures are: a few thousand, each for some."""
    [table] = bench.need("distractors/items.csv")
    digest = bench.open_bundle().embedder_digest
    if digest is None:
        raise NotMeasuredError("the bundle has no embedder")
    path, items = bench.work / f"page-{digest[:12]}.catalogue", bench.work / "page-items.csv"
    if not path.is_file():
        named = [Item(f"P{row:05d}", {"shelf": str(row % 40)}) for row in range(ITEMS)]
        Catalogue.from_embeddings(named, perturbed(bench, ITEMS), digest).save(path)
    with table.open(newline="") as file:
        pictures = [table.parent / row["image"] for row in csv.DictReader(file)]
    with items.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sku", "image"])
        for row in range(ITEMS):
            writer.writerow([f"P{row:05d}", pictures[row % len(pictures)]])
    return path, items
