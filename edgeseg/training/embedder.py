"""Trains an embedder by telling items apart: each item's snapshot must find its catalogue picture.

The loss is the contrastive one of SimCLR (Chen et al., arXiv 2002.05709, equation 1) between the
two sides of a batch. Where there is a teacher, a share of each target is spread over the batch as
the teacher's own similarities are (SEED, Fang et al., arXiv 2101.04731, equations 2 to 4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import DatasetError
from edgeseg.interpreter import Interpreter
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.augment import Augmentation, Image, augment, recolour
from edgeseg.training.checkpoint import Checkpoint, Weights, get_weights, set_weights
from edgeseg.training.colour import fit_colour
from edgeseg.training.confused import Confused
from edgeseg.training.devices import over_devices, shared
from edgeseg.training.fit import Batch, History, compiled, fit
from edgeseg.training.hard_negatives import CHOICE, deal, nearest_items
from edgeseg.training.instances import TEACHER_PX, Instance
from edgeseg.training.losses import SoftTargetContrastive
from edgeseg.training.networks.embedder import EMBEDDERS
from edgeseg.training.recipe import EmbedderRecipe

CHECKPOINT_FILE = "embedder.safetensors"
# What the MobileNet family was trained with.
_TEACHER_SCALING = Preprocessing(TEACHER_PX, "pad_white", scale=1 / 128, offset=-1.0)


@dataclass(frozen=True)
class EmbedderRun:
    """Everything that a run is made of.

    Attributes:
        recipe: how to train.
        train, val: items; no item stands on both sides.
        teacher: the teacher's embeddings of each training item's first picture, ``(N, T)`` float32
            unit vectors, or None.
        start: first weights, of those layers that are named; the others are drawn.
        seed: of the weights and of every random choice.
        precision: ``float32`` or ``bfloat16``, as in ``SegmenterRun``.
        confused: items that workers saw taken for one another, all of them among ``train`` and with
            snapshots; they meet in batches where the recipe's ``hard_group`` is 2 or more.
    """

    recipe: EmbedderRecipe
    train: Sequence[Instance]
    val: Sequence[Instance]
    teacher: NDArray[np.float32] | None = None
    start: Weights | None = None
    seed: int = 0
    precision: str = "float32"
    confused: Confused | None = None

    def describe(self) -> dict[str, Any]:
        """What must be the same for a run to be continued; JSON types."""
        further = {} if self.confused is None else {"confused": self.confused.describe()}
        return {
            "recipe": self.recipe.to_dict(),
            "train_items": len(self.train),
            "val_items": len(self.val),
            "teacher": self.teacher is not None,
            "started": None if self.start is None else len(self.start),
            "seed": self.seed,
            "precision": self.precision,
            **further,
        }


def teach(model: bytes, instances: Sequence[Instance]) -> NDArray[np.float32]:
    """A teacher's embedding of each item's first picture.

    Args:
        model: a .tflite that takes ``(1, 224, 224, 3)`` RGB scaled to [-1, 1], as MobileNet does.
        instances: the items.

    Returns:
        ``(N, T)`` float32 unit vectors.
    """
    interpreter = Interpreter(model, threads=2)
    rows = [
        interpreter.run(_TEACHER_SCALING.normalized(i.teacher_inputs[0][None])).reshape(-1)
        for i in instances
    ]
    embeddings = np.stack(rows)
    unit: NDArray[np.float32] = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return unit


def train_embedder(
    run: EmbedderRun,
    run_folder: Path,
    *,
    devices: int = 1,
    on_step: Callable[[int, int, float], None] | None = None,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
) -> History:
    """Trains, keeping the best checkpoint in ``run_folder / CHECKPOINT_FILE``.

    A state of the same run in ``run_folder`` is continued. The arguments are those of
    ``train_segmenter``.

    Raises:
        DevicesError: the devices are not to be had, or cannot share a step.
        DatasetError: fewer than two items to train on, or none to validate on.
        FormatError: ``run_folder`` holds another run.
    """
    recipe = run.recipe
    train, val = (sum(bool(i.scenes) for i in side) for side in (run.train, run.val))
    if train < 2 or not val:
        raise DatasetError(
            f"{train} items with snapshots to train on and {val} to validate on: "
            "2 and 1 are the fewest"
        )
    with over_devices(devices, {"the recipe, with its items,": min(recipe.batch, train)}):
        model = compiled(
            EMBEDDERS[recipe.network].build,
            SoftTargetContrastive(recipe.temperature, recipe.colour_share),
            recipe,
            run.seed,
            run.precision,
        )
        if run.start is not None:
            set_weights(model, {**get_weights(model), **run.start})
        return fit(
            model,
            _EmbedderTask(run, model, run_folder / CHECKPOINT_FILE),
            run_folder,
            run.describe(),
            recipe,
            on_step=on_step,
            on_epoch=on_epoch,
        )


class _EmbedderTask:
    """Batches, validation and checkpoint of an embedder; see ``fit.Task``."""

    def __init__(self, run: EmbedderRun, model: Any, checkpoint: Path) -> None:
        recipe = run.recipe
        self.run = run
        self.model = model
        self.checkpoint = checkpoint
        self.preprocessing = Preprocessing(
            recipe.input_px, "pad_white", scale=recipe.scale, offset=recipe.offset
        )
        self.colour = fit_colour(
            run.train, self.preprocessing, recipe.colour_dim, recipe.colour_share
        )
        self.trainable = [i for i, instance in enumerate(run.train) if instance.scenes]
        self.nearest = nearest_items(self._described(), recipe.hard_group)
        self.rivals: dict[int, list[int]] = {}
        if run.confused is not None:
            names = [instance.name for instance in run.train]
            self.rivals = run.confused.of(names, CHOICE * (recipe.hard_group - 1))
        self.batch = min(recipe.batch, len(self.trainable))
        samples = recipe.epoch_samples or len(self.trainable)
        self.epoch_steps = max(1, samples // self.batch)

    def batches(self, epoch: int) -> Iterator[Batch]:
        size = self.run.recipe.input_px
        deck: list[int] = []
        shuffle = np.random.default_rng([self.run.seed, epoch])
        for step in range(self.epoch_steps):
            # Whole batches are dealt from one deal: an item never meets itself as a negative.
            if len(deck) < self.batch:
                group = self.run.recipe.hard_group
                deck = deal(self.trainable, self.nearest, group, shuffle, self.rivals)
            chosen, deck = deck[: self.batch], deck[self.batch :]
            images = np.empty((2 * self.batch, size, size, 3), np.uint8)
            for slot, index in enumerate(chosen):
                rng = np.random.default_rng([self.run.seed, epoch, step, slot])
                query, picture = self._views(self.run.train[index], rng)
                images[slot], images[self.batch + slot] = query, picture
            targets = self._targets(chosen)
            colours = np.stack([self.colour.describe(image) for image in images])
            alike = colours[: self.batch] @ colours[self.batch :].T
            yield (
                self.preprocessing.normalized(images),
                np.block([[targets, alike], [targets.T, alike.T]]),
            )

    def _described(self) -> NDArray[np.float32]:
        """What is known of each training item before any training: its colours, and the teacher."""
        run = self.run
        first = [self.preprocessing.resized(instance.clean[0]) for instance in run.train]
        colours = np.stack([self.colour.describe(picture) for picture in first])
        if run.teacher is None:
            return colours
        return self.colour.join(run.teacher, colours)

    def _views(self, instance: Instance, rng: np.random.Generator) -> tuple[Image, Image]:
        recipe = self.run.recipe
        query = instance.scenes[int(rng.integers(len(instance.scenes)))]
        picture = instance.clean[int(rng.integers(len(instance.clean)))]
        if rng.random() < recipe.p_recolour:
            colour_seed = int(rng.integers(2**32))
            query, picture = (
                _recolour_garment(view, np.random.default_rng(colour_seed))
                for view in (query, picture)
            )
        return (
            _view(query, recipe.input_px, recipe.query_view, rng),
            _view(picture, recipe.input_px, recipe.studio_view, rng),
        )

    def _targets(self, chosen: Sequence[int]) -> NDArray[np.float32]:
        recipe = self.run.recipe
        same = np.eye(len(chosen), dtype=np.float32)
        if self.run.teacher is None:
            return same
        embeddings = self.run.teacher[list(chosen)]
        logits = embeddings @ embeddings.T / recipe.teacher_temperature
        spread = np.exp(logits - logits.max(axis=1, keepdims=True))
        spread /= spread.sum(axis=1, keepdims=True)
        mixed: NDArray[np.float32] = (
            (1 - recipe.teacher_share) * same + recipe.teacher_share * spread
        ).astype(np.float32)
        return mixed

    def evaluate(self) -> dict[str, float]:
        """Match recall of held-out items' scenes among the catalogue pictures of all items."""
        catalogue = [*self.run.val, *self.run.train]
        pictures = self._embed([instance.clean[0] for instance in catalogue])
        owners, queries = [], []
        for index, instance in enumerate(self.run.val):
            owners += [index] * len(instance.scenes)
            queries += instance.scenes
        distances = 1 - self._embed(queries) @ pictures.T
        own = distances[np.arange(len(owners)), owners]
        ranks = (distances < own[:, None]).sum(axis=1)
        recall_at_1 = float(np.mean(ranks < 1))
        recall_at_10 = float(np.mean(ranks < 10))
        return {
            "score": recall_at_1,
            "match_recall_at_1": recall_at_1,
            "match_recall_at_10": recall_at_10,
            "catalogue_items": len(catalogue),
        }

    def _embed(self, squares: Sequence[Image]) -> NDArray[np.float32]:
        rows = []
        for start in range(0, len(squares), 64):
            resized = [self.preprocessing.resized(s) for s in squares[start : start + 64]]
            inputs = self.preprocessing.normalized(np.stack(resized))
            seen = np.asarray(self.model.predict_on_batch(shared(inputs)), dtype=np.float32)
            colours = np.stack([self.colour.describe(each) for each in resized])
            rows.append(self.colour.join(seen, colours))
        return np.concatenate(rows)

    def keep(self, figures: dict[str, float]) -> None:
        recipe = self.run.recipe
        Checkpoint(
            kind="embedder",
            network=EMBEDDERS[recipe.network],
            preprocessing=self.preprocessing,
            weights=get_weights(self.model),
            evaluation=figures,
            run=self.run.describe(),
            model_version=f"{recipe.network}-{recipe.input_px}",
            colour=self.colour,
        ).save(self.checkpoint)


def _view(square: Image, size_px: int, options: Augmentation, rng: np.random.Generator) -> Image:
    """A cutout changed a little, what lies outside it left white."""
    outside = (square.min(axis=2) >= 250).astype(np.uint8)
    view, cover = augment(square, 1 - outside, size_px, options, (), rng)
    view[cover < 8] = 255
    return view


def _recolour_garment(square: Image, rng: np.random.Generator) -> Image:
    changed = recolour(square, rng)
    outside = square.min(axis=2) >= 250
    changed[outside] = 255
    return changed
