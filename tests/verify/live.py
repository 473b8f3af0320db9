"""Matching in two threads while another process brings one generation after the other."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edgeseg.sync.live import LiveMatcher
from tests.edgeseg.sync.shop import skus
from tests.verify.served import a_shop, served
from tests.verify.workbench import EDGESEG, REPOSITORY, Workbench

GENERATIONS = 10
# More than are searched exactly: with a graph, as a real shop has.
_ITEMS = 4_000


@dataclass
class _Asked:
    """What the matching came to."""

    failed: list[str] = field(default_factory=list)
    mixed: int = 0
    generations: set[int] = field(default_factory=set)
    times_s: list[float] = field(default_factory=list)


def matched_meanwhile(bench: Workbench) -> Sequence[float]:
    """All items of a generation have an SKU of that generation alone: a mix would show."""
    asked = _Asked()
    with a_shop(bench.work) as shop, served(shop) as server:
        url = server.url
        shop.publish(_generation_skus(1))
        store = shop.store()
        shop.sync(store, url)
        matcher = LiveMatcher(store)
        done = threading.Event()
        threads = [
            threading.Thread(target=_ask, args=(matcher, seed, done, asked)) for seed in (1, 2)
        ]
        for thread in threads:
            thread.start()
        try:
            for generation in range(2, GENERATIONS + 2):
                shop.publish(_generation_skus(generation))
                # As on a device: another process syncs.
                ran = subprocess.run(
                    [*EDGESEG, "sync", url, "--store", str(store.folder)],
                    cwd=REPOSITORY, capture_output=True, text=True, check=False,
                )  # fmt: skip
                if ran.returncode:
                    asked.failed.append(ran.stderr.strip())
        finally:
            time.sleep(1.0)
            done.set()
            for thread in threads:
                thread.join()
    for line in asked.failed[:3]:
        sys.stderr.write(f"live: {line}\n")
    return [
        len(asked.failed),
        asked.mixed,
        len(asked.times_s),
        len(asked.generations),
        max(asked.times_s) / float(np.median(asked.times_s)),
    ]


def _generation_skus(generation: int) -> list[str]:
    return skus(_ITEMS, _ITEMS * (generation - 1))


def _ask(matcher: LiveMatcher, seed: int, done: threading.Event, asked: _Asked) -> None:
    rng = np.random.default_rng(seed)
    while not done.is_set():
        photo = rng.integers(0, 255, (120, 90, 3), dtype=np.uint8)
        start_s = time.perf_counter()
        try:
            found = matcher.match(photo, k=10, segment=False)
        except Exception as error:  # noqa: BLE001 (whatever fails is what is counted)
            asked.failed.append(f"{type(error).__name__}: {error}")
            continue
        asked.times_s.append(time.perf_counter() - start_s)
        asked.generations.add(found.generation)
        of = {int(match.sku[1:]) // _ITEMS + 1 for match in found.result.matches}
        asked.mixed += of != {found.generation} or len(found.result.matches) != 10
