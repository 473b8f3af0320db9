"""How often a bundle finds the right item, one query a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from device_bench.target import Step
from edgeseg.catalogue import Catalogue
from edgeseg.evaluation.retrieval import evaluate_retrieval, figures, read_queries
from edgeseg.matcher import Matcher


class MatchQualityTarget:
    """Ranks known items among a catalogue's, as ``edgeseg eval retrieval`` does.

    Its times mean nothing; see ``SegmentationQualityTarget`` for why it is a target.

    Args:
        bundle: A bundle file with an embedder.
        catalogue: A catalogue file made with that embedder.
        queries: A CSV with the columns ``image`` and ``sku``; sample ``index`` ranks one row.
        threads: Threads of each interpreter.
    """

    def __init__(self, bundle: str, catalogue: str, queries: str, threads: int) -> None:
        self._bundle = bundle
        self._catalogue = catalogue
        self._queries = read_queries(Path(queries))
        self._threads = threads
        self._ranks: list[int | None] = []
        self._skus: list[str] = []

    def load(self) -> None:
        """Open catalogue and bundle.

        Raises:
            EdgesegError: One is damaged, or they don't belong together.
        """
        catalogue = Catalogue.open(self._catalogue)
        self._matcher = Matcher(catalogue, self._bundle, threads=self._threads)

    def prepare(self, index: int) -> None:
        """Turn to the next query."""
        self._query = self._queries[index % len(self._queries)]

    def steps(self) -> Sequence[Step]:
        """One step: ``rank``."""
        return [Step("rank", self._rank)]

    def facts(self) -> Mapping[str, Any]:
        """Recall@1, 5 and 10 with intervals, see ``evaluation.retrieval.Figures``."""
        return figures(self._ranks, self._skus).to_dict()

    def _rank(self) -> None:
        scores = evaluate_retrieval([self._query], self._matcher)
        self._ranks += scores.ranks
        self._skus.append(self._query.sku)
