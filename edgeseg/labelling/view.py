"""A label set as it stands: photos, masks, strokes in force, and counts."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from edgeseg.errors import DatasetError
from edgeseg.labelling.records import (
    STATES,
    PhotoRecord,
    Progress,
    State,
    photo_path,
    record_from,
)
from edgeseg.labelling.store import Store
from edgeseg.labelling.strokes import Stroke

SELECT = (
    "SELECT photos.*, (SELECT count(*) FROM strokes WHERE photo_id = photos.id) AS strokes_known "
    "FROM photos "
)


class LabelSetView:
    """A label set to read from. Thread-safe, and safe between processes.

    Args:
        folder: the set's.
        clock: gives the time in seconds since 1970.

    Raises:
        DatasetError: there is no label set.
    """

    def __init__(self, folder: str | os.PathLike[str], clock: Callable[[], float] = time.time):
        self.folder = Path(folder)
        self.store = Store(self.folder)
        self.clock = clock
        with self.store.reading() as db:
            head = {row["name"]: row["value"] for row in db.execute("SELECT * FROM head")}
        # Relative to the set, so that both can be moved together.
        self.photos_folder = Path(os.path.normpath(self.folder.absolute() / head["photos"]))

    def records(self, state: State | None = None) -> list[PhotoRecord]:
        """All photos in the order in which they were added, or those of one state."""
        where, values = ("WHERE state = ? ", (state,)) if state is not None else ("", ())
        with self.store.reading() as db:
            return [record_from(row) for row in db.execute(f"{SELECT}{where}ORDER BY id", values)]

    def record(self, photo_id: int) -> PhotoRecord:
        """One photo.

        Raises:
            DatasetError: the set has no such photo.
        """
        with self.store.reading() as db:
            return stored_record(db, photo_id)

    def photo_path(self, record: PhotoRecord) -> Path:
        """Where a photo lies."""
        return photo_path(self.photos_folder, record)

    def mask_path(self, record: PhotoRecord) -> Path | None:
        """Where its mask lies, or None."""
        return self.folder / record.mask if record.mask else None

    def seed_path(self, record: PhotoRecord) -> Path | None:
        """Where its automatic label's confidence lies, or None."""
        return self.folder / record.seed if record.seed else None

    def strokes(self, photo_id: int) -> list[Stroke]:
        """The strokes in force on a photo, the first first."""
        with self.store.reading() as db:
            return strokes_in_force(db, stored_record(db, photo_id))

    def progress(self) -> Progress:
        """Counts over the whole set."""
        return _progress("", self._counts("''"))

    def progress_by_group(self) -> list[Progress]:
        """Counts of each group, in order of name."""
        rows = self._counts("photo_group")
        return [
            _progress(group, [row for row in rows if row["name"] == group])
            for group in sorted({row["name"] for row in rows})
        ]

    def events(self, photo_id: int) -> list[tuple[float, str, str]]:
        """What was ever done with a photo: when (seconds since 1970), by whom, and what."""
        with self.store.reading() as db:
            rows = db.execute(
                "SELECT at, who, what FROM events WHERE photo_id = ? ORDER BY rowid", (photo_id,)
            )
            return [(row["at"], row["who"], row["what"]) for row in rows]

    def _counts(self, name: str) -> list[sqlite3.Row]:
        with self.store.reading() as db:
            return db.execute(
                f"SELECT {name} AS name, state, count(*) AS n FROM photos GROUP BY 1, 2"
            ).fetchall()


def stored_record(db: sqlite3.Connection, photo_id: int) -> PhotoRecord:
    """One photo, inside a transaction.

    Raises:
        DatasetError: the set has no such photo.
    """
    row = db.execute(f"{SELECT}WHERE id = ?", (photo_id,)).fetchone()
    if row is None:
        raise DatasetError(f"the label set has no photo {photo_id}")
    return record_from(row)


def strokes_in_force(db: sqlite3.Connection, record: PhotoRecord) -> list[Stroke]:
    """The strokes in force on a photo, inside a transaction."""
    rows = db.execute(
        "SELECT stroke FROM strokes WHERE photo_id = ? AND number <= ? ORDER BY number",
        (record.id, record.strokes_done),
    )
    return [Stroke.from_dict(json.loads(row["stroke"])) for row in rows]


def _progress(group: str, rows: Iterable[sqlite3.Row]) -> Progress:
    counts: dict[State, int] = dict.fromkeys(STATES, 0)
    for row in rows:
        counts[row["state"]] += row["n"]
    return Progress(group, counts)
