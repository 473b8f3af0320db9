"""Checks of what is published and followed: cuts, attacks, a fleet, and matching meanwhile."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from edgeseg.errors import EdgesegError
from edgeseg.files import write_atomic
from edgeseg.formats.catalogue_file import encode_catalogue, read_catalogue
from edgeseg.publishing.publisher import publish
from edgeseg.sync.client import SyncOptions, sync
from edgeseg.sync.clock import now
from edgeseg.sync.fleet import read_reports, summarize
from edgeseg.sync.store import Store
from tests.edgeseg.sync.shop import Shop, skus
from tests.verify import large
from tests.verify.figure import Check, Figure, NotMeasuredError
from tests.verify.live import matched_meanwhile
from tests.verify.served import a_shop, served
from tests.verify.workbench import REPOSITORY, Workbench

NAMES = ("weight", "cut", "attacked", "full", "fleet", "live")
# More than are searched exactly: with a graph, as a real shop has.
_ITEMS = 5_000
_SCANNERS, _AT_ONCE = 500, 8
# Each ends with the kilobytes of its peak memory, which a parent's do not count in.
_PEAK = """
with open("/proc/self/status") as status:
    print(next(line for line in status if line.startswith("VmHWM:")).split()[1])
"""
_SYNCS = (
    """
import sys
from pathlib import Path
from edgeseg.sync.client import SyncOptions, sync
from edgeseg.sync.store import Store
store, url, keys = sys.argv[1:]
options = SyncOptions(root=Path(keys, "root.json").read_bytes())
print(sync(Store(store), url, options).received_bytes)
"""
    + _PEAK
)
_OPENS = (
    """
import sys
from edgeseg.sync.store import Store
Store(sys.argv[1]).open_active()
"""
    + _PEAK
)
_ATTACKS = "tests/attacks"


def checks(bench: Workbench) -> list[Check]:
    """All of them, bound to a workbench."""
    return [
        Check(
            "weight",
            (
                Figure("sync of a delta of 1% of 100,000 items: bytes", "told", form="{:,.0f}"),
                Figure("its peak memory, MB", "told", form="{:.0f}"),
                Figure("of opening the catalogue alone, MB", "told", form="{:.0f}"),
            ),
            partial(_weight, bench),
        ),
        Check(
            "cut",
            (
                Figure("sync killed before each step: not the old or the new", "<=", 0, "{:.0f}"),
                Figure("steps at which it was killed", "told", form="{:.0f}"),
                Figure("power cut after each step: not the old or the new", "<=", 0, "{:.0f}"),
                Figure("states of the disk after a power cut", "told", form="{:.0f}"),
            ),
            partial(_cut, bench),
        ),
        Check(
            "attacked",
            (
                Figure("attacks on publisher, network, files: not refused", "<=", 0, "{:.0f}"),
                Figure("attacks", "told", form="{:.0f}"),
            ),
            _attacked,
        ),
        Check(
            "full",
            (Figure("real full and read-only disks: something lost", "<=", 0, "{:.0f}"),),
            partial(_full, bench),
        ),
        Check(
            "fleet",
            (
                Figure(
                    "500 scanners, one nginx: seconds until all are current", "<=", 300, "{:.0f}"
                ),
                Figure("scanners that are not current", "<=", 0, "{:.0f}"),
                Figure("requests a scanner", "told", form="{:.1f}"),
                Figure("bytes a scanner", "told", form="{:,.0f}"),
                Figure("requests for anything but static files", "<=", 0, "{:.0f}"),
            ),
            partial(_fleet, bench),
        ),
        Check(
            "live",
            (
                Figure("matches while 10 generations came: failed", "<=", 0, "{:.0f}"),
                Figure("matches from a mixed state", "<=", 0, "{:.0f}"),
                Figure("matches", "told", form="{:.0f}"),
                Figure("generations that answered", "told", form="{:.0f}"),
                Figure("slowest match, of the median", "told", form="{:.1f}x"),
            ),
            partial(matched_meanwhile, bench),
        ),
    ]


def _weight(bench: Workbench) -> Sequence[float]:
    told: list[int] = []
    with a_shop(bench.work) as shop:
        for made in (large.catalogue(bench), large.churned(bench)):
            data = replace(read_catalogue(made), embedder_digest=shop.embedder_digest)
            path = shop.folder / "new.catalogue"
            write_atomic(path, encode_catalogue(data))
            publish([path, shop.bundle], shop.url, shop.keys, now())
            told = _weighed(_SYNCS, str(shop.store().folder), shop.url, shop.folder / "keys")
        (opened,) = _weighed(_OPENS, str(shop.store().folder))
    return [told[0], told[1] / 1e3, opened / 1e3]


def _weighed(program: str, *arguments: object) -> list[int]:
    """The numbers that a program prints in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [int(word) for word in ran.stdout.split()]


