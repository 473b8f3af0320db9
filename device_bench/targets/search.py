"""A catalogue search, through its index or exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from device_bench.target import Step
from edgeseg.catalogue import Catalogue

_QUERIES = 64


class SearchTarget:
    """Times ``Catalogue.search`` for the 10 nearest of drawn queries, each between two items.

    Two of them are planned side by side, for an index is only worth its memory if it beats exact
    search; a small catalogue is searched exactly either way. Loading covers opening the catalogue.

    Args:
        catalogue: A catalogue file.
        exact: Compare with every item instead of asking the index.
        k: Matches asked for.
    """

    def __init__(self, catalogue: str, exact: bool, k: int = 10) -> None:
        self._path = catalogue
        self._exact = exact
        self._k = k

    def load(self) -> None:
        """Open the catalogue.

        Raises:
            EdgesegError: It is damaged or cannot be read.
        """
        self._catalogue = Catalogue.open(self._path)
        self._queries = self._catalogue.drawn_queries(_QUERIES)

    def prepare(self, index: int) -> None:
        """Take the next query."""
        self._query = self._queries[index % len(self._queries)]

    def steps(self) -> Sequence[Step]:
        """One step: ``search``."""
        return [
            Step(
                "search",
                lambda: self._catalogue.search(self._query, k=self._k, exact=self._exact),
            )
        ]

    def facts(self) -> Mapping[str, Any]:
        """The catalogue's size, what was asked for, and how much of it was found."""
        return {
            "items": len(self._catalogue),
            "dim": self._catalogue.dim,
            "k": self._k,
            "search": "exact" if self._exact else self._catalogue.info()["search"],
            "precision": self._catalogue.info()["precision"],
            "index_recall": 1.0 if self._exact else self._catalogue.index_recall(_QUERIES),
        }
