"""The ledger's SQLite file: its tables, and how it is opened or made again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

FORMAT_VERSION = 1
# "ESLD": tells a ledger from another program's database.
_APPLICATION_ID = 0x45534C44
_SCHEMA = """
CREATE TABLE parts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE vectors (              -- of pictures, by their bytes
    sha256 BLOB PRIMARY KEY, part INTEGER NOT NULL, row INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE faults (               -- of bytes that are no picture
    sha256 BLOB PRIMARY KEY, reason TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE places (               -- what was there when it was read
    address TEXT PRIMARY KEY, stamp TEXT NOT NULL, sha256 BLOB NOT NULL
) WITHOUT ROWID;
"""
_BUILD_SCHEMA = """
CREATE TEMP TABLE items (           -- of the build at hand, in the order of its list
    id INTEGER PRIMARY KEY, sku TEXT NOT NULL UNIQUE, address TEXT NOT NULL, stamp TEXT NOT NULL,
    attributes TEXT NOT NULL        -- JSON
);
CREATE TEMP TABLE members (
    shard TEXT NOT NULL, sku TEXT NOT NULL, PRIMARY KEY (shard, sku)
) WITHOUT ROWID;
CREATE INDEX temp.members_by_sku ON members (sku);
CREATE TEMP TABLE failures (        -- places that could not be read now; another time they may be
    address TEXT PRIMARY KEY, reason TEXT NOT NULL
) WITHOUT ROWID;
"""


def connected(path: Path) -> sqlite3.Connection:
    """Open a ledger's file; one that is absent, damaged or of another version is made anew.

    Transactions are begun and ended by who uses it.

    Raises:
        sqlite3.Error: it cannot be opened, and not made either.
    """
    try:
        return _opened(path)
    except sqlite3.DatabaseError as error:
        # No room, no permission: that a new file would not mend.
        if isinstance(error, sqlite3.OperationalError):
            raise
    for each in (path, path.with_name(f"{path.name}-journal")):
        each.unlink(missing_ok=True)
    return _opened(path)


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, FORMAT_VERSION):
            raise sqlite3.DatabaseError("of another version")
        if version == 0:
            for statement in _SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        for statement in _BUILD_SCHEMA.split(";\n"):
            connection.execute(statement)
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
    except BaseException:
        connection.close()
        raise
    return connection
