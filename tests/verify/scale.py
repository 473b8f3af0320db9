"""Builds beyond one machine: the same answer on every engine, what is broken, and what it costs."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from edgeseg.items import read_items
from edgeseg.scale.building import build
from edgeseg.scale.engine.local import LocalEngine
from edgeseg.scale.engine.ray import RayEngine
from edgeseg.scale.plan import Plan
from tests.verify import broken_pictures, scale_shop
from tests.verify.cluster import nodes
from tests.verify.figure import Check, Figure
from tests.verify.workbench import REPOSITORY, Workbench, run

NAMES = ("scale-same", "scale-broken", "scale-throughput")
_BUNDLE = "nano"
_REAL_ITEMS, _MADE_ITEMS = 400, 5_000
_BROKEN_SHARE = 0.05
# Each picture in four files, for those of the gallery are done before Ray's start is forgotten.
_TIMED_ITEMS, _COPIES = 3_000, 4
# Decodes and describes the pictures of a list, and nothing else: argument 2 of 3 takes each other.
_BARE_LOOP = """
import csv, sys
from pathlib import Path
from edgeseg.description import open_describer
from edgeseg.imaging import read_photo
describer = open_describer(sys.argv[3] or None)
items = Path(sys.argv[1])
with items.open() as file:
    rows = list(csv.DictReader(file))
for row in rows[int(sys.argv[2])::2]:
    describer.describe(read_photo((items.parent / row["image"]).read_bytes()), row["sku"])