def _cut(bench: Workbench) -> Sequence[float]:
    with a_shop(bench.work) as shop:
        shop.publish(skus(_ITEMS))
        shop.sync()
        changed = skus(_ITEMS - 20, 10) + skus(20, 2 * _ITEMS - 20)
        if not shop.publish(changed).release.deltas:
            raise NotMeasuredError("the second generation is no delta")
        with served(shop) as server:
            told = [_interrupted(shop, how, server.url) for how in ("kill", "power")]
    return [value for each in told for value in (len(each["wrong"]), each["steps"])]


def _interrupted(shop: Shop, how: str, url: str) -> dict[str, Any]:
    store, root = shop.store().folder, shop.folder / "keys" / "root.json"
    ran = subprocess.run(
        [sys.executable, "-m", "tests.verify.interruptions", how, str(store), url, str(root)],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    if ran.returncode:
        raise NotMeasuredError(f"{how}: {ran.stderr.strip().splitlines()[-1:]}")
    told: dict[str, Any] = json.loads(ran.stdout)
    for line in told["wrong"]:
        sys.stderr.write(f"{how}: {line}\n")
    return told


def _attacked() -> Sequence[float]:
    """The tests themselves, each an attack that has to end in its own error."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", _ATTACKS, f"--junitxml={report.name}"],
            cwd=REPOSITORY, capture_output=True, check=False,
        )  # fmt: skip
        suites = list(ElementTree.parse(report.name).getroot().iter("testsuite"))
    counted = ("tests", "failures", "errors", "skipped")
    tests, *wrong = (sum(int(suite.get(name, 0)) for suite in suites) for name in counted)
    return [sum(wrong), tests]


def _full(bench: Workbench) -> Sequence[float]:
    """A file system of a few MiB fills up in the middle of a sync, and is read-only then."""
    if os.geteuid() != 0:
        raise NotMeasuredError("only root mounts a small file system")
    lost = 0
    with a_shop(bench.work) as shop:
        shop.publish(skus(_ITEMS))
        disk = shop.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)],
            check=False,
            capture_output=True,
        )
        if mounted.returncode:
            raise NotMeasuredError("no file system may be mounted here")
        try:
            store = Store(disk / "store")
            shop.sync(store)
            shop.publish(skus(_ITEMS - 20, 10) + skus(20, 2 * _ITEMS - 20))
            filler = disk / "filler"
            free = shutil.disk_usage(disk).free
            # From "no room at all" to "room for a part of what has to be written".
            for left_bytes in (0, 20_000, 200_000, free // 4):
                filler.write_bytes(bytes(shutil.disk_usage(disk).free - left_bytes))
                with contextlib.suppress(EdgesegError):
                    shop.sync(store)
                lost += store.open_active().installed.generation not in (1, 2)
                filler.unlink()
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            try:
                shop.sync(store)
                lost += 1
            except EdgesegError:
                lost += store.open_active().installed.generation not in (1, 2)
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
            lost += shop.sync(store).to_generation != 2
        finally:
            # Catalogues of it are still mapped.
            subprocess.run(["umount", "--lazy", str(disk)], check=False)
    return [lost]


def _fleet(bench: Workbench) -> Sequence[float]:
    with a_shop(bench.work) as shop:
        shop.publish(skus(_ITEMS))
        first = shop.store("scanner-0")
        shop.sync(first)
        for number in range(1, _SCANNERS):
            _linked(first.folder, shop.store(f"scanner-{number}").folder)
        changed = skus(_ITEMS - 20, 10) + skus(20, 2 * _ITEMS - 20)
        shop.publish(changed)
        reports = shop.folder / "reports"
        reports.mkdir()
        with served(shop) as server:
            start_s = time.perf_counter()
            # From a fresh process each, and no more at a time than this machine has memory for.
            with multiprocessing.get_context("fork").Pool(_AT_ONCE, maxtasksperchild=1) as pool:
                pool.starmap(
                    _scanner,
                    [
                        (str(shop.folder), number, server.url, shop.root, str(reports))
                        for number in range(_SCANNERS)
                    ],
                    chunksize=1,
                )
            seconds = time.perf_counter() - start_s
            asked = server.asked()
        fleet = summarize(read_reports([reports])[0], now(), 86_400)
    odd = [each for each in asked if each[0] != "GET" or each[2] not in ("200", "206", "404")]
    return [
        seconds,
        _SCANNERS - fleet.current,
        len(asked) / _SCANNERS,
        sum(int(each[3]) for each in asked) / _SCANNERS,
        len(odd),
    ]


def _scanner(folder: str, number: int, url: str, root: bytes, reports: str) -> None:
    options = SyncOptions(root=root, device=f"scanner-{number}", report_to=reports)
    with contextlib.suppress(EdgesegError):
        sync(Store(Path(folder, f"scanner-{number}")), url, options)


def _linked(source: Path, target: Path) -> None:
    """A copy that shares the blobs, which never change."""
    shutil.copytree(source, target, copy_function=_link_or_copy, symlinks=True)


def _link_or_copy(source: str, target: str) -> None:
    if Path(source).parent.name == "blobs":
        os.link(source, target)
    else:
        shutil.copyfile(source, target)
