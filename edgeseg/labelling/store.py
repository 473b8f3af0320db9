"""The label set's database: one SQLite file, opened anew for each operation.

SQLite's rollback journal makes each transaction all or nothing, whatever is killed when, and its
lock stands between processes. `synchronous = EXTRA` makes a commit outlive a power cut. No
write-ahead log, for that needs memory shared between processes, which network folders lack.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from edgeseg.errors import DatasetError
from edgeseg.files import shown_path

FILE_NAME = "labels.sqlite"
FORMAT_VERSION = 1
# "ESLB": tells a label set from another program's database.
_APPLICATION_ID = 0x45534C42
# Writers hold the lock for the time of one mask's write.
_BUSY_TIMEOUT_S = 30.0

_SCHEMA = """
CREATE TABLE head (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE photos (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,          -- relative to the photos' folder, with slashes
    sha256 TEXT NOT NULL,               -- of the photo's file; '' where it cannot be read
    width_px INTEGER NOT NULL,          -- upright
    height_px INTEGER NOT NULL,
    photo_group TEXT NOT NULL,          -- what never crosses a split: the sender, or the photo
    state TEXT NOT NULL,
    note TEXT NOT NULL,                 -- why it was rejected, skipped or cannot be read
    method TEXT NOT NULL,               -- of the automatic label
    mask TEXT NOT NULL,                 -- file in masks/; '' where there is none
    seed TEXT NOT NULL,                 -- file in seeds/; '' where there is none
    priority REAL NOT NULL,             -- the highest is labelled next
    strokes_done INTEGER NOT NULL,      -- those beyond are undone, and can be redone
    mask_strokes TEXT NOT NULL,         -- counts by kind behind the accepted mask, as JSON
    decided_by TEXT NOT NULL,
    decided_at REAL NOT NULL,           -- seconds since 1970; 0 where nobody decided
    claimed_by TEXT NOT NULL,
    claimed_until REAL NOT NULL
);
CREATE INDEX photos_by_turn ON photos (state, priority DESC, id);
CREATE TABLE strokes (
    photo_id INTEGER NOT NULL REFERENCES photos (id),
    number INTEGER NOT NULL,            -- from 1
    stroke TEXT NOT NULL,               -- JSON
    who TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (photo_id, number)
) WITHOUT ROWID;
CREATE TABLE events (                   -- only ever appended to
    photo_id INTEGER NOT NULL REFERENCES photos (id),
    at REAL NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL
);
CREATE INDEX events_by_photo ON events (photo_id);
"""


class Store:
    """The database of one label set. Thread-safe, and safe between processes.

    Args:
        folder: the label set's.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    @property
    def exists(self) -> bool:
        """Whether there is a database at all."""
        return self._path.is_file()

    def create(self) -> None:
        """Make an empty database, all of it or nothing; an empty file counts as nothing.

        Raises:
            DatasetError: it cannot be written.
        """
        with self._connected(must_exist=False) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                made = connection.execute("PRAGMA user_version").fetchone()[0]
                if not made:
                    for statement in _SCHEMA.split(";\n"):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent view.

        Raises:
            DatasetError: there is no label set here, it is damaged, or of another version.
        """
        with self._connected() as connection:
            self._check(connection)
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")

    @contextlib.contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone between processes: committed at the end, undone by an exception.

        Raises:
            DatasetError: as `reading`, or the disk is full.
        """
        with self._connected() as connection:
            self._check(connection)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _connected(self, must_exist: bool = True) -> Iterator[sqlite3.Connection]:
        if must_exist and not self.exists:
            raise DatasetError(
                f"{shown_path(self._path.parent)} is no label set: make one with "
                "`edgeseg label auto PHOTOS -o LABELS`"
            )
        try:
            # Transactions are begun and ended here, not by the module.
            connection = sqlite3.connect(self._path, _BUSY_TIMEOUT_S, isolation_level=None)
            try:
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA synchronous = EXTRA")
                connection.execute("PRAGMA trusted_schema = OFF")
                connection.execute("PRAGMA foreign_keys = ON")
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise DatasetError(f"{shown_path(self._path)}: {error}") from error

    def _check(self, connection: sqlite3.Connection) -> None:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION_ID:
            raise DatasetError(f"{shown_path(self._path)} is no label set's database")
        if version != FORMAT_VERSION:
            raise DatasetError(
                f"{shown_path(self._path)} is of format version {version}, and this edgeseg reads "
                f"{FORMAT_VERSION}: use the edgeseg that made it, or a newer one"
            )
