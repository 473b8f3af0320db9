"""A million items in ten shards, and the build of the day after, at their whole size."""

from __future__ import annotations

import contextlib
import csv
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from edgeseg.catalogue import Catalogue
from edgeseg.formats.shard_list import ShardList
from edgeseg.items import read_items
from edgeseg.presets import open_bundle
from edgeseg.scale.building import build
from edgeseg.scale.engine.local import LocalEngine
from edgeseg.scale.engine.ray import RayEngine
from edgeseg.scale.plan import Plan, describe_by
from tests.verify import scale_shop
from tests.verify.cluster import nodes
from tests.verify.figure import Check, Figure
from tests.verify.workbench import Workbench, run

NAMES = ("scale-million", "scale-daily")
_ITEMS, _SHARDS, _WORKERS = 1_000_000, 10, 2
_CHUNK_PICTURES = 1024
_RECALL_QUERIES = 500
_DAILY_ITEMS, _CHANGED_SHARE = 100_000, 0.01
_SAMPLE_EVERY_S = 5.0
_GB = 1e9


def checks(bench: Workbench) -> list[Check]:
    """Both, bound to a workbench."""
    return [
        Check(
            "scale-million",
            (
                Figure("scale: a million items, ten shards: catalogued", ">=", _ITEMS, "{:,.0f}"),
                Figure("scale: peak memory, cluster included, GB", "<", 6.0, "{:.2f}"),
                Figure("scale: index recall@10 of the worst shard", ">=", 0.99, "{:.4f}"),
                Figure("scale: minutes that they took", "told", form="{:.1f}"),
            ),
            partial(_million, bench),
        ),
        Check(
            "scale-daily",
            (
                Figure("scale: 1% of 100,000 changed: of a full build", "<", 0.03, "{:.4f}"),
                Figure("scale: pictures described on the next day", "told", form="{:,.0f}"),
                Figure("scale: seconds of the next day's build", "told", form="{:.1f}"),
                Figure("scale: seconds of a full one, from its parts", "told", form="{:,.0f}"),
            ),
            partial(_daily, bench),
        ),
    ]  # fmt: skip


def _million(bench: Workbench) -> Sequence[float]:
    folder = bench.work / "scale-million"
    run(["rm", "-rf", str(folder)], "rm")
    source = scale_shop.numbered_parquet(folder / "list", _ITEMS, _SHARDS)
    plan = Plan(
        source=str(source),
        output=folder / "shops",
        cache=folder / "cache",
        shard_by="warehouse",
        chunk_pictures=_CHUNK_PICTURES,
    )
    description = scale_shop.numbered(bench)
    with _watched() as peak, nodes(_WORKERS) as cluster:
        start_s = time.monotonic()
        built = build(plan, description, RayEngine(cluster.address))
        minutes = (time.monotonic() - start_s) / 60
    worst = min(
        Catalogue.open(plan.output / shard.file_name).index_recall(_RECALL_QUERIES)
        for shard in ShardList.read(plan.output).shards
    )
    items = sum(shard.items for shard in built.summary.shards)
    return items, peak[0] / _GB, worst, minutes


@contextlib.contextmanager
def _watched() -> Iterator[list[float]]:
    """The largest sum of memory that all processes had which came to be meanwhile, in bytes.

    Pages that processes share count once: each has its part of them (Pss).
    """
    before = _processes() - {_own()}
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(_SAMPLE_EVERY_S):
            peak[0] = max(peak[0], float(sum(map(_pss_bytes, _processes() - before))))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def _daily(bench: Workbench) -> Sequence[float]:
    """The whole cache is filled with made vectors, and then a hundredth changes.

    So everything of the next day's build is measured at its size: the list, the pictures' states, a
    thousand real pictures through real networks, and the graph of them all. Of a full build the
    list and the graph are the same, and its pictures take as long each as those thousand did.
    """
    folder = bench.work / "scale-daily"
    run(["rm", "-rf", str(folder)], "rm")
    (gallery,) = bench.need("gallery_val.csv")
    source = _shop(folder / "list")
    plan = Plan(str(source), folder / "shop.catalogue", folder / "cache")
    real = describe_by(open_bundle(bench.bundle), plan.cache)
    made = scale_shop.numbered(bench)
    # Vectors of the real description's name and length, that cost next to nothing.
    filled = type(real)(real.digest, real.embedder_digest, real.dim, made.open_describer)
    build(plan, filled, LocalEngine())
    rng = np.random.default_rng(4)
    changed = rng.choice(_DAILY_ITEMS, round(_CHANGED_SHARE * _DAILY_ITEMS), replace=False)
    for row, (_, picture) in zip(changed.tolist(), read_items(gallery), strict=False):
        # The shop's pictures at the size of a catalogue's, as they are in the gallery.
        (folder / "list" / f"{row}.png").write_bytes(picture.read_bytes())
    start_s = time.monotonic()
    built = build(plan, real, LocalEngine())
    daily_s = time.monotonic() - start_s
    steps = built.summary.wall_s
    described = built.summary.described
    full_s = daily_s + steps["describe"] * (_DAILY_ITEMS / described - 1)
    return daily_s / full_s, described, daily_s, full_s


def _shop(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number in range(_DAILY_ITEMS):
        (folder / f"{number}.png").write_bytes(scale_shop.numbered_picture(number))
    with (folder / "items.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["sku", "image"])
        table.writerows([f"P{number:08d}", f"{number}.png"] for number in range(_DAILY_ITEMS))
    return folder / "items.csv"


def _processes() -> set[int]:
    return {int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()}


def _own() -> int:
    return int(Path("/proc/self").readlink().name)


def _pss_bytes(process: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
