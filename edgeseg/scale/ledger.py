"""The ledger: which pictures are described already, and what the build at hand is made of.

It is an index over the parts and can be made again from them: a lost or damaged one costs that. The
items of the build at hand are in it only while it is open. Both are a SQLite file, so that a build
of millions takes no more memory than one of hundreds.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import DatasetError, EdgesegError, FormatError
from edgeseg.files import shown_path
from edgeseg.items import Item
from edgeseg.scale.ledger_file import connected
from edgeseg.scale.listing import Listed
from edgeseg.scale.part import part_names, part_path, read_found
from edgeseg.scale.place import Place

_BLOCK_ROWS = 4096
_UNREAD = (
    "FROM items i LEFT JOIN places p USING (address) WHERE p.stamp IS NOT i.stamp OR i.stamp = '' "
    "OR (p.sha256 NOT IN (SELECT sha256 FROM vectors) "
    "AND p.sha256 NOT IN (SELECT sha256 FROM faults))"
)


@dataclass(frozen=True)
class Described:
    """An item of a shard.

    Attributes:
        item: the item.
        sha256: of its picture's bytes.
        part: the part that has its vector.
        row: of it there.
    """

    item: Item
    sha256: bytes
    part: str
    row: int


class Ledger:
    """The ledger of one description, open; for one thread of one process, under the build's lock.

    Args:
        path: of the file; made where it is absent, and made again where it is damaged.
        parts: folder of the parts that it indexes.
    """

    def __init__(self, path: Path, parts: Path) -> None:
        self._path, self._parts = path, parts
        with self._told():
            self._connection = connected(path)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def take_parts(self) -> int:
        """Take in the parts that are not in it yet, such as those of a build that was killed.

        A damaged part is removed, and one that is gone forgotten: their pictures are described
        again.

        Returns:
            How many pictures it learnt of.
        """
        with self._told():
            known = {name for (name,) in self._connection.execute("SELECT name FROM parts")}
        learnt = 0
        names = part_names(self._parts)
        with self._changing() as connection:
            for name in known.difference(names):
                connection.execute(
                    "DELETE FROM vectors WHERE part = (SELECT id FROM parts WHERE name = ?)",
                    (name,),
                )
                connection.execute("DELETE FROM parts WHERE name = ?", (name,))
        for name in names:
            if name not in known:
                try:
                    learnt += self.take_part(name, of_this_build=False)
                except FormatError:
                    part_path(self._parts, name).unlink(missing_ok=True)
        return learnt

    def take_part(self, name: str, *, of_this_build: bool = True) -> int:
        """Take a part in; one that is in it already changes nothing.

        Args:
            name: of the part.
            of_this_build: what could not be fetched is missing now; in an older part it says
                nothing, for it is tried again.

        Returns:
            How many pictures it tells of.

        Raises:
            FormatError: it is damaged.
        """
        rows = list(read_found(part_path(self._parts, name)))
        with self._changing() as connection:
            connection.execute("INSERT OR IGNORE INTO parts (name) VALUES (?)", (name,))
            (part,) = connection.execute("SELECT id FROM parts WHERE name = ?", (name,)).fetchone()
            for row, found, has_embedding in rows:
                if not found.sha256:
                    if of_this_build:
                        connection.execute(
                            "INSERT OR REPLACE INTO failures VALUES (?, ?)",
                            (found.address, found.reason),
                        )
                    continue
                connection.execute(
                    "INSERT OR REPLACE INTO places VALUES (?, ?, ?)",
                    (found.address, found.stamp, found.sha256),
                )
                if has_embedding:
                    connection.execute(
                        "INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", (found.sha256, part, row)
                    )
                elif found.reason:
                    connection.execute(
                        "INSERT OR IGNORE INTO faults VALUES (?, ?)", (found.sha256, found.reason)
                    )
        return len(rows)

    def list_items(self, listed: Iterable[Listed], *, sharded: bool = False) -> int:
        """Take in what the build is to be made of.

        Args:
            listed: its lines.
            sharded: an item may be listed several times, each time for other shards.

        Returns:
            How many items there are.

        Raises:
            DatasetError: a SKU stands for two different items.
        """
        with self._changing() as connection:
            for each in listed:
                sku, place = each.item.sku, each.place
                row = (sku, place.address, place.stamp, json.dumps(dict(each.item.attributes)))
                new = connection.execute(
                    "INSERT OR IGNORE INTO items (sku, address, stamp, attributes) "
                    "VALUES (?, ?, ?, ?)",
                    row,
                ).rowcount
                if not new:
                    before = connection.execute(
                        "SELECT sku, address, stamp, attributes FROM items WHERE sku = ?", (sku,)
                    ).fetchone()
                    if before != row or not sharded:
                        raise DatasetError(
                            f"the SKU {sku} is listed twice: {shown_path(before[1])} and "
                            f"{shown_path(place.address)}"
                        )
                connection.executemany(
                    "INSERT OR IGNORE INTO members VALUES (?, ?)",
                    [(shard, sku) for shard in each.shards],
                )
            return int(connection.execute("SELECT count(*) FROM items").fetchone()[0])

    def unread(self) -> int:
        """How many places `unread_places` has."""
        ((count,),) = self._rows(f"SELECT count(DISTINCT i.address) {_UNREAD}")
        return int(count)

    def unread_places(self) -> Iterator[Place]:
        """Places of the build that are not known as they are now, in the list's order."""
        return (
            Place(address, stamp)
            for address, stamp in self._rows(
                f"SELECT i.address, max(i.stamp) {_UNREAD} GROUP BY i.address ORDER BY min(i.id)"
            )
        )

    def known_pictures(self) -> NDArray[np.uint64]:
        """``(n, 2)`` uint64: the first 16 bytes of each known picture's SHA-256, rising."""
        rows = self._rows(
            "SELECT substr(sha256, 1, 16) FROM vectors UNION SELECT substr(sha256, 1, 16) "
            "FROM faults ORDER BY 1"
        )
        data = b"".join(head for (head,) in rows)
        return np.frombuffer(data, ">u8").astype(np.uint64).reshape(-1, 2)

    def shards(self) -> list[str]:
        """The names of all shards, in order."""
        return [name for (name,) in self._rows("SELECT DISTINCT shard FROM members ORDER BY 1")]

    def described(self, shard: str) -> Iterator[Described]:
        """A shard's items whose picture is described, by SKU."""
        rows = self._rows(
            "SELECT i.sku, i.attributes, sha256, parts.name, v.row "
            "FROM members m JOIN items i USING (sku) JOIN places USING (address) "
            "JOIN vectors v USING (sha256) "
            "JOIN parts ON parts.id = v.part WHERE m.shard = ? AND i.address NOT IN "
            "(SELECT address FROM failures) ORDER BY i.sku",
            (shard,),
        )
        return (
            Described(Item(sku, json.loads(text)), sha256, part, row)
            for sku, text, sha256, part, row in rows
        )

    def unreadable(self) -> Iterator[tuple[str, str, str]]:
        """SKU, address and reason of each item that is in no catalogue, by SKU."""
        rows = self._rows(
            "SELECT i.sku, i.address, coalesce(failures.reason, faults.reason, "
            "'it is listed for no shard') AS reason FROM items i "
            "LEFT JOIN failures USING (address) LEFT JOIN places USING (address) "
            "LEFT JOIN faults USING (sha256) WHERE failures.reason IS NOT NULL "
            "OR faults.reason IS NOT NULL OR i.sku NOT IN (SELECT sku FROM members) ORDER BY i.sku"
        )
        return ((sku, address, reason) for sku, address, reason in rows)

    def _rows(self, query: str, values: tuple[str, ...] = ()) -> Iterator[tuple[Any, ...]]:
        with self._told():
            cursor = self._connection.execute(query, values)
            while rows := cursor.fetchmany(_BLOCK_ROWS):
                yield from rows

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise EdgesegError(f"{shown_path(self._path)}: {error}") from error
