"""Draws a training folder of snapshots and masks: ``python -m examples.drawing --out DIR``.

The folder has ``images/``, ``masks/`` and ``split.csv`` with the columns image, mask, split, group
(paths relative to the CSV), as `edgeseg train segmenter --data DIR` reads it. Equal seeds write
equal folders, and a longer folder starts with the shorter one's drawings.
"""

from __future__ import annotations

import argparse
import csv
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
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        for row in pool.map(draw, range(snapshots), chunksize=8):
            rows.append(row)
            if len(rows) % 50 == 0 or len(rows) == snapshots:
                print(f"drawn {len(rows)} of {snapshots}", file=sys.stderr, flush=True)
    write_split(out, rows)


def write_split(out: Path, rows: Sequence[dict[str, str]]) -> None:
    """Writes the folder's split.csv from the rows of `write_snapshot`."""
    with (out / "split.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.drawing", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--snapshots", type=int, default=200, help="how many photos (200)")
    parser.add_argument("--seed", type=int, default=0, help="0 or more (0)")
    parser.add_argument("--width", type=int, default=400, help="pixels (400)")
    parser.add_argument("--height", type=int, default=533, help="pixels (533)")
    parser.add_argument("--jobs", type=int, default=1, help="processes that draw (1)")
    given = parser.parse_args(arguments)
    if given.snapshots < 1 or given.seed < 0 or given.jobs < 1:
        parser.error("--snapshots and --jobs are 1 or more, --seed is 0 or more")
    if not 64 <= min(given.width, given.height) <= max(given.width, given.height) <= 4096:
        parser.error("--width and --height are 64 to 4096 pixels")
    write_folder(given.out, given.snapshots, given.seed, (given.width, given.height), given.jobs)
    print(given.out / "split.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
