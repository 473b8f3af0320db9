"""Runs of tiny networks on several devices of one processor, for ``test_devices`` to look at.

A process of its own: Keras's backend and the number of JAX's devices are settled on import.

    KERAS_BACKEND=jax XLA_FLAGS=--xla_force_host_platform_device_count=4 \
        python -m tests.edgeseg.training.shared_steps DRAWN WORK

writes ``WORK/told.json``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import keras
import numpy as np

from edgeseg.errors import DevicesError
from edgeseg.evaluation.labelled import LabelledPhoto
from edgeseg.training import segmenter
from edgeseg.training.checkpoint import load_checkpoint, to_numpy
from edgeseg.training.classes import ClassesRun, train_classes
from edgeseg.training.classes_data import ClassDataset, ClassSample
from edgeseg.training.classes_recipe import load_classes_recipe
from edgeseg.training.dataset import load_dataset
from edgeseg.training.devices import chosen_devices, over_devices
from edgeseg.training.embedder import EmbedderRun, train_embedder
from edgeseg.training.instances import Instance
from edgeseg.training.losses import BceSoftIou
from edgeseg.training.networks.tiramisu import TIRAMISUS, Tiramisu
from edgeseg.training.recipe import EmbedderRecipe, SegmenterRecipe, load_recipe
from edgeseg.training.segmenter import CHECKPOINT_FILE, SegmenterRun, train_segmenter
from tests.edgeseg.training.conftest import EMBEDDER_RECIPE, SEGMENTER_RECIPE

BATCH, EPOCH_STEPS, EPOCHS = 8, 4, 10
RECIPE = {
    **SEGMENTER_RECIPE,
    "batch": BATCH,
    "epochs": EPOCHS,
    "epoch_samples": BATCH * EPOCH_STEPS,
    "optimizer": {
        "name": "adamw", "learning_rate": 0.01, "weight_decay": 0.01, "ema_momentum": 0.5,
    },
}  # fmt: skip
# Of every kind of layer that there is, and as few as can be: JAX compiles each run's step.
NETWORK = Tiramisu(
    down=(1,),
    bottleneck=1,
    growth_rate=8,
    stem_filters=8,
    order="conv_bn_relu",
    stem_stride=2,
    upsampling="nearest",
    dropout=0.2,
    activation_ceiling=6.0,
)
STAGE: dict[str, Any] = {
    "name": "crops",
    "crop_px": 32,
    "flip": 0.5,
    "batch": 4,
    "epochs": 4,
    "optimizer": {"name": "rmsprop", "learning_rate": 0.003, "weight_decay": 0.0},
    "schedule": {"name": "exponential", "factor": 0.95},
    "early_stopping_patience": 100,
}
CLASSES_RECIPE: dict[str, Any] = {
    "network": "test_tiny",
    "classes": ["ground", "left", "right"],
    "input_px": 48,
    "scale": 1 / 255,
    "offset": 0.0,
    "weight_decay": 1e-4,
    "validation_statistics": "batch",
    "validation_batch": 3,
    "stages": [STAGE],
}


class InterruptedRunError(Exception):
    """Stands for a kill after an epoch."""


class WatchedLoss(BceSoftIou):
    """The segmenter's loss, which also notes what part of a batch a device has in its hands."""

    shares: list[int]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        shape = y_pred.shape
        jax.debug.inspect_array_sharding(
            jax.lax.stop_gradient(y_pred),
            callback=lambda sharding: self.shares.append(int(sharding.shard_shape(shape)[0])),
        )
        return super().call(y_true, y_pred)


def curve(train: Callable[..., Any], run: Any, folder: Path, **options: Any) -> dict[str, Any]:
    """Trains, and gives every step's loss beside the epochs' records."""
    losses: list[float] = []
    means: list[float] = [0.0]

    def on_step(epoch: int, step: int, mean: float) -> None:
        before = 0.0 if step == 1 else means[-1]
        losses.append(mean * step - before * (step - 1))
        means.append(mean)

    history = train(run, folder, on_step=on_step, **options)
    stages = history if isinstance(history, dict) else {"run": history}
    epochs = [record for stage in stages.values() for record in stage.epochs]
    return {"losses": losses, "scores": [record["score"] for record in epochs]}


def broken_off(run: SegmenterRun, folder: Path, devices: int, epochs: int) -> None:
    def on_epoch(record: dict[str, float]) -> None:
        if record["epoch"] + 1 == epochs:
            raise InterruptedRunError

    try:
        train_segmenter(run, folder, devices=devices, on_epoch=on_epoch)
    except InterruptedRunError:
        return
    raise AssertionError("it was not broken off")


