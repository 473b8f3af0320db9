"""Photographs with category masks in memory, and the crops that a network trains on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import DatasetError
from edgeseg.evaluation.classes import VOID, pairs_of_classes, read_classes
from edgeseg.evaluation.labelled import LabelledPhoto


@dataclass(frozen=True, eq=False)
class ClassSample:
    """One labelled photograph.

    Attributes:
        pair: where it is.
        image: ``(H, W, 3)`` uint8 RGB.
        ids: ``(H, W)`` uint8 class ids, ``VOID`` where there is none.
    """

    pair: LabelledPhoto
    image: NDArray[np.uint8]
    ids: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class ClassDataset:
    """What a network trains on, and what its checkpoint is chosen by."""

    train: tuple[ClassSample, ...]
    val: tuple[ClassSample, ...]


def load_classes(
    folder: Path, classes: int, on_progress: Callable[[int, int], None] | None = None
) -> ClassDataset:
    """Reads the splits ``train`` and ``val`` of a folder; see :mod:`edgeseg.evaluation.classes`.

    Args:
        folder: with ``train/``, ``trainannot/``, ``val/`` and ``valannot/``.
        classes: how many there are.
        on_progress: called with (done, total) after each photograph.

    Raises:
        DatasetError: a split is missing, or a category mask cannot be used.
        PhotoError: a photograph or a category mask cannot be read.
    """
    pairs = {split: pairs_of_classes(folder, split).pairs for split in ("train", "val")}
    total = sum(len(found) for found in pairs.values())
    samples: dict[str, list[ClassSample]] = {split: [] for split in pairs}
    done = 0
    for split, found in pairs.items():
        for pair in found:
            samples[split].append(ClassSample(pair, *read_classes(pair, classes)))
            done += 1
            if on_progress is not None:
                on_progress(done, total)
    if not any((sample.ids != VOID).any() for sample in samples["train"]):
        raise DatasetError(f"{folder}: every pixel to train on is void")
    return ClassDataset(tuple(samples["train"]), tuple(samples["val"]))


def digest(samples: Sequence[ClassSample]) -> str:
    """SHA-256 over the samples' pixels, for a run's record."""
    sha = hashlib.sha256()
    for sample in samples:
        sha.update(np.ascontiguousarray(sample.image).data)
        sha.update(np.ascontiguousarray(sample.ids).data)
    return sha.hexdigest()


def random_crop(
    sample: ClassSample, crop_px: int | None, flip: float, stride: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A square cut out of a photograph anywhere, or all of it, perhaps mirrored.

    What lies beyond the frame is the photograph's reflection, and void.

    Args:
        sample: the photograph.
        crop_px: the square's side; None is the whole photograph, up to multiples of ``stride``.
        flip: probability of a horizontal flip.
        stride: what height and width must be multiples of.
        rng: the sample's own generator.

    Returns:
        ``(h, w, 3)`` uint8 RGB and ``(h, w)`` uint8 class ids.
    """
    if crop_px is None:
        height, width = whole_strides(sample.ids.shape[0], sample.ids.shape[1], stride)
    else:
        height = width = crop_px
    image = reflected(sample.image, height, width)
    ids = reflected(sample.ids, height, width, beyond=VOID)
    top = int(rng.integers(ids.shape[0] - height + 1))
    left = int(rng.integers(ids.shape[1] - width + 1))
    cut = slice(top, top + height), slice(left, left + width)
    image, ids = image[cut], ids[cut]
    return (image[:, ::-1], ids[:, ::-1]) if rng.random() < flip else (image, ids)


def whole_strides(height: int, width: int, stride: int) -> tuple[int, int]:
    """The smallest multiples of ``stride`` that hold a picture."""
    return height + -height % stride, width + -width % stride


def reflected(
    picture: NDArray[np.uint8], height: int, width: int, beyond: int | None = None
) -> NDArray[np.uint8]:
    """A picture in the middle of at least ``height`` x ``width`` pixels.

    Args:
        picture: ``(H, W)`` or ``(H, W, C)`` uint8.
        height: rows to reach; more are left as they are.
        width: columns to reach, likewise.
        beyond: the value outside the picture; None is its reflection.
    """
    missing = [max(0, height - picture.shape[0]), max(0, width - picture.shape[1])]
    margins = [(total // 2, total - total // 2) for total in missing]
    margins += [(0, 0)] * (picture.ndim - 2)
    if beyond is not None:
        return np.pad(picture, margins, constant_values=beyond)
    return np.pad(picture, margins, mode="reflect")
