"""A catalogue search, through its index or exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from device_bench.target import Step
from edgeseg.catalogue import Catalogue

_SEED = 7
_QUERIES = 64


class SearchTarget:
    """Times ``Catalogue.search`` for the 10 nearest of drawn, L2-normalised queries.

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
        drawn = np.random.default_rng(_SEED).normal(size=(_QUERIES, self._catalogue.dim))
        lengths = np.linalg.norm(drawn, axis=1, keepdims=True)
        self._queries = (drawn / lengths).astype(np.float32)

    def prepare(self, index: int) -> None:
        """Take the next query."""
        self._query = self._queries[index % _QUERIES]

    def steps(self) -> Sequence[Step]:
        """One step: ``search``."""
        return [
            Step(
                "search",
                lambda: self._catalogue.search(self._query, k=self._k, exact=self._exact),
            )
        ]

    def facts(self) -> Mapping[str, Any]:
        """The catalogue's size, and what was asked for."""
        return {
            "items": len(self._catalogue),
            "dim": self._catalogue.dim,
            "k": self._k,
            "search": "exact" if self._exact else self._catalogue.info()["search"],
        }