def resumed(run: SegmenterRun, folder: Path, first: int, then: int) -> dict[str, Any]:
    broken_off(run, folder, first, EPOCHS // 2)
    return curve(train_segmenter, run, folder, devices=then)


def statistics(devices: int) -> dict[str, float]:
    """What batch normalization gathers in a step whose halves are far apart."""
    values = np.random.default_rng(5).normal(size=(BATCH, 1)).astype(np.float32)
    values[BATCH // 2 :] += 10
    with over_devices(devices, {"the values": BATCH}):
        layer = keras.layers.BatchNormalization(momentum=0.0)
        model = keras.Sequential([keras.Input((1,)), layer])
        model.compile(optimizer="sgd", loss="mse", jit_compile=True)
        model.train_on_batch(values, values)
        gathered = {"mean": layer.moving_mean, "variance": layer.moving_variance}
        return {name: float(to_numpy(value)[0]) for name, value in gathered.items()}


def items(count: int) -> list[Instance]:
    made = []
    for number in range(count):
        rng = np.random.default_rng([7, number])
        square = np.full((40, 40, 3), 255, np.uint8)
        top, left = rng.integers(4, 12, size=2)
        square[top:-top, left:-left] = rng.integers(0, 200, size=3)
        square[16:24, left:-left] = rng.integers(0, 200, size=3)
        # What is seen in a scene is in another light.
        scene = square.copy()
        scene[top:-top, left:-left] //= 2
        made.append(Instance(f"S{number}", [square], [scene], [square]))
    return made


def class_samples(count: int, seed: int) -> tuple[ClassSample, ...]:
    made = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        ids = np.zeros((40, 48), np.uint8)
        ids[8:30, 4 : int(rng.integers(10, 24))] = 1
        ids[10:36, int(rng.integers(26, 36)) : 46] = 2
        colours = np.array([(90, 110, 90), (210, 40, 40), (40, 50, 200)])
        photo = np.clip(colours[ids] + rng.normal(0, 12, (*ids.shape, 3)), 0, 255)
        pair = LabelledPhoto(str(number), Path("photo"), Path("mask"))
        made.append(ClassSample(pair, photo.astype(np.uint8), ids))
    return tuple(made)


def written(path: Path, recipe: dict[str, Any]) -> str:
    path.write_text(json.dumps(recipe))
    return str(path)


def refusal(count: int, batch: int) -> str:
    try:
        chosen_devices(count, {"the recipe": batch})
    except DevicesError as error:
        return str(error)
    return ""


def segmenter_runs(drawn: Path, work: Path) -> dict[str, Any]:
    def recipe(**changes: Any) -> SegmenterRecipe:
        return load_recipe(SegmenterRecipe, written(work / "recipe.json", {**RECIPE, **changes}))

    run = SegmenterRun(recipe(), load_dataset([drawn], 48), [1.0], (), seed=3)
    short = replace(run, recipe=recipe(epochs=3), precision="bfloat16")
    train = partial(curve, train_segmenter)
    told: dict[str, Any] = {"straight": {}, "shares": {}}
    for count in (1, 2, 4):
        WatchedLoss.shares = []
        told["straight"][count] = train(run, work / f"straight{count}", devices=count)
        told["shares"][count] = sorted(set(WatchedLoss.shares))
    told["other_seed"] = train(replace(run, seed=4), work / "other")
    told["resumed"] = {
        f"{first} to {then}": resumed(run, work / f"resumed{first}{then}", first, then)
        for first, then in ((2, 1), (1, 4))
    }
    told["bfloat16"] = {
        count: train(short, work / f"bfloat16{count}", devices=count) for count in (1, 2)
    }
    kept = [load_checkpoint(work / f"straight{count}" / CHECKPOINT_FILE) for count in (1, 2)]
    told["kept_runs_alike"] = kept[0].run == kept[1].run
    told["kept_weights_apart"] = max(
        float(np.abs(kept[0].weights[name] - kept[1].weights[name]).max())
        for name in kept[0].weights
    )
    return told


def main(drawn: Path, work: Path) -> None:
    # Runs that differ in their devices alone are compiled once for each number of them.
    jax.config.update("jax_compilation_cache_dir", str(work / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    TIRAMISUS["test_tiny"] = NETWORK
    segmenter.BceSoftIou = WatchedLoss
    told = {"devices": chosen_devices(4, {}), "segmenter": segmenter_runs(drawn, work)}
    recipe = {**EMBEDDER_RECIPE, "epochs": 8, "epoch_samples": 16, "colour_dim": 4}
    embedder_recipe = load_recipe(EmbedderRecipe, written(work / "embedder.json", recipe))
    embedder_run = EmbedderRun(embedder_recipe, items(12), items(16)[12:], seed=2)
    classes_recipe = load_classes_recipe(written(work / "classes.json", CLASSES_RECIPE))
    classes_run = ClassesRun(classes_recipe, ClassDataset(class_samples(8, 1), class_samples(3, 2)))
    for name, train, run in (
        ("embedder", train_embedder, embedder_run),
        ("classes", train_classes, classes_run),
    ):
        told[name] = {
            count: curve(train, run, work / f"{name}{count}", devices=count) for count in (1, 2)
        }
    told["statistics"] = {count: statistics(count) for count in (1, 2, 4)}
    told["refusals"] = {"too few": refusal(6, 12), "uneven": refusal(4, 6)}
    told["left"] = keras.distribution.distribution() is None
    (work / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
