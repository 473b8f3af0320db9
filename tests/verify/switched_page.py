"""The page taking one photo after the other while another process brings new generations."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgeseg.imaging import encode_png, read_photo
from tests.edgeseg.sync.shop import Shop, skus
from tests.edgeseg.web.driven import browser, tab
from tests.verify.served import a_shop
from tests.verify.served_page import Server, serve_page
from tests.verify.workbench import EDGESEG, REPOSITORY, Workbench

GENERATIONS = 5
ITEMS = 2_000
COLOURS = ((200, 30, 30), (30, 160, 30), (30, 60, 200), (190, 160, 20), (160, 30, 170))


@dataclass
class Seen:
    """What the page showed."""

    failed: list[str] = field(default_factory=list)
    mixed: int = 0
    answers: int = 0
    generations: set[int] = field(default_factory=set)


def switched(bench: Workbench, photos: Sequence[Path]) -> Sequence[float]:
    """Each generation has SKUs and pictures of its own: a mixed answer would show."""
    seen = Seen()
    with a_shop(bench.work) as shop:
        shop.publish(_skus_of(1))
        store = shop.store()
        shop.sync(store)
        options = ("--store", str(store.folder), "--pictures", str(_pictures(shop)))
        done = threading.Event()
        syncing = threading.Thread(target=_sync, args=(shop, str(store.folder), seen, done))
        with serve_page(bench, *options) as server, browser() as chromium:
            syncing.start()
            try:
                _photograph(server, chromium, photos, seen, done)
            finally:
                syncing.join()
            seen.failed += server.lines
    for line in seen.failed[:3]:
        sys.stderr.write(f"page-switch: {line}\n")
    return [len(seen.failed), seen.mixed, seen.answers, len(seen.generations)]


def _sync(shop: Shop, store: str, seen: Seen, done: threading.Event) -> None:
    for generation in range(2, GENERATIONS + 1):
        shop.publish(_skus_of(generation))
        ran = subprocess.run(
            [*EDGESEG, "sync", shop.url, "--store", store],
            cwd=REPOSITORY, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if ran.returncode:
            seen.failed.append(ran.stderr.strip())
    done.set()


def _photograph(
    server: Server, chromium: Any, photos: Sequence[Path], seen: Seen, done: threading.Event
) -> None:
    with tab(chromium, server.origin) as opened:
        page = opened.page
        page.on("response", lambda told: _note(told, seen))
        page.goto(server.url)
        page.get_by_text("items").first.wait_for()
        # On to the end, and until the last generation has answered or never will.
        left = 60
        while not done.is_set() or (left and GENERATIONS not in seen.generations):
            left -= done.is_set()
            page.set_input_files("#take", photos[seen.answers % len(photos)])
            page.locator("#result").wait_for()
            look(page, server.origin, seen)
        seen.failed += [*opened.troubles, *opened.outside]


def look(page: Any, origin: str, seen: Seen) -> None:
    """Hold what is shown against the one generation that it says it is from."""
    told = page.evaluate(
        """({
            said: document.getElementById("provenance").textContent,
            skus: [...document.querySelectorAll("#items bdi")].map((each) => each.textContent),
            pictures: [...document.querySelectorAll("#items img")]
                .map((each) => each.dataset.address),
        })"""
    )
    seen.answers += 1
    generation = int(told["said"].rstrip(".").split()[-1])
    seen.generations.add(generation)
    of = {int(sku[1:]) // ITEMS + 1 for sku in told["skus"]}
    shown = set()
    for address in told["pictures"][:2]:
        answered = page.request.get(origin + address)
        if answered.status != 200:
            seen.failed.append(f"{address}: {answered.status}")
            continue
        middle = read_photo(answered.body())[20, 20].astype(int)
        differences = [int(np.abs(middle - colour).sum()) for colour in COLOURS]
        shown.add(int(np.argmin(differences)) + 1)
    whole = of == shown == {generation} and len(told["skus"]) == 5 == len(told["pictures"])
    seen.mixed += not whole


def _note(told: Any, seen: Seen) -> None:
    if told.status >= 400:
        seen.failed.append(f"{told.url}: {told.status}")


def _skus_of(generation: int) -> list[str]:
    return skus(ITEMS, ITEMS * (generation - 1))


def _pictures(shop: Shop) -> Path:
    """Of each generation's items a picture in its own colour."""
    rows = ["sku,image"]
    for number, colour in enumerate(COLOURS, start=1):
        picture = np.full((40, 40, 3), colour, np.uint8)
        (shop.folder / f"{number}.png").write_bytes(encode_png(picture))
        rows += [f"{sku},{number}.png" for sku in _skus_of(number)]
    path = shop.folder / "items.csv"
    path.write_text("\n".join(rows) + "\n")
    return path
