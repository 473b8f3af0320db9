"""Checks of training on several devices: the curve of two against that of one."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from edgeseg.table import read_table
from tests.verify.figure import Check, Figure, NotMeasuredError
from tests.verify.quality import SNAPSHOTS
from tests.verify.workbench import EDGESEG, Workbench, run

NAMES = ("devices-parallel",)
_TRAIN, _VAL = 128, 16
_STEPS = 48
# An epoch is one step, so that the run's history has the loss of each, and the validation after it.
_RECIPE: dict[str, Any] = {
    "network": "test_tiny",
    "input_px": 96,
    "scale": 1 / 255,
    "offset": 0.0,
    "batch": 16,
    "epochs": _STEPS,
    "epoch_samples": 16,
    "optimizer": {
        "name": "adamw", "learning_rate": 0.003, "weight_decay": 0.02, "ema_momentum": 0.9,
    },
    "schedule": {"name": "cosine", "warmup_epochs": 4.0},
    "iou_weight": 1.0,
    "early_stopping_patience": _STEPS,
    "augmentation": {
        "flip": 0.5, "rotation_deg": 25, "scale": [0.75, 1.5], "brightness": 0.15, "contrast": 0.3,
    },
}  # fmt: skip
# Two devices add float32 numbers in another order than one does, and the optimizer enlarges that
# from step to step. So does another compilation of one device's program: 3e-5 in 4 steps and 7e-4
# in 18, where two devices gave 3e-5 and 8e-4. The bars are some times that.
_FARTHEST = 5e-3
_FARTHEST_AT_FIRST = 1e-4


def checks(place: Workbench) -> list[Check]:
    """All of them, bound to a workbench."""
    what = f"training: {_STEPS} steps on two CPU devices against one, same global batch"
    return [
        Check(
            NAMES[0],
            (
                Figure(f"{what}: largest difference of the loss", "<=", _FARTHEST, "{:.1e}"),
                Figure(f"{what}: in the first 4 steps", "<=", _FARTHEST_AT_FIRST, "{:.1e}"),
                Figure(f"{what}: one device's own, compiled otherwise", "told", form="{:.1e}"),
                Figure(f"{what}: of the validation IoU", "told", form="{:.1e}"),
                Figure(f"{what}: loss at the end over that of the first step", "told"),
                Figure(f"{what}: time over one's (parts of one processor)", "told", form="{:.2f}"),
            ),
            partial(_measure, place),
        )
    ]


def _measure(place: Workbench) -> Sequence[float]:
    if find_spec("jax") is None:
        raise NotMeasuredError("JAX is not installed: pip install 'edgeseg[jax]'")
    (table,) = place.need(SNAPSHOTS)
    folder = place.work / "devices-parallel"
    # A run that is there would only be gone on with.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    _write_part(table, folder / "split.csv")
    (folder / "recipe.json").write_text(json.dumps(_RECIPE))
    one, two = (_trained(folder, count) for count in (1, 2))
    # The same sums in another order without any second device: what float32 does by itself.
    otherwise = _trained(folder, 1, "JAX_DISABLE_MOST_OPTIMIZATIONS=1")
    apart, yardstick = (np.abs(one["loss"] - ran["loss"]) / one["loss"] for ran in (two, otherwise))
    return [
        float(apart.max()),
        float(apart[:4].max()),
        float(yardstick.max()),
        float(np.abs(one["score"] - two["score"]).max()),
        float(one["loss"][-4:].mean() / one["loss"][0]),
        # The first step's time is that of compiling.
        float(two["seconds"][1:].sum() / one["seconds"][1:].sum()),
    ]


def _write_part(table: Path, part: Path) -> None:
    """The first snapshots of each split, by their absolute paths."""
    left = {"train": _TRAIN, "val": _VAL}
    with part.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(("image", "mask", "split"))
        for row in read_table(table, ("image", "mask", "split")):
            if left.get(row["split"], 0):
                left[row["split"]] -= 1
                paths = (table.parent / row[name] for name in ("image", "mask"))
                rows.writerow((*paths, row["split"]))


def _trained(folder: Path, devices: int, *variables: str) -> dict[str, np.ndarray]:
    """The run's history, a figure of each step after the other."""
    output = folder / "-".join(("run", str(devices), *variables))
    command = [
        "env", "KERAS_BACKEND=jax", "JAX_PLATFORMS=cpu", *variables, *EDGESEG, "train", "segmenter",
        "--data", str(folder), "--recipe", str(folder / "recipe.json"),
        "--devices", str(devices), "-o", str(output), "--json",
    ]  # fmt: skip
    epochs = json.loads(run(command, "edgeseg train"))["epochs"]
    names = ("loss", "score", "seconds")
    return {name: np.array([record[name] for record in epochs]) for name in names}
