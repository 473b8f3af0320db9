"""A tiny drawn shop, and the catalogue of it, for the tests of the examples."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from examples.catalogue_from_python import build
from examples.drawing.cloth import studio_picture
from examples.drawing.items import draw_item
from examples.drawing.snapshot import snapshot

ITEMS = 6


@dataclass(frozen=True)
class DrawnShop:
    items: Path
    catalogue: Path
    photo: Path
    photo_sku: str


@pytest.fixture(scope="session")
def drawn_shop(tmp_path_factory: pytest.TempPathFactory) -> DrawnShop:
    folder = tmp_path_factory.mktemp("shop")
    rows = []
    for seed in range(ITEMS):
        name = f"sku{seed}.png"
        cv2.imwrite(str(folder / name), studio_picture(draw_item(seed), 192)[..., ::-1])
        rows.append({"sku": f"sku{seed}", "image": name})
    items = folder / "items.csv"
    with items.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["sku", "image"])
        writer.writeheader()
        writer.writerows(rows)
    photo, _ = snapshot(draw_item(3), np.random.default_rng(1), (300, 400))
    cv2.imwrite(str(folder / "photo.jpg"), photo[..., ::-1])
    catalogue = folder / "shop.catalogue"
    assert build(items, catalogue) == ITEMS
    return DrawnShop(items, catalogue, folder / "photo.jpg", "sku3")