"""


def checks(bench: Workbench) -> list[Check]:
    """All of them, bound to a workbench."""
    return [
        Check(
            "scale-same",
            (
                Figure("scale: builds of real pictures unlike the local one", "<=", 0, "{:.0f}"),
                Figure("scale: the same of 5,000 made ones, with a graph", "<=", 0, "{:.0f}"),
                Figure("scale: builds compared", "told", form="{:.0f}"),
            ),
            partial(_same, bench),
        ),
        Check(
            "scale-broken",
            (
                Figure("scale: good pictures that are not indexed", "<=", 0, "{:.0f}"),
                Figure("scale: broken ones, in ten ways, without their reason", "<=", 0, "{:.0f}"),
                Figure("scale: broken pictures", "told", form="{:.0f}"),
            ),
            partial(_broken, bench),
        ),
        Check(
            "scale-throughput",
            (
                Figure("scale: two workers, of two bare loops' speed", ">=", 0.85, "{:.2f}x"),
                Figure("scale: the same of describing alone", "told", form="{:.2f}x"),
                Figure("scale: pictures a second by the two bare loops", "told", form="{:.1f}"),
                Figure("scale: pictures that they were timed on", "told", form="{:,.0f}"),
            ),
            partial(_throughput, bench),
        ),
    ]  # fmt: skip


def real_list(bench: Workbench, folder: Path, items: int, seed: int | None = None) -> Path:
    """A CSV of so many pictures of the evaluation gallery; with a seed, in another order."""
    (gallery,) = bench.need("gallery_val.csv")
    rows = read_items(gallery)[:items]
    order = np.arange(len(rows))
    if seed is not None:
        order = np.random.default_rng(seed).permutation(order)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "items.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["sku", "image", "warehouse"])
        for row in order.tolist():
            item, picture = rows[row]
            table.writerow([item.sku, picture.absolute(), f"w{row % 3}"])
    return path


def _same(bench: Workbench) -> Sequence[float]:
    folder = bench.work / "scale-same"
    _emptied(folder)
    real = real_list(bench, folder / "real", _REAL_ITEMS)
    shuffled = real_list(bench, folder / "shuffled", _REAL_ITEMS, seed=1)
    at_once = folder / "at-once.catalogue"
    bench.edgeseg("index", "build", str(real), "-o", str(at_once), "--bundle", _BUNDLE)
    digest = str(bench.edgeseg("index", "info", str(at_once))["digest"])
    differ = compared = 0
    made_differ = 0
    description = scale_shop.numbered(bench)
    made = scale_shop.numbered_parquet(folder / "made", _MADE_ITEMS, 3)
    plan = Plan(str(made), folder / "made.catalogue", folder / "cache-local", chunk_pictures=64)
    expected = build(plan, description, LocalEngine()).summary.shards[0].digest
    for workers in (1, 2, 4):
        with nodes(workers) as cluster:
            for name, source in (("real", real), ("shuffled", shuffled)):
                cache = folder / f"cache-{name}-{workers}"
                options = ["--cache", str(cache), "--engine", "ray", "--address", cluster.address]
                output = str(folder / f"{name}-{workers}.catalogue")
                command = ("index", "build", str(source), "-o", output, "--bundle", _BUNDLE)
                document = bench.edgeseg(*command, *options)
                differ += document["catalogues"][0]["digest"] != digest
                compared += 1
            plan = Plan(
                str(made), folder / "made.catalogue", folder / f"cache-{workers}", chunk_pictures=64
            )
            built = build(plan, description, RayEngine(cluster.address))
            made_differ += built.summary.shards[0].digest != expected
            compared += 1
    return differ, made_differ, compared


def _broken(bench: Workbench) -> Sequence[float]:
    folder = bench.work / "scale-broken"
    _emptied(folder)
    good = real_list(bench, folder / "good", _REAL_ITEMS)
    lines = good.read_text().splitlines()
    count = round(_BROKEN_SHARE * len(lines[1:]))
    broken = broken_pictures.write(folder / "broken", count, seed=3)
    lines += [f"broken-{row},{path.absolute()},w0" for row, path in enumerate(broken)]
    source = folder / "items.csv"
    source.write_text("\n".join(lines) + "\n")
    output = folder / "shop.catalogue"
    with nodes(2) as cluster:
        document = bench.edgeseg(
            "index", "build", str(source), "-o", str(output), "--bundle", _BUNDLE,
            "--cache", str(folder / "cache"), "--skip-unreadable",
            "--engine", "ray", "--address", cluster.address,
        )  # fmt: skip
    indexed = document["catalogues"][0]["items"]
    with Path(document["unreadable_file"]).open(newline="") as file:
        told = {row["sku"] for row in csv.DictReader(file) if row["reason"].strip()}
    expected = {f"broken-{row}" for row in range(len(broken))}
    return _REAL_ITEMS - indexed, len(expected ^ told), len(broken)


def _throughput(bench: Workbench) -> Sequence[float]:
    """The build between two runs of the bare loops, for the machine's speed is not its own."""
    folder = bench.work / "scale-throughput"
    _emptied(folder)
    source = _copied(real_list(bench, folder / "list", _TIMED_ITEMS), _COPIES)
    with nodes(2) as cluster:
        before_s = _bare(bench, source)
        start_s = time.perf_counter()
        document = bench.edgeseg(
            "index", "build", str(source), "-o", str(folder / "shop.catalogue"),
            *bench.bundle_options, "--cache", str(folder / "cache"),
            "--engine", "ray", "--address", cluster.address,
        )  # fmt: skip
        build_s = time.perf_counter() - start_s
        bare_s = (before_s + _bare(bench, source)) / 2
    pictures = document["described"]
    return bare_s / build_s, bare_s / document["wall_s"]["describe"], pictures / bare_s, pictures


def _copied(source: Path, copies: int) -> Path:
    """A list of so many files of each picture, whose bytes differ and whose pixels do not."""
    folder = source.parent / "copies"
    folder.mkdir()
    path = source.with_name("copied.csv")
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["sku", "image"])
        for item, picture in read_items(source):
            data = picture.read_bytes()
            for copy in range(copies):
                name = f"{item.sku}-{copy}{picture.suffix}"
                # Decoders stop at the end of the image.
                (folder / name).write_bytes(data + bytes(copy))
                table.writerow([f"{item.sku}-{copy}", f"copies/{name}"])
    return path


def _bare(bench: Workbench, source: Path) -> float:
    """Seconds of two processes that share the list."""
    start_s = time.perf_counter()
    command = [sys.executable, "-c", _BARE_LOOP, str(source)]
    loops = [
        subprocess.Popen(
            [*command, str(half), str(bench.bundle or "")], cwd=REPOSITORY, env=os.environ
        )
        for half in range(2)
    ]
    codes = [loop.wait() for loop in loops]
    assert codes == [0, 0]
    return time.perf_counter() - start_s


def _emptied(folder: Path) -> None:
    run(["rm", "-rf", str(folder)], "rm")
    folder.mkdir(parents=True)
