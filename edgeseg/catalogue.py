"""The catalogue: items with their embeddings, searched offline."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgeseg import limits
from edgeseg.errors import DatasetError, ModelContractError
from edgeseg.files import PathLike, write_atomic
from edgeseg.formats.catalogue_file import KIND, CatalogueData, encode_catalogue, read_catalogue
from edgeseg.formats.codes import BLOCK_ROWS, DEFAULT_PRECISION, Codes
from edgeseg.index import golden
from edgeseg.index.cataloguing import make_catalogue
from edgeseg.index.nearest import NearestVectors, unit_vector
from edgeseg.items import Item

__all__ = ["Catalogue", "Item", "Match", "Where"]

_SKU_COLUMN, _FIRST_ATTRIBUTE_COLUMN = 0, 1
# Grouped, so many times the asked number is searched first, and so many times more until it does.
_GROUP_DEPTH = 4
# Attributes by name: a value, or several of which one is enough.
Where = Mapping[str, str | Collection[str]]


class Match(NamedTuple):
    """One ranked result.

    Attributes:
        sku: the item.
        distance: cosine distance, ``1 - cos``, in [0, 2]; smaller is nearer.
        attributes: the item's.
        rank: from 1.
        similar: SKUs of the items that share the group with this one and were found behind it,
            nearest first; empty where nothing is grouped.
    """

    sku: str
    distance: float
    attributes: dict[str, str]
    rank: int
    similar: tuple[str, ...] = ()


class Catalogue:
    """Items and their embeddings. Immutable, and safe to search from several threads.

    Open one with :meth:`open`, or make one with :func:`edgeseg.indexing.build_catalogue`.

    Attributes:
        data: what its file holds.
    """

    def __init__(self, data: CatalogueData) -> None:
        """Wrap what a catalogue file holds, checked."""
        self.data = data
        self._nearest = NearestVectors(data.codes, data.graph, data.removed)

    @classmethod
    def open(cls, path: PathLike) -> Catalogue:
        """Open a catalogue file.

        Raises:
            FormatError: it is not a catalogue, is damaged, or was made by another generation.
            EdgesegError: it cannot be read.
        """
        return cls(read_catalogue(path))

    @classmethod
    def from_embeddings(
        cls,
        items: Sequence[Item],
        embeddings: NDArray[np.float32],
        embedder_digest: str,
        precision: str = DEFAULT_PRECISION,
    ) -> Catalogue:
        """Make a catalogue of embeddings, see :func:`edgeseg.index.cataloguing.make_catalogue`."""
        return cls(make_catalogue(items, embeddings, embedder_digest, precision))

    def save(self, path: PathLike) -> None:
        """Write the catalogue atomically: a kill at any moment leaves the old file or the new one.

        Args:
            path: by custom with the suffix ``.catalogue``.

        Raises:
            EdgesegError: it cannot be written; a file that was there is as before.
        """
        write_atomic(path, encode_catalogue(self.data))

    def __len__(self) -> int:
        return self.data.items

    @property
    def dim(self) -> int:
        """Length of the embeddings."""
        return self.data.codes.dim

    @property
    def embedder_digest(self) -> str:
        """Names the embedder and preprocessing that made the embeddings."""
        return self.data.embedder_digest

    @property
    def items(self) -> list[Item]:
        """All items, in the order they were added."""
        named = self.data.table.named(self.data.rows, self.data.attribute_names)
        return [Item(sku, attributes) for sku, attributes in named]

    def info(self) -> dict[str, Any]:
        """What the catalogue holds, for people and for ``--json``."""
        graph = self.data.graph
        return {
            "items": len(self),
            "dim": self.dim,
            "attributes": list(self.data.attribute_names),
            "distance": "cosine",
            "search": "exact" if graph is None else "hnsw",
            "m": None if graph is None else graph.m,
            "ef_construction": None if graph is None else graph.ef_construction,
            "precision": self.data.codes.precision,
            "generation": self.data.generation,
            "tombstones": len(self.data.codes) - len(self),
            "embedder_digest": self.embedder_digest,
            "format_version": KIND.format_version,
            "digest": self.data.digest,
        }

    def attribute_column(self, name: str) -> int:
        """Which column of the table an attribute is.

        Raises:
            DatasetError: there is none of that name.
        """
        names = self.data.attribute_names
        if name not in names:
            there = ", ".join(names) or "none at all"
            raise DatasetError(f"the catalogue has no attribute {name!r}; it has {there}")
        return _FIRST_ATTRIBUTE_COLUMN + names.index(name)

    def rows_where(self, where: Where) -> NDArray[np.int64]:
        """The items with certain attributes, as their rows in the catalogue, rising.

        Raises:
            DatasetError: there is no attribute of a name, or no such item.
        """
        rows = self.data.rows
        told = []
        for name, values in where.items():
            column, wanted = (
                self.attribute_column(name),
                [values] if isinstance(values, str) else values,
            )
            having = [self.data.table.rows_equal(column, value) for value in wanted]
            rows = np.intersect1d(rows, np.concatenate([rows[:0], *having]))
            told.append(f"{name}={' or '.join(wanted)}")
            if not len(rows):
                raise DatasetError(f"no item of the catalogue has {' and '.join(told)}")
        return rows

    def search(
        self,
        embedding: NDArray[np.float32],
        k: int = 10,
        exact: bool = False,
        *,
        where: Where | None = None,
        group_by: str | None = None,
    ) -> list[Match]:
        """The ``k`` nearest items.

        Args:
            embedding: ``(dim,)`` float32; its length does not matter.
            k: how many, at least 1.
            exact: compare every item, also where a graph is faster.
            where: only items with these attributes: by name a value, or several of which one is
                enough.
            group_by: name of an attribute, such as a style: of the items that share a value only
                the nearest is given, with the others in ``Match.similar``. An item without the
                attribute shares it with none.

        Returns:
            ``k`` matches, or as many as there are (groups of) items, nearest first; equal distances
            in the items' order.

        Raises:
            DatasetError: there is no attribute of a name, or no item with such attributes.
            ModelContractError: the embedding has another length than the catalogue's.
            ValueError: ``k`` is below 1 or above ``limits.MAX_K``, or the embedding is zero or not
                finite.
        """
        if not 1 <= k <= limits.MAX_K:
            raise ValueError(f"k is {k}, and must be between 1 and {limits.MAX_K}")
        if embedding.shape != (self.dim,):
            raise ModelContractError(
                f"an embedding of shape {embedding.shape} cannot be searched in a catalogue of "
                f"{self.dim}-d embeddings: build the catalogue with the same bundle"
            )
        query = unit_vector(embedding)
        among = self.rows_where(where) if where else None
        if group_by is not None:
            return self._groups(query, k, exact, among, self.attribute_column(group_by))
        rows, distances = self._nearest.search(query, k, exact=exact, among=among)
        return self._matches(rows, distances)

    def golden_recall(self) -> float:
        """Index recall over the golden queries that it carries; 1 where it carries none."""
        asked = self.data.golden
        return 1.0 if asked is None else golden.recall(asked, self._nearest)

    def index_recall(self, queries: int) -> float:
        """Index recall@10: what share of an exact search's answers the search itself finds.

        Args:
            queries: how many are drawn, each between two items that are near to each other.
        """
        drawn = self._drawn(queries)
        return golden.recall(golden.answered(drawn, len(self), self._nearest), self._nearest)

    def drawn_queries(self, count: int) -> NDArray[np.float32]:
        """Queries to time a search with: those of `index_recall`, `(count, dim)` float32.

        Args:
            count: how many; there are fewer where there are fewer items.
        """
        return self._drawn(count).decoded()

    def _drawn(self, count: int) -> Codes:
        return golden.draw_queries(self.data.codes, self.data.rows, self._nearest, count)

    def neighbours(self, k: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """The ``k`` nearest other items of each item, in the items' order.

        Yields:
            Their places in ``items``, nearest first, and their distances; fewer than ``k`` only
            where there are fewer. A large catalogue's graph may miss some.
        """
        items = self.data.rows
        for start in range(0, len(items), BLOCK_ROWS):
            block = items[start : start + BLOCK_ROWS]
            for row, embedding in zip(block, self.data.codes.decoded(block), strict=True):
                rows, distances = self._nearest.search(embedding, k + 1)
                others = np.flatnonzero(rows != row)[:k]
                yield np.searchsorted(items, rows[others]), distances[others]

    def _groups(
        self,
        query: NDArray[np.float32],
        k: int,
        exact: bool,
        among: NDArray[np.int64] | None,
        column: int,
    ) -> list[Match]:
        """The nearest item of each of the ``k`` nearest groups."""
        depth, total = k * _GROUP_DEPTH, len(self) if among is None else len(among)
        while True:
            rows, distances = self._nearest.search(query, depth, exact=exact, among=among)
            groups: dict[str | int, list[int]] = {}
            for place, row in enumerate(rows.tolist()):
                groups.setdefault(self.data.table.cell(column, row) or row, []).append(place)
            if len(groups) >= k or depth >= total:
                break
            depth *= _GROUP_DEPTH
        sku = partial(self.data.table.cell, _SKU_COLUMN)
        nearest = list(groups.values())[:k]
        firsts = np.array([first for first, *_ in nearest])
        return [
            match._replace(similar=tuple(sku(int(rows[place])) for place in others))
            for match, (_, *others) in zip(
                self._matches(rows[firsts], distances[firsts]), nearest, strict=True
            )
        ]

    def _matches(self, rows: NDArray[np.int64], distances: NDArray[np.float32]) -> list[Match]:
        matches: list[Match] = []
        named = self.data.table.named(rows, self.data.attribute_names)
        for distance, (sku, attributes) in zip(distances.tolist(), named, strict=True):
            # Rounding can lead a hair's breadth out of [0, 2].
            within = distance if 0.0 <= distance <= 2.0 else min(max(distance, 0.0), 2.0)
            matches.append(Match(sku, within, attributes, len(matches) + 1))
        return matches
