"""Automatic labels: each photo's first mask, which a person then accepts or corrects."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import limits
from edgeseg.errors import DatasetError, EdgesegError
from edgeseg.files import read_bounded, sha256_hex
from edgeseg.grabcut import grabcut_mask
from edgeseg.imaging import Photo, encode_png, read_photo
from edgeseg.items import PICTURE_SUFFIXES
from edgeseg.labelling.correction import Corrector
from edgeseg.labelling.filling import add_photo
from edgeseg.labelling.otsu import otsu_mask
from edgeseg.labelling.records import Method, NewPhoto
from edgeseg.labelling.view import LabelSetView
from edgeseg.refine import shrunk
from edgeseg.table import read_table

# Gives a picture's confidence mask, `(h, w)` float32 in [0, 1], at any size.
Network = Callable[[Photo], NDArray[np.float32]]

_GROUP_COLUMNS = ("group", "sender")
# Colour decides at a bounded size, since GrabCut's time grows with its pixels.
_COLOUR_SIDE_PX = 400


@dataclass(frozen=True)
class ListedPhoto:
    """A photo to label: its path relative to the photos' folder, with slashes, and its group."""

    path: str
    group: str


@dataclass(frozen=True)
class Labelled:
    """What became of one photo: "labelled", "known" (there before) or "unreadable", and why."""

    path: str
    outcome: str
    problem: str = ""


def list_photos(
    source: str | os.PathLike[str], excluded: str | os.PathLike[str]
) -> tuple[Path, list[ListedPhoto]]:
    """The photos to label and the folder that their paths are relative to.

    Args:
        source: a folder, of which every photo below is taken (hidden ones and links to folders are
            passed over); or a CSV with the column ``image``, a path relative to it, and where
            known ``group`` or ``sender``. A photo without a group is one of its own.
        excluded: a folder to leave out where it lies inside: the label set's own.

    Raises:
        DatasetError: there are none, or the CSV is unusable.
    """
    place = Path(source)
    if place.is_dir():
        listed = [ListedPhoto(path, path) for path in _below(place, Path(excluded).resolve())]
        if not listed:
            kinds = ", ".join(sorted(PICTURE_SUFFIXES))
            raise DatasetError(f"no photos ({kinds}) below {place}")
        return place, listed
    groups: dict[str, str] = {}
    for row in read_table(place, ("image",)):
        path = Path(row["image"]).as_posix()
        groups[path] = next((row[c] for c in _GROUP_COLUMNS if row.get(c)), path)
    return place.parent, [ListedPhoto(path, group) for path, group in groups.items()]


def label_photos(
    labels: LabelSetView,
    photos: Iterable[ListedPhoto],
    method: Method,
    network: Network | None = None,
) -> Iterable[Labelled]:
    """Put photos with their automatic labels into a set, one after the other.

    A photo that is there is passed over, so a run that was cut off goes on where it was.

    Args:
        labels: the set.
        photos: which, relative to the set's folder of photos.
        method: "segmenter" (the network's confidence mask), "grabcut" (from a rectangle inside the
            frame) or "otsu" (a plain ground).
        network: gives a picture's confidence mask; needed for "segmenter".

    Yields:
        What became of each, once it is saved.

    Raises:
        EdgesegError: the set cannot be written.
    """
    if method == "segmenter" and network is None:
        raise ValueError("the method segmenter needs a network")
    known = {record.path for record in labels.records() if record.state != "unreadable"}
    for listed in photos:
        if listed.path in known:
            yield Labelled(listed.path, "known")
            continue
        photo = _labelled(labels.photos_folder, listed, method, network)
        add_photo(labels, photo)
        yield Labelled(listed.path, "unreadable" if photo.problem else "labelled", photo.problem)


def confidence_of(photo: Photo, method: Method, network: Network | None) -> NDArray[np.float32]:
    """A photo's automatic label as `(h, w)` float32 in [0, 1], at any size."""
    if method == "segmenter" and network is not None:
        return network(photo)
    find: Callable[[Photo], NDArray[np.bool_]] = otsu_mask if method == "otsu" else grabcut_mask
    return find(shrunk(photo, _COLOUR_SIDE_PX)).astype(np.float32)


def _labelled(
    folder: Path, listed: ListedPhoto, method: Method, network: Network | None
) -> NewPhoto:
    path, digest = folder / listed.path, ""
    try:
        data = read_bounded(path, limits.MAX_PHOTO_BYTES, "photo")
        digest = sha256_hex(data)
        photo = read_photo(data, listed.path)
    except EdgesegError as error:
        return NewPhoto(listed.path, digest, 0, 0, listed.group, method, problem=str(error))
    # To the 8 bits in which it is kept, so that the mask is the one that a corrector starts from.
    levels = np.rint(confidence_of(photo, method, network) * 255.0).astype(np.uint8)
    corrector = Corrector(photo, levels.astype(np.float32) / np.float32(255.0))
    height, width = photo.shape[:2]
    return NewPhoto(
        listed.path,
        digest,
        width,
        height,
        listed.group,
        method,
        encode_png(levels),
        encode_png(corrector.full_mask()),
    )


def _below(folder: Path, excluded: Path) -> list[str]:
    def fail(error: OSError) -> None:
        raise DatasetError(f"cannot list {error.filename}: {error.strerror}") from error

    found = []
    for parent, folders, files in os.walk(folder, onerror=fail):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (Path(parent) / name).resolve() != excluded
        )
        found += [
            (Path(parent) / name).relative_to(folder).as_posix()
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in PICTURE_SUFFIXES
        ]
    return sorted(found)
