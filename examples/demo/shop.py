"""Draws the demo's shop: a catalogue on white, snapshots to match, snapshots to calibrate on."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from examples.drawing.cloth import studio_picture
from examples.drawing.folder import process_pool, write_snapshot, write_split
from examples.drawing.items import draw_item
from examples.drawing.snapshot import snapshot

PICTURE_PX = 320
PHOTO_PX = (480, 640)
CALIBRATION_PX = (300, 400)
_FIRST_ITEM = 20_000
_CALIBRATION_SEED = 77
_QUERY_SEED = 5

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Shop:
    """Where the drawn files lie.

    Attributes:
        items_csv: sku, image, kind, colour, print of every catalogue item.
        queries_csv: image, sku, mask, kind of every snapshot.
        photos: folder of the snapshots.
        masks: folder of their masks, of the same stems.
        calibration: a folder of other snapshots with masks, in the training format.
    """

    items_csv: Path
    queries_csv: Path
    photos: Path
    masks: Path
    calibration: Path


def sku_of(number: int) -> str:
    """The SKU of catalogue item ``number``."""
    return f"G{number:04d}"


def _write_item(number: int, folder: Path) -> dict[str, str]:
    cv2.setNumThreads(1)
    item = draw_item(_FIRST_ITEM + number)
    name = f"{sku_of(number)}.png"
    _write(folder / name, studio_picture(item, PICTURE_PX)[..., ::-1])
    return {
        "sku": sku_of(number),
        "image": f"catalogue/{name}",
        "kind": item.kind,
        "colour": item.colour_name,
        "print": item.print_name,
    }


def _write_query(number: int, out: Path) -> dict[str, str]:
    cv2.setNumThreads(1)
    item = draw_item(_FIRST_ITEM + number)
    rng = np.random.default_rng([_QUERY_SEED, number])
    photo, mask = snapshot(item, rng, PHOTO_PX)
    stem = f"snapshot_{number:04d}"
    # The photo has been through JPEG once, in the drawn camera; PNG keeps it as it came out.
    _write(out / "photos" / f"{stem}.png", photo[..., ::-1])
    _write(out / "masks" / f"{stem}.png", mask)
    return {
        "image": f"photos/{stem}.png",
        "sku": sku_of(number),
        "mask": f"masks/{stem}.png",
        "kind": item.kind,
    }


def _write(path: Path, picture: object) -> None:
    if not cv2.imwrite(str(path), picture):
        raise OSError(f"cannot write {path}")


def _write_table(path: Path, rows: Sequence[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def draw_shop(
    out: Path, items: int, snapshots: int, calibration: int, jobs: int, tell: Tell
) -> Shop:
    """Draws everything that the demo needs.

    Args:
        out: folder to write into.
        items: size of the catalogue.
        snapshots: photos of some of the items, at most ``items``, spread over the catalogue.
        calibration: further snapshots, of garments that are not in the catalogue.
        jobs: processes that draw.
        tell: is given progress lines.

    Raises:
        OSError: if a file cannot be written.
    """
    for name in ("catalogue", "photos", "masks", "calibration/images", "calibration/masks"):
        (out / name).mkdir(parents=True, exist_ok=True)
    shop = Shop(
        out / "items.csv", out / "queries.csv", out / "photos", out / "masks", out / "calibration"
    )
    asked = [number * items // snapshots for number in range(snapshots)]
    with process_pool(jobs) as pool:

        def drawn(rows: Iterable[dict[str, str]], count: int, what: str) -> list[dict[str, str]]:
            done: list[dict[str, str]] = []
            for row in rows:
                done.append(row)
                if len(done) in (count // 2, count):
                    tell(f"  {len(done)} of {count} {what} drawn")
            return done

        write_item = partial(_write_item, folder=out / "catalogue")
        rows = drawn(pool.map(write_item, range(items), chunksize=8), items, "catalogue pictures")
        _write_table(shop.items_csv, rows)
        write_query = partial(_write_query, out=out)
        rows = drawn(pool.map(write_query, asked, chunksize=2), snapshots, "snapshots")
        _write_table(shop.queries_csv, rows)
        write_other = partial(
            write_snapshot, out=shop.calibration, seed=_CALIBRATION_SEED, px=CALIBRATION_PX
        )
        others = pool.map(write_other, range(calibration), chunksize=4)
        write_split(shop.calibration, drawn(others, calibration, "calibration photos"))
    return shop
