"""Made shops: pictures of one colour each, a describer that tells it, and lists of them."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.scale.building import build
from edgeseg.scale.engine import Engine
from edgeseg.scale.engine.local import LocalEngine
from edgeseg.scale.plan import Built, Description, Plan

EMBEDDER_DIGEST = "cd" * 32


class MeanColour:
    """A describer whose vector is a picture's mean colour.

    Args:
        told: a file that each described picture's name is added to.
    """

    dim = 3

    def __init__(self, told: Path | None = None) -> None:
        self.told = told

    def describe(self, picture: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
        if self.told is not None:
            with self.told.open("a") as file:
                file.write(f"{name}\n")
        mean = picture.reshape(-1, 3).mean(axis=0)
        return (mean / np.linalg.norm(mean)).astype(np.float32)


def described_by(told: Path | None = None) -> Description:
    return Description("ab" * 32, EMBEDDER_DIGEST, 3, partial(MeanColour, told))


def write_picture(path: Path, number: int) -> None:
    """A picture like no other of another number."""
    colour = np.random.default_rng(number).integers(1, 255, 3)
    picture = np.full((12, 10, 3), colour, np.uint8)
    picture[:2, :2] = number % 256
    path.write_bytes(imaging.encode_png(picture))


def made_shop(folder: Path, items: int, warehouses: tuple[str, ...] = ()) -> Path:
    """A CSV of items with their pictures; each item is in one warehouse or, each fifth, in two."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "items.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["sku", "image", "style", *(["warehouse"] if warehouses else [])])
        for number in range(items):
            write_picture(folder / f"{number}.png", number)
            row = [f"sku-{number:04d}", f"{number}.png", f"style-{number % 7}"]
            if warehouses:
                own = warehouses[number % len(warehouses)]
                other = warehouses[(number + 1) % len(warehouses)]
                row.append(f"{own}; {other}" if number % 5 == 0 else own)
            table.writerow(row)
    return folder / "items.csv"


def built(
    source: Path | str,
    folder: Path,
    engine: Engine | None = None,
    told: Path | None = None,
    output: str = "shop.catalogue",
    shard_by: str | None = None,
    skip_unreadable: bool = False,
    chunk_pictures: int = 4,
) -> Built:
    """Build in a folder, with the cache beside the output."""
    plan = Plan(
        source=str(source),
        output=folder / output,
        cache=folder / "cache",
        shard_by=shard_by,
        skip_unreadable=skip_unreadable,
        chunk_pictures=chunk_pictures,
    )
    return build(plan, described_by(told), engine or LocalEngine())


def told_names(told: Path) -> list[str]:
    """What was described, by its file's name, in order."""
    if not told.exists():
        return []
    return sorted(Path(line).name for line in told.read_text().splitlines())
