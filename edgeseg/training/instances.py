"""What the embedder learns from: items, each as catalogue pictures and as cutouts of snapshots.

A data folder's table says what it holds:

* ``items.csv`` with ``sku``: pictures on white; those of one SKU show one item;
* ``split.csv`` with ``mask``: labelled photographs, each an item of its own;
* ``items.csv`` without ``sku``: photographs that the segmenter cuts out, each an item of its own.

Rows whose ``split`` is not ``train`` are left alone. From each picture snapshots are composed on
other backgrounds and cut out by the segmenter that will cut out the worker's photographs, so that
the embedder learns from the very faults it will meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.description import catalogue_views
from edgeseg.errors import DatasetError, PhotoError
from edgeseg.evaluation.splits import hash_share
from edgeseg.postprocess import Segmentation, cutout_on_white, segmentation_from
from edgeseg.preprocessing import Preprocessing
from edgeseg.segmenter import Segmenter
from edgeseg.table import read_table
from edgeseg.training.augment import Image, augment
from edgeseg.training.recipe import EmbedderRecipe

# Views are kept this much larger than the network's input, so that a zoom has pixels to show.
OVERSAMPLING = 1.25
SCENE_PX = 288
TEACHER_PX = 224
# White around a picture before it is put into a scene, so that its border does not repeat in it.
_FRAME_RATIO = 0.15
_NEAR_WHITE = 250


@dataclass
class Instance:
    """One item.

    Attributes:
        name: the SKU, or the photograph's name.
        clean: ``(S, S, 3)`` uint8 RGB squares, framed as catalogue pictures are.
        scenes: the same size: cutouts of snapshots, framed as the runtime frames them.
        teacher_inputs: ``(224, 224, 3)`` uint8 RGB, one for each of ``clean``.
    """

    name: str
    clean: list[Image] = field(default_factory=list)
    scenes: list[Image] = field(default_factory=list)
    teacher_inputs: list[Image] = field(default_factory=list)


@dataclass(frozen=True)
class _Row:
    image: Path
    mask: Path | None
    sku: str | None


def load_instances(
    folders: Sequence[Path],
    segmenter: Segmenter,
    backgrounds: Sequence[Image],
    recipe: EmbedderRecipe,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Instance]:
    """Reads the folders and composes the scenes.

    Args:
        folders: data folders; see the module's docstring.
        segmenter: cuts out photographs and scenes.
        backgrounds: pictures free of garments.
        recipe: how scenes are composed.
        seed: of every random choice.
        on_progress: called with (done, total) after each picture.

    Raises:
        DatasetError: a folder is unusable.
        PhotoError: a picture cannot be read.
    """
    rows = [row for folder in folders for row in _rows(Path(folder))]
    preprocessing = Preprocessing(round(recipe.input_px * OVERSAMPLING), "pad_white")
    teacher_input = Preprocessing(TEACHER_PX, "pad_white")
    found: dict[str, Instance] = {}
    for index, row in enumerate(rows):
        photo = imaging.read_photo(row.image)
        segmentation = _segmentation(photo, row, segmenter)
        if segmentation is not None and segmentation.found:
            rng = np.random.default_rng([seed, index])
            name = row.sku or str(row.image)
            instance = found.setdefault(name, Instance(name))
            views = (
                catalogue_views(photo, segmenter)
                if row.sku
                else [cutout_on_white(photo, segmentation)]
            )
            instance.clean += [preprocessing.resized(view) for view in views]
            instance.teacher_inputs += [teacher_input.resized(view) for view in views]
            for scene in _scenes(photo, segmentation, segmenter, backgrounds, recipe, rng):
                instance.scenes.append(preprocessing.resized(scene))
        if on_progress is not None:
            on_progress(index + 1, len(rows))
    if not found:
        raise DatasetError("no garment found in any picture of the data folders")
    return list(found.values())


def split_instances(
    instances: Sequence[Instance], validation_share: float
) -> tuple[list[Instance], list[Instance]]:
    """(train, validation), by a hash of the names: the same for the same names."""
    train: list[Instance] = []
    val: list[Instance] = []
    for instance in instances:
        held_out = hash_share(Path(instance.name).name) < validation_share
        (val if held_out else train).append(instance)
    return train, val


def _rows(folder: Path) -> Iterator[_Row]:
    table = next((t for t in (folder / "split.csv", folder / "items.csv") if t.is_file()), None)
    if table is None:
        raise DatasetError(f"{folder}: needs split.csv or items.csv")
    for row in read_table(table, ("image",)):
        if row.get("split", "train") == "train":
            mask = folder / row["mask"] if row.get("mask") else None
            yield _Row(folder / row["image"], mask, row.get("sku") or None)


def _segmentation(photo: Image, row: _Row, segmenter: Segmenter) -> Segmentation | None:
    if row.mask is not None:
        mask = imaging.read_mask(row.mask)
        if mask.shape != photo.shape[:2]:
            raise PhotoError(f"{row.mask}: mask and photograph differ in size")
        return _exact(mask, segmenter)
    if row.sku is not None:
        return _exact(photo.min(axis=2) < _NEAR_WHITE, segmenter)
    return segmenter.segment(photo)


def _exact(mask: NDArray[np.bool_], segmenter: Segmenter) -> Segmentation:
    height, width = mask.shape
    return segmentation_from(mask.astype(np.float32), width, height, segmenter.options)


def _scenes(
    photo: Image,
    segmentation: Segmentation,
    segmenter: Segmenter,
    backgrounds: Sequence[Image],
    recipe: EmbedderRecipe,
    rng: np.random.Generator,
) -> Iterator[Image]:
    """Cutouts of snapshots composed from a picture; the true mask stands in where none is found."""
    image, mask = framed(photo, segmentation.category_mask)
    for _ in range(recipe.scenes):
        scene, soft = augment(image, mask, SCENE_PX, recipe.scene, backgrounds, rng)
        true = _exact(soft >= 128, segmenter)
        seen = true if rng.random() < recipe.p_true_mask else segmenter.segment(scene)
        if not seen.found:
            seen = true
        if seen.found:
            yield cutout_on_white(scene, seen)


def framed(photo: Image, mask: NDArray[np.uint8]) -> tuple[Image, Image]:
    """The picture and its mask in the middle of a square, with room around."""
    height, width = mask.shape
    side = round(max(height, width) * (1 + 2 * _FRAME_RATIO))
    top, left = (side - height) // 2, (side - width) // 2
    image = np.full((side, side, 3), 255, np.uint8)
    framed = np.zeros((side, side), np.uint8)
    image[top : top + height, left : left + width] = photo
    framed[top : top + height, left : left + width] = mask
    return image, framed
