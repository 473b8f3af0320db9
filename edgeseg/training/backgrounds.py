"""Backgrounds to put behind garments: pictures, and what photographs show beside theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeseg import imaging
from edgeseg.errors import DatasetError
from edgeseg.items import PICTURE_SUFFIXES
from edgeseg.training.augment import Image, garment_free_part
from edgeseg.training.dataset import Sample


def read_pictures(folders: Sequence[Path]) -> list[Image]:
    """The pictures of folders, in order of name.

    Raises:
        DatasetError: a folder is missing or holds no picture.
        PhotoError: a picture cannot be read.
    """
    found: list[Image] = []
    for folder in folders:
        if not Path(folder).is_dir():
            raise DatasetError(f"{folder}: no such folder")
        paths = [p for p in sorted(Path(folder).iterdir()) if p.suffix.lower() in PICTURE_SUFFIXES]
        if not paths:
            raise DatasetError(f"{folder}: holds no picture")
        found += [imaging.read_photo(path) for path in paths]
    return found


def garment_free_parts(samples: Sequence[Sample]) -> list[Image]:
    """What labelled photographs show beside their garments, where that is enough to be of use."""
    parts = (garment_free_part(sample.image, sample.mask) for sample in samples)
    return [part for part in parts if part is not None]
