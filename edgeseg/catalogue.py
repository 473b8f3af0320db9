"""The catalogue: items with their embeddings, searched offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import hnsw, limits
from edgeseg.errors import DatasetError, ModelContractError
from edgeseg.files import PathLike, write_atomic
from edgeseg.formats.catalogue_file import (
    KIND,
    CatalogueData,
    TextTable,
    encode_catalogue,
    read_catalogue,
)
from edgeseg.items import Item, check_item

__all__ = ["Catalogue", "Item", "Match", "unit_vector"]

# Up to here every item is compared and no graph is built. Measured through `Catalogue.search` at
# 128-d, k = 10, one thread of a 2-core x86-64, p50 of 1,500 queries in ms, exact against HNSW with
# m = 16 and ef_search = 64: 1,000 items 0.058 / 0.080; 2,000 0.073 / 0.089; 3,000 0.090 / 0.093;
# 4,000 0.103 / 0.098; 5,000 0.120 / 0.103; 10,000 0.207 / 0.143. The lines cross near 3,400, and
# exact search, which never misses, has the tie.
EXACT_SEARCH_MAX_ITEMS = 3_500
_SKU_COLUMN, _FIRST_ATTRIBUTE_COLUMN = 0, 1


@dataclass(frozen=True)
class Match:
    """One ranked result.

    Attributes:
        sku: the item.
        distance: cosine distance, ``1 - cos``, in [0, 2]; smaller is nearer.
        attributes: the item's.
        rank: from 1.
    """

    sku: str
    distance: float
    attributes: dict[str, str]
    rank: int


class Catalogue:
    """Items and their embeddings. Immutable, and safe to search from several threads.

    Open one with :meth:`open`, or make one with :func:`edgeseg.indexing.build_catalogue`.
    """

    def __init__(self, data: CatalogueData) -> None:
        """Wrap what a catalogue file holds, checked."""
        self._data = data
        self._index = None if data.graph is None else hnsw.HnswIndex(data.vectors, data.graph)

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
    ) -> Catalogue:
        """Make a catalogue of embeddings at hand.

        Args:
            items: with distinct SKUs.
            embeddings: ``(len(items), dim)`` float32, L2-normalised.
            embedder_digest: 64 hexadecimal digits that name what made them.

        Raises:
            DatasetError: there is no item, one cannot be held, or a SKU occurs twice.
            FormatError: the embeddings are not L2-normalised, or a bound is exceeded.
            ValueError: the lengths differ.
        """
        if embeddings.ndim != 2 or len(embeddings) != len(items):
            raise ValueError(f"{len(items)} items and embeddings of shape {embeddings.shape}")
        if not items:
            raise DatasetError("a catalogue needs at least one item")
        for item in items:
            check_item(item)
        if len({item.sku for item in items}) != len(items):
            raise DatasetError("a SKU occurs twice")
        names = tuple(dict.fromkeys(name for item in items for name in item.attributes))
        columns = [[item.sku for item in items]]
        columns += [[item.attributes.get(name, "") for item in items] for name in names]
        vectors = np.ascontiguousarray(embeddings, dtype="<f4")
        graph = hnsw.build_graph(vectors) if len(items) > EXACT_SEARCH_MAX_ITEMS else None
        data = CatalogueData(embedder_digest, names, vectors, TextTable.of(columns), graph)
        encode_catalogue(data)
        return cls(data)

    def save(self, path: PathLike) -> None:
        """Write the catalogue atomically: a kill at any moment leaves the old file or the new one.

        Args:
            path: by custom with the suffix ``.catalogue``.

        Raises:
            EdgesegError: it cannot be written; a file that was there is as before.
        """
        write_atomic(path, encode_catalogue(self._data))

    def __len__(self) -> int:
        return len(self._data.vectors)

    @property
    def dim(self) -> int:
        """Length of the embeddings."""
        return int(self._data.vectors.shape[1])

    @property
    def embedder_digest(self) -> str:
        """Names the embedder and preprocessing that made the embeddings."""
        return self._data.embedder_digest

    @property
    def items(self) -> list[Item]:
        """All items, in the order they were added."""
        return [self._item(row) for row in range(len(self))]

    def info(self) -> dict[str, Any]:
        """What the catalogue holds, for people and for ``--json``."""
        graph = self._data.graph
        return {
            "items": len(self),
            "dim": self.dim,
            "attributes": list(self._data.attribute_names),
            "distance": "cosine",
            "search": "exact" if graph is None else "hnsw",
            "m": None if graph is None else graph.m,
            "ef_construction": None if graph is None else graph.ef_construction,
            "embedder_digest": self.embedder_digest,
            "format_version": KIND.format_version,
            "digest": self._data.digest,
        }

    def search(
        self, embedding: NDArray[np.float32], k: int = 10, exact: bool = False
    ) -> list[Match]:
        """The ``k`` nearest items.

        Args:
            embedding: ``(dim,)`` float32; its length does not matter.
            k: how many, at least 1.
            exact: compare every item, also where a graph is faster.

        Returns:
            ``min(k, len(self))`` matches, nearest first; equal distances in the items' order.

        Raises:
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
        k = min(k, len(self))
        found = None if exact or self._index is None else self._index.nearest(query, k)
        if found is None:
            distances = 1.0 - self._data.vectors @ query
            rows = _nearest_rows(distances, k)
            distances = distances[rows]
        else:
            rows = np.sort(found)
            distances = 1.0 - self._data.vectors[rows] @ query
            order = np.argsort(distances, kind="stable")
            rows, distances = rows[order], distances[order]
        return [
            Match(
                sku=self._data.table.cell(_SKU_COLUMN, int(row)),
                # Rounding can lead a hair's breadth out of [0, 2].
                distance=min(max(float(distance), 0.0), 2.0),
                attributes=self._attributes(int(row)),
                rank=rank,
            )
            for rank, (row, distance) in enumerate(zip(rows, distances, strict=True), start=1)
        ]

    def _item(self, row: int) -> Item:
        return Item(self._data.table.cell(_SKU_COLUMN, row), self._attributes(row))

    def _attributes(self, row: int) -> dict[str, str]:
        names = enumerate(self._data.attribute_names, start=_FIRST_ATTRIBUTE_COLUMN)
        cells = ((name, self._data.table.cell(column, row)) for column, name in names)
        return {name: cell for name, cell in cells if cell}


def unit_vector(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale an embedding to length 1.

    Args:
        embedding: ``(dim,)`` float32.

    Raises:
        ValueError: it is zero or not finite.
    """
    # In float64, so that the length is 1 to the last float32 bit and squares cannot overflow.
    wide = embedding.astype(np.float64)
    length = float(np.linalg.norm(wide))
    if not np.isfinite(length) or length == 0.0:
        raise ValueError("an embedding is zero or not finite")
    unit: NDArray[np.float32] = (wide / length).astype(np.float32)
    return unit


def _nearest_rows(distances: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The rows of the ``k`` smallest values, sorted; ties, also across the k-th, by row."""
    if k < len(distances):
        bound = np.partition(distances, k - 1)[k - 1]
        candidates = np.flatnonzero(distances <= bound)
    else:
        candidates = np.arange(len(distances))
    order = np.argsort(distances[candidates], kind="stable")[:k]
    rows: NDArray[np.int64] = candidates[order].astype(np.int64)
    return rows
