"""A space of two networks small enough to convert, measure and train in seconds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from examples.drawing.folder import write_snapshot, write_split

TRAIN_PHOTOS, VAL_PHOTOS = 6, 2
SPACE: dict[str, Any] = {
    "description": "Two tiny ones.",
    "network": "test_tiny",
    "input_px": 32,
    "reference": "k8",
    "candidates": [{"name": "k{growth_rate}", "growth_rate": [8, 4], "down": [1], "bottleneck": 1}],
}
RECIPE: dict[str, Any] = {
    "network": "test_tiny",
    "input_px": 32,
    "scale": 1 / 255,
    "offset": 0.0,
    "batch": 2,
    "epochs": 1,
    "epoch_samples": None,
    "optimizer": {"name": "adamw", "learning_rate": 0.003, "weight_decay": 0.01},
    "schedule": {"name": "cosine"},
    "iou_weight": 1.0,
    "teacher_share": 0.5,
    "confidence_floor": 0.0,
    "early_stopping_patience": 10,
    "augmentation": {"flip": 0.5},
}
WriteSpace = Callable[..., Path]


@pytest.fixture
def write_space(tmp_path: Path) -> WriteSpace:
    """Writes a space; keywords replace its fields."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "space.json"
        path.write_text(json.dumps({**SPACE, **changes}))
        return path

    return write


@pytest.fixture
def recipe_path(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(RECIPE))
    return path


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("drawn-data")
    for name in ("images", "masks"):
        (folder / name).mkdir()
    rows = [write_snapshot(i, folder, 3, (48, 64)) for i in range(TRAIN_PHOTOS + VAL_PHOTOS)]
    for row in rows[TRAIN_PHOTOS:]:
        row["split"] = "val"
    write_split(folder, rows)
    return folder
