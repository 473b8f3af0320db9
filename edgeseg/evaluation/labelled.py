"""Which photo belongs to which mask: by file stem in two folders, by a CSV, or by both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.errors import DatasetError
from edgeseg.items import PICTURE_SUFFIXES
from edgeseg.table import read_table


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo on disk and its true mask.

    Attributes:
        name: what reports call it.
        image: the photo.
        mask: a picture of the same size, garment where it is 128 or more.
    """

    name: str
    image: Path
    mask: Path


@dataclass(frozen=True)
class Pairing:
    """The pairs that were found, in order of name, and the files that have no partner."""

    pairs: tuple[LabelledPhoto, ...]
    unmatched: tuple[Path, ...]


def pair_by_stem(images: Path, masks: Path) -> Pairing:
    """Pair two folders' pictures by path below the folder, without the suffix.

    Files that are no pictures by their suffix, and hidden ones, are left out without a word.

    Args:
        images: folder of photos; may have subfolders.
        masks: folder of masks, laid out alike.

    Raises:
        DatasetError: a folder cannot be listed, two pictures have one stem, or nothing pairs up.
    """
    photos, truths = _by_stem(images), _by_stem(masks)
    pairs = tuple(
        LabelledPhoto(stem, photos[stem], truths[stem]) for stem in sorted(photos & truths.keys())
    )
    if not pairs:
        raise DatasetError(
            f"no photo of {images} ({len(photos)} pictures) has a mask of the same file stem "
            f"in {masks} ({len(truths)} pictures)"
        )
    lone = [path for stem, path in sorted(photos.items()) if stem not in truths]
    lone += [path for stem, path in sorted(truths.items()) if stem not in photos]
    return Pairing(pairs, tuple(lone))


def pairs_of_split(table: Path, split: str) -> Pairing:
    """The pairs that a CSV with the columns ``image``, ``mask`` and ``split`` puts into one split.

    Args:
        table: the CSV; its paths are relative to it.
        split: a value of the ``split`` column, as in ``val``.

    Raises:
        DatasetError: the CSV is unusable, the split is empty, or a file is missing.
    """
    rows = read_table(table, ("image", "mask", "split"))
    chosen = [row for row in rows if row["split"] == split]
    if not chosen:
        names = ", ".join(sorted({row["split"] for row in rows}))
        raise DatasetError(f"{table}: no row has split {split!r}; there are: {names}")
    pairs = []
    for row in chosen:
        image, mask = table.parent / row["image"], table.parent / row["mask"]
        for path in (image, mask):
            if not path.is_file():
                raise DatasetError(f"{table}: {path} is missing")
        pairs.append(LabelledPhoto(str(Path(row["image"]).with_suffix("").name), image, mask))
    return Pairing(tuple(pairs), ())


def mask_folder(folder: Path) -> Callable[[LabelledPhoto, NDArray[np.uint8]], NDArray[np.bool_]]:
    """Masks that lie in a folder, as something that gives a photo's: the one of its file stem.

    Raises:
        DatasetError: the folder cannot be listed, or two masks have one stem; later, a photo has no
            mask there, or one of another size.
    """
    masks = {Path(stem).name: path for stem, path in _by_stem(folder).items()}

    def mask_of(photo: LabelledPhoto, pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        path = masks.get(photo.image.stem)
        if path is None:
            raise DatasetError(f"{folder} has no mask of {photo.image.name}")
        mask = imaging.read_mask(path)
        if mask.shape != pixels.shape[:2]:
            raise DatasetError(
                f"{path} is {mask.shape[1]} x {mask.shape[0]} pixels and its photo "
                f"{pixels.shape[1]} x {pixels.shape[0]}: a mask must be as large as its photo"
            )
        return mask

    return mask_of


def restrict(pairing: Pairing, table: Path, split: str) -> Pairing:
    """Keep of two folders' pairs those whose photo a CSV puts into one split, by file stem.

    Raises:
        DatasetError: the CSV is unusable, or none of the pairs is in the split.
    """
    rows = read_table(table, ("image", "split"))
    wanted = {Path(row["image"]).stem for row in rows if row["split"] == split}
    pairs = tuple(pair for pair in pairing.pairs if Path(pair.name).name in wanted)
    if not pairs:
        raise DatasetError(f"{table}: none of the photos is in split {split!r}")
    lone = tuple(path for path in pairing.unmatched if path.stem in wanted)
    return Pairing(pairs, lone)


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder")
    found: dict[str, Path] = {}
    for path in _pictures(folder):
        stem = path.relative_to(folder).with_suffix("").as_posix()
        if stem in found:
            raise DatasetError(
                f"{found[stem].name} and {path.name} in {path.parent} have one stem: "
                "which of them is meant?"
            )
        found[stem] = path
    return found


def _pictures(folder: Path) -> Iterable[Path]:
    try:
        listed = sorted(folder.rglob("*"))
    except OSError as error:
        raise DatasetError(f"cannot list {folder}: {error.strerror}") from error
    for path in listed:
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.suffix.lower() in PICTURE_SUFFIXES and path.is_file():
            yield path
