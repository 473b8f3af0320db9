"""Folders of labelled photographs, read into memory.

A folder holds ``split.csv`` with the columns ``image``, ``mask`` (paths relative to the CSV) and,
where known, ``split`` (``train`` or ``val``; rows of any other are left alone) and a group
(``group`` or ``sender``); or it holds ``images/`` and ``masks/`` paired by file stem. Without a
``split`` column a fifth of the groups is held out, chosen by a seeded hash, so that no group stands
on both sides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.errors import DatasetError
from edgeseg.evaluation.classes import has_category_masks
from edgeseg.evaluation.comparison import JudgedPhoto
from edgeseg.evaluation.labelled import LabelledPhoto, pair_by_stem
from edgeseg.evaluation.segmentation import read_pair
from edgeseg.evaluation.splits import split_of
from edgeseg.table import read_table

_GROUP_COLUMNS = ("group", "sender")


@dataclass(frozen=True)
class Pair:
    """One labelled photograph on disk."""

    image: Path
    mask: Path
    split: str
    group: str


@dataclass(frozen=True)
class Sample:
    """One labelled photograph in memory.

    Attributes:
        image: ``(H, W, 3)`` uint8 RGB.
        mask: ``(H, W)`` uint8, 0 or 1.
        folder: index of the data folder that it came from.
        path: where the photograph is.
        target: ``(H, W)`` uint8, 0 to 255: what is to be learnt where that is not ``mask``, see
            :mod:`edgeseg.training.teacher`.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    folder: int
    path: Path
    target: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Dataset:
    """Training and validation samples; ``names`` are the folders' names, by ``Sample.folder``."""

    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    names: tuple[str, ...]


def list_pairs(folder: Path) -> list[Pair]:
    """The labelled photographs of a folder, see the module's docstring.

    Raises:
        DatasetError: nothing there to read, a column or a file is missing.
    """
    folder = Path(folder)
    table = folder / "split.csv"
    if table.is_file():
        pairs = list(_pairs_from_csv(table))
    elif (folder / "images").is_dir() and (folder / "masks").is_dir():
        found = pair_by_stem(folder / "images", folder / "masks").pairs
        pairs = [Pair(p.image, p.mask, split_of(p.name), p.name) for p in found]
    elif has_category_masks(folder):
        raise DatasetError(f"{folder}: these are masks of classes, for `edgeseg train classes`")
    else:
        raise DatasetError(f"{folder}: needs split.csv, or images/ and masks/")
    for pair in pairs:
        for path in (pair.image, pair.mask):
            if not path.is_file():
                raise DatasetError(f"{folder}: {path} is missing")
    return pairs


def load_dataset(
    folders: Sequence[Path],
    max_side_px: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Reads labelled folders into memory, each photograph shrunk to ``max_side_px`` at most.

    Args:
        folders: data folders; see the module's docstring.
        max_side_px: upper bound of a photograph's longer side.
        on_progress: called with (done, total) after each photograph.

    Raises:
        DatasetError: a folder is unusable, or there is nothing to train or to validate on.
        PhotoError: a photograph or a mask cannot be read.
    """
    listed = [
        (index, pair)
        for index, folder in enumerate(folders)
        for pair in list_pairs(folder)
        if pair.split in ("train", "val")
    ]
    train: list[Sample] = []
    val: list[Sample] = []
    for done, (index, pair) in enumerate(listed, start=1):
        sample = _load(pair, index, max_side_px)
        (val if pair.split == "val" else train).append(sample)
        if on_progress is not None:
            on_progress(done, len(listed))
    if not train or not val:
        raise DatasetError(f"{len(train)} photographs to train and {len(val)} to validate on")
    return Dataset(tuple(train), tuple(val), _names(folders))


def held_out(folders: Sequence[Path], split: str = "val") -> list[JudgedPhoto]:
    """The labelled photographs of one split, on disk, with the group and the folder of each.

    Raises:
        DatasetError: a folder is unusable, or none has a photograph in that split.
    """
    judged = []
    splits: set[str] = set()
    for folder, name in zip(folders, _names(folders), strict=True):
        for pair in list_pairs(folder):
            splits.add(pair.split)
            if pair.split == split:
                photo = LabelledPhoto(pair.image.stem, pair.image, pair.mask)
                judged.append(JudgedPhoto(photo, pair.group, name))
    if not judged:
        shown = ", ".join(str(folder) for folder in folders)
        raise DatasetError(
            f"{shown}: no photograph of split {split!r}; there are: {', '.join(sorted(splits))}"
        )
    return judged


def digest(samples: Sequence[Sample]) -> str:
    """SHA-256 over the samples' pixels, for a run's record."""
    sha = hashlib.sha256()
    for sample in samples:
        sha.update(np.ascontiguousarray(sample.image).data)
        sha.update(np.ascontiguousarray(sample.mask).data)
        if sample.target is not None:
            sha.update(np.ascontiguousarray(sample.target).data)
    return sha.hexdigest()


def _names(folders: Sequence[Path]) -> tuple[str, ...]:
    """A name for each folder; figures go by it, so two folders never share one."""
    short = [Path(folder).name or Path(folder).resolve().name for folder in folders]
    return tuple(
        name if short.count(name) == 1 else f"{name}#{index + 1}"
        for index, name in enumerate(short)
    )


def _load(pair: Pair, folder: int, max_side_px: int) -> Sample:
    image, mask = read_pair(LabelledPhoto(pair.image.stem, pair.image, pair.mask))
    image = shrunk(image, max_side_px)
    soft = shrunk(mask.astype(np.uint8) * 255, max_side_px)
    return Sample(image, (soft >= imaging.MASK_THRESHOLD).astype(np.uint8), folder, pair.image)


def shrunk(image: NDArray[np.uint8], max_side_px: int) -> NDArray[np.uint8]:
    """A picture or a mask whose longer side is ``max_side_px`` at most, its shape kept."""
    height, width = image.shape[:2]
    factor = max_side_px / max(height, width)
    if factor >= 1:
        return image
    return imaging.resize(image, max(1, round(width * factor)), max(1, round(height * factor)))


def _pairs_from_csv(table: Path) -> Iterator[Pair]:
    for row in read_table(table, ("image", "mask")):
        group = next((row[c] for c in _GROUP_COLUMNS if row.get(c)), row["image"])
        split = row.get("split") or split_of(group)
        yield Pair(table.parent / row["image"], table.parent / row["mask"], split, group)
