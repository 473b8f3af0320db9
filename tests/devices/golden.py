"""The golden job: photos to match and pictures for the catalogue, drawn, and real where there are.

Nothing that is expected of them is stored: x86-64 says it in the same run.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from pathlib import Path

from device_bench.drawn import draw_photos
from edgeseg.imaging import encode_jpeg, read_photo
from examples.demo.shop import draw_shop

DRAWN_ITEMS, DRAWN_PHOTOS = 40, 5
REAL_ITEMS, REAL_PHOTOS, REAL_SNAPSHOTS = 40, 5, 2
_JPEG_QUALITY = 92
_STAMP = "items.csv"


def make_job(folder: Path, data: Path) -> Path:
    """Lay out the job, once: ``items.csv``, ``pictures/`` and ``photos/``.

    Args:
        folder: where; what is there already is kept if it is whole.
        data: folder of real photographs; drawn ones alone where it is absent.
    """
    if (folder / _STAMP).is_file():
        return folder
    if folder.exists():
        shutil.rmtree(folder)
    photos, pictures = folder / "photos", folder / "pictures"
    for each in (photos, pictures):
        each.mkdir(parents=True)
    rows = _drawn(photos, pictures)
    if data.is_dir():
        rows += _real(photos, pictures, data)
    # Last, so that a job which has it is whole.
    with (folder / _STAMP).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("sku", "image"), *rows])
    return folder


def _drawn(photos: Path, pictures: Path) -> list[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as name:
        shop = draw_shop(Path(name), DRAWN_ITEMS, DRAWN_PHOTOS, 0, 2, lambda line: None)
        for path in sorted(shop.photos.iterdir()):
            # Scanners' photos are JPEGs, whose decoder is part of what is compared.
            encoded = encode_jpeg(read_photo(path), quality=_JPEG_QUALITY)
            (photos / f"drawn_{path.stem}.jpg").write_bytes(encoded)
        # One so large that it is decoded at half its size.
        shutil.copy(draw_photos(Path(name))[0], photos / "drawn_large.jpg")
        rows = []
        for row in _rows(shop.items_csv):
            shutil.copy(shop.items_csv.parent / row["image"], pictures)
            rows.append((row["sku"], f"pictures/{Path(row['image']).name}"))
    return rows


def _real(photos: Path, pictures: Path, data: Path) -> list[tuple[str, str]]:
    """Some of each kind, evenly over the lists."""
    queries = _rows(data / "queries_val" / "queries.csv")
    snapshots = [
        row
        for row in _rows(data / "segmentation" / "snapshots" / "split.csv")
        if row["split"] == "val"
    ]
    for row in _spread(queries, REAL_PHOTOS):
        source = data / "queries_val" / row["image"]
        shutil.copy(source, photos / f"real_query_{source.name}")
    for row in _spread(snapshots, REAL_SNAPSHOTS):
        source = data / "segmentation" / "snapshots" / row["image"]
        shutil.copy(source, photos / f"real_snapshot_{source.name}")
    asked = {row["sku"] for row in _spread(queries, REAL_PHOTOS)}
    listed = _rows(data / "gallery_val.csv")
    # The items that the photos show, and others.
    shown = [row for row in listed if row["sku"] in asked]
    rest = [row for row in listed if row["sku"] not in asked]
    rows = []
    for row in [*shown, *_spread(rest, REAL_ITEMS - len(shown))]:
        source = data / row["image"]
        shutil.copy(source, pictures / f"real_{source.name}")
        rows.append((f"real-{row['sku']}", f"pictures/real_{source.name}"))
    return rows


def _spread(rows: list[dict[str, str]], count: int) -> list[dict[str, str]]:
    return [rows[number * len(rows) // count] for number in range(min(count, len(rows)))]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
