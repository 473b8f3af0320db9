"""Writes drawn snapshots and masks as a training folder, equal seeds as equal folders."""

from __future__ import annotations

import csv
import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from examples.drawing.items import draw_item
from examples.drawing.snapshot import snapshot

_COLUMNS = ("image", "mask", "split", "group")


def write_snapshot(index: int, out: Path, seed: int, px: tuple[int, int]) -> dict[str, str]:
    """Draws snapshot number ``index`` of the folder and returns its row of split.csv.

    Raises:
        OSError: if a file cannot be written.
    """
    cv2.setNumThreads(1)
    item_seed = seed * 1_000_003 + index
    photo, mask = snapshot(draw_item(item_seed), np.random.default_rng([seed, index, 1]), px)
    row = {
        "image": f"images/drawn_{seed}_{index:05d}.jpg",
        "mask": f"masks/drawn_{seed}_{index:05d}.png",
        "split": "train",
        "group": f"drawn-{item_seed}",
    }
    for name, array, settings in (
        (row["image"], photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95]),
        (row["mask"], mask, []),
    ):
        if not cv2.imwrite(str(out / name), array, settings):
            raise OSError(f"cannot write {out / name}")
    return row


def write_folder(
    out: Path, snapshots: int, seed: int, px: tuple[int, int] = (400, 533), jobs: int = 1
) -> None:
    """Writes the folder; split.csv comes last, so that a folder which has one is whole.

    Args:
        out: folder to make.
        snapshots: how many photos.
        seed: 0 or more.
        px: width and height of each photo.
        jobs: processes that draw.
    """
    for name in ("images", "masks"):
        (out / name).mkdir(parents=True, exist_ok=True)
    draw = partial(write_snapshot, out=out, seed=seed, px=px)
    rows: list[dict[str, str]] = []
    with process_pool(jobs) as pool:
        for row in pool.map(draw, range(snapshots), chunksize=8):
            rows.append(row)
            if len(rows) % 50 == 0 or len(rows) == snapshots:
                print(f"drawn {len(rows)} of {snapshots}", file=sys.stderr, flush=True)
    write_split(out, rows)


def process_pool(jobs: int) -> ProcessPoolExecutor:
    """Processes that draw, each started anew: one forked while OpenCV has threads can hang."""
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))


def write_split(out: Path, rows: Sequence[dict[str, str]]) -> None:
    """Writes the folder's split.csv from the rows of `write_snapshot`."""
    with (out / "split.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
