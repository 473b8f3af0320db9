"""The next generation: a delta where that is the better way, else a snapshot and why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgeseg.catalogue import Catalogue
from edgeseg.formats.catalogue_file import CatalogueData, encode_catalogue
from edgeseg.index import generations
from edgeseg.index.delta import apply_delta, changes_between
from edgeseg.index.generations import next_generation
from edgeseg.index.nearest import EXACT_SEARCH_MAX_ITEMS
from edgeseg.items import Item
from tests.edgeseg.formats.samples import EMBEDDER_DIGEST, unit_vectors

LARGE = EXACT_SEARCH_MAX_ITEMS + 100


def made(vectors: np.ndarray) -> CatalogueData:
    items = [Item(f"sku-{row}") for row in range(len(vectors))]
    return Catalogue.from_embeddings(items, vectors, EMBEDDER_DIGEST).data


def changed(items: int, count: int) -> CatalogueData:
    """The first items' embeddings are others."""
    vectors = unit_vectors(items, 16)
    vectors[:count] = unit_vectors(count, 16, seed=6)
    return made(vectors)


@pytest.fixture(scope="module")
def base() -> CatalogueData:
    return made(unit_vectors(LARGE, 16))


def test_a_small_change_is_a_delta(base: CatalogueData) -> None:
    step = next_generation(base, changed(LARGE, 20))
    assert step.delta is not None
    assert step.reason == ""
    assert encode_catalogue(apply_delta(base, step.delta)) == encode_catalogue(step.data)


def test_a_large_change_is_a_snapshot(base: CatalogueData) -> None:
    wanted = changed(LARGE, LARGE // 2)
    step = next_generation(base, wanted)
    assert step.delta is None
    assert "would be tombstones" in step.reason
    assert step.data.generation == 1
    assert step.data.removed is None
    assert not changes_between(step.data, wanted)


def test_a_delta_as_large_as_the_whole_is_not_sent() -> None:
    # Without a graph nothing is left behind as a tombstone.
    step = next_generation(made(unit_vectors(60, 16)), changed(60, 55))
    assert step.delta is None
    assert "and the whole" in step.reason


def test_what_is_not_found_again_is_not_sent(
    base: CatalogueData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "recall", lambda _golden, _nearest: 0.9)
    step = next_generation(base, changed(LARGE, 20))
    assert step.delta is None
    assert "found in 0.900, and 0.950" in step.reason


def test_where_no_delta_leads_a_snapshot_does(base: CatalogueData) -> None:
    wanted = replace(changed(LARGE, 20), embedder_digest="cd" * 32)
    step = next_generation(base, wanted)
    assert step.delta is None
    assert "another embedder" in step.reason
    assert step.data.embedder_digest == "cd" * 32
