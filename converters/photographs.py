"""Folders of photographs, labelled or not, read for calibration and for the parity gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import DatasetError
from edgeseg.evaluation.classes import has_category_masks, pairs_of_classes, read_classes
from edgeseg.evaluation.labelled import LabelledPhoto
from edgeseg.evaluation.segmentation import read_pair
from edgeseg.imaging import read_photo
from edgeseg.items import PICTURE_SUFFIXES
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.dataset import list_pairs


@dataclass(frozen=True)
class Photograph:
    """One photograph in memory.

    Attributes:
        name: for messages.
        image: ``(H, W, 3)`` uint8 RGB.
        mask: ``(H, W)`` bool, or None where there is no label of a garment.
        folder: the last part of the path of the folder it was read from, or nothing.
        ids: ``(H, W)`` uint8 class ids with ``VOID``, or None where there is no label of classes.
    """

    name: str
    image: NDArray[np.uint8]
    mask: NDArray[np.bool_] | None = None
    folder: str = ""
    ids: NDArray[np.uint8] | None = None

    @property
    def labelled(self) -> bool:
        """Whether there is something to hold a network against."""
        return self.mask is not None or self.ids is not None


def read_photographs(
    folders: Sequence[Path],
    split: Literal["train", "val"],
    limit: int,
    seed: int,
    classes: int = 0,
) -> list[Photograph]:
    """Up to ``limit`` photographs, an even share from each folder, chosen by ``seed``.

    A folder holds ``split.csv`` (only the rows of ``split`` are read, where there are any), or
    ``images/`` and ``masks/``, or a folder named by ``split`` beside one of category masks, or just
    pictures, at any depth. With ``classes`` the labels are class ids, of that many classes, and
    only folders with category masks have them; without, they are masks of garments, and those
    folders have none.

    Raises:
        DatasetError: a folder does not exist or holds no picture.
        PhotoError: a picture cannot be read.
    """
    rng = np.random.default_rng(seed)
    listed = [list_photographs(Path(folder), split) for folder in folders]
    chosen: list[tuple[Path, Path | None, str, int]] = []
    for index, (folder, paths) in enumerate(zip(folders, listed, strict=True)):
        share = (limit - len(chosen)) // (len(listed) - index)
        order = rng.permutation(len(paths))[:share]
        of_classes = has_category_masks(Path(folder), split)
        chosen += [
            (path, mask if of_classes == bool(classes) else None, Path(folder).name, classes)
            for path, mask in (paths[i] for i in sorted(order))
        ]
    return [_read(*photograph) for photograph in chosen]


def list_photographs(
    folder: Path, split: Literal["train", "val"]
) -> list[tuple[Path, Path | None]]:
    """The photographs of one folder and their masks, see :func:`read_photographs`.

    Raises:
        DatasetError: the folder does not exist or holds no picture.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: is no folder")
    if (folder / "split.csv").is_file():
        pairs = list_pairs(folder)
        return [(p.image, p.mask) for p in pairs if p.split == split] or [
            (p.image, p.mask) for p in pairs
        ]
    if (folder / "images").is_dir() and (folder / "masks").is_dir():
        return [(p.image, p.mask) for p in list_pairs(folder)]
    if has_category_masks(folder, split):
        return [(pair.image, pair.mask) for pair in pairs_of_classes(folder, split).pairs]
    found = sorted(
        p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file()
    )
    if not found:
        raise DatasetError(f"{folder}: holds no picture")
    return [(path, None) for path in found]


def resized_mask(mask: NDArray[np.bool_], preprocessing: Preprocessing) -> NDArray[np.bool_]:
    """A label in the network's own frame: ``(S, S)`` bool.

    The inverted mask goes through the photo's own resize, so that both share one geometry and the
    white of a padded border counts as background.
    """
    background = np.where(mask, 0, 255).astype(np.uint8)
    resized = preprocessing.resized(np.repeat(background[..., None], 3, axis=2))
    return np.asarray(resized[..., 0] < 128)


def _read(image_path: Path, mask_path: Path | None, folder: str, classes: int) -> Photograph:
    name = str(image_path)
    if mask_path is None:
        return Photograph(name, read_photo(image_path), None, folder)
    pair = LabelledPhoto(image_path.stem, image_path, mask_path)
    if classes:
        image, ids = read_classes(pair, classes)
        return Photograph(name, image, None, folder, ids)
    return Photograph(name, *read_pair(pair), folder)
