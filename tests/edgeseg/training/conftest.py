"""A small drawn training folder, and recipes that train on it in seconds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from edgeseg.imaging import encode_png
from examples.drawing.folder import write_snapshot, write_split

PHOTO_PX = (72, 96)
TRAIN_PHOTOS, VAL_PHOTOS = 8, 4

Recipe = dict[str, Any]
WriteRecipe = Callable[..., Path]

SEGMENTER_RECIPE: Recipe = {
    "network": "test_tiny",
    "input_px": 32,
    "scale": 1 / 255,
    "offset": 0.0,
    "batch": 4,
    "epochs": 4,
    "epoch_samples": None,
    "optimizer": {"name": "adamw", "learning_rate": 0.003, "weight_decay": 0.01},
    "schedule": {"name": "cosine", "warmup_epochs": 1.0},
    "iou_weight": 1.0,
    "early_stopping_patience": 1000,
    "augmentation": {"flip": 0.5, "rotation_deg": 10, "p_background": 0.3, "p_noise": 0.3},
}
EMBEDDER_RECIPE: Recipe = {
    "network": "test_tiny",
    "input_px": 32,
    "scale": 1 / 255,
    "offset": 0.0,
    "batch": 4,
    "epochs": 2,
    "epoch_samples": 8,
    "optimizer": {"name": "adamw", "learning_rate": 0.002, "weight_decay": 0.01},
    "schedule": {"name": "cosine", "warmup_epochs": 1.0},
    "early_stopping_patience": 1000,
    "colour_dim": 8,
    "colour_share": 0.5,
    "temperature": 0.1,
    "teacher_share": 0.3,
    "teacher_temperature": 0.05,
    "scenes": 1,
    "p_true_mask": 0.5,
    "p_recolour": 0.5,
    "validation_share": 0.3,
    "scene": {"flip": 0.5, "rotation_deg": 10, "p_background": 1.0},
    "query_view": {"flip": 0.5},
    "studio_view": {"flip": 0.5},
}


@pytest.fixture(scope="session")
def drawn_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled drawings of garments, as ``edgeseg train segmenter --data`` reads them."""
    folder: Path = tmp_path_factory.mktemp("drawn")
    for name in ("images", "masks"):
        (folder / name).mkdir()
    rows = [write_snapshot(i, folder, 3, PHOTO_PX) for i in range(TRAIN_PHOTOS + VAL_PHOTOS)]
    for row in rows[TRAIN_PHOTOS:]:
        row["split"] = "val"
    write_split(folder, rows)
    return folder


@pytest.fixture(scope="session")
def studio_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of coloured shapes on white, a SKU each."""
    folder: Path = tmp_path_factory.mktemp("studio")
    rng = np.random.default_rng(5)
    lines = ["sku,image"]
    for number in range(12):
        picture = np.full((96, 80, 3), 255, np.uint8)
        top, left = rng.integers(8, 24, size=2)
        picture[top:-top, left:-left] = rng.integers(0, 200, size=3)
        picture[40:56, left:-left] = rng.integers(0, 200, size=3)
        (folder / f"{number}.png").write_bytes(encode_png(picture))
        lines.append(f"S{number},{number}.png")
    (folder / "items.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture
def write_recipe(tmp_path: Path) -> WriteRecipe:
    """Writes a recipe file; keywords replace its fields."""

    def write(base: Recipe = SEGMENTER_RECIPE, **changes: Any) -> Path:
        path = tmp_path / "recipe.json"
        path.write_text(json.dumps({**base, **changes}))
        return path

    return write
