"""Making a label set, and putting photos with their automatic labels into it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from edgeseg.errors import DatasetError
from edgeseg.files import made_folder, sha256_hex, write_atomic
from edgeseg.labelling.records import METHODS, NewPhoto, checked_relative
from edgeseg.labelling.store import Store
from edgeseg.labelling.view import LabelSetView


def create_label_set(
    folder: str | os.PathLike[str],
    photos: str | os.PathLike[str],
) -> None:
    """Make an empty set, or open the one that is there.

    Args:
        folder: where the set is to be.
        photos: the folder that photos' paths are relative to.

    Raises:
        DatasetError: the set that is there is about another folder of photos.
        EdgesegError: the folder cannot be made.
    """
    place = made_folder(folder)
    for part in ("masks", "seeds"):
        made_folder(place / part)
    relative = os.path.relpath(Path(photos).absolute(), place.absolute())
    store = Store(place)
    store.create()
    with store.changing() as db:
        db.execute("INSERT OR IGNORE INTO head VALUES ('photos', ?)", (relative,))
    made = LabelSetView(place)
    if made.photos_folder != Path(os.path.normpath(Path(photos).absolute())):
        raise DatasetError(
            f"{folder} holds labels of {made.photos_folder}, not of {photos}: "
            "name another folder for these"
        )


def add_photo(labels: LabelSetView, photo: NewPhoto) -> int:
    """Add a photo with its automatic label, or replace what was unreadable by it.

    Returns:
        Its id. A photo that is there and readable stays as it is.
    """
    checked_relative(photo.path)
    if photo.method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {photo.method!r}")
    with labels.store.changing() as db:
        row = db.execute("SELECT id, state FROM photos WHERE path = ?", (photo.path,)).fetchone()
        if row is not None and row["state"] != "unreadable":
            return int(row["id"])
        if row is None:
            db.execute(
                "INSERT INTO photos VALUES (NULL, ?, '', 0, 0, '', 'unreadable', '', '', '', "
                "'', 0, 0, '{}', '', 0, '', 0)",
                (photo.path,),
            )
            row = db.execute("SELECT id FROM photos WHERE path = ?", (photo.path,)).fetchone()
        photo_id = int(row["id"])
        mask = write_picture(labels.folder / "masks", photo_id, photo.mask_png)
        seed = write_picture(labels.folder / "seeds", photo_id, photo.seed_png)
        db.execute(
            "UPDATE photos SET sha256 = ?, width_px = ?, height_px = ?, photo_group = ?, "
            "state = ?, note = ?, method = ?, mask = ?, seed = ? WHERE id = ?",
            (
                photo.sha256,
                photo.width_px,
                photo.height_px,
                photo.group,
                "unreadable" if photo.problem else "todo",
                photo.problem,
                photo.method,
                mask,
                seed,
                photo_id,
            ),
        )
    return photo_id


def set_priorities(labels: LabelSetView, priorities: Mapping[int, float]) -> None:
    """Say what to label next: photos of a higher number come first; all start at 0."""
    with labels.store.changing() as db:
        db.executemany(
            "UPDATE photos SET priority = ? WHERE id = ?",
            [(float(value), photo_id) for photo_id, value in priorities.items()],
        )


def sweep(labels: LabelSetView) -> int:
    """Remove masks and seeds that no photo names, which a kill between two writes leaves.

    Returns:
        How many there were.
    """
    swept = 0
    # In a transaction: what another process writes now is named before this one looks.
    with labels.store.changing() as db:
        for part, column in (("masks", "mask"), ("seeds", "seed")):
            named = {row[0] for row in db.execute(f"SELECT {column} FROM photos")}
            for path in (labels.folder / part).glob("*.png"):
                if path.name not in named:
                    path.unlink(missing_ok=True)
                    swept += 1
    return swept


def write_picture(folder: Path, photo_id: int, png: bytes) -> str:
    """A picture's file name; the file is whole and on the disk when this returns."""
    if not png:
        return ""
    name = f"{photo_id}-{sha256_hex(png)[:16]}.png"
    write_atomic(folder / name, png)
    return name
