"""The HNSW index: exact recall figures, the same graph each time, opened without a rebuild."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from edgeseg import hnsw
from edgeseg.formats.graph import check_graph
from tests.edgeseg.formats.samples import unit_vectors, with_graph


def clustered(items: int, dim: int = 32) -> np.ndarray:
    """`(items, dim)` float32, L2-normalised, about 20 around each of some centres."""
    generator = np.random.default_rng(3)
    centres = generator.normal(size=(items // 20, dim))
    drawn = np.repeat(centres, 20, axis=0) + 0.5 * generator.normal(size=(items, dim))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def test_an_index_opened_from_arrays_finds_what_exact_search_finds() -> None:
    vectors = clustered(4000)
    graph = hnsw.build_graph(vectors)
    check_graph(graph)
    index = hnsw.HnswIndex(vectors, graph)
    found = 0
    for query in vectors[::20]:
        nearest = index.nearest(query, 10)
        assert nearest is not None
        assert len(set(nearest.tolist())) == 10
        found += len(set(nearest.tolist()) & set(np.argsort(-(vectors @ query))[:10].tolist()))
    # 1.0 was measured; a lost link list costs several points.
    assert found / 2000 >= 0.99


def test_the_same_items_give_the_same_graph() -> None:
    vectors = clustered(500)
    one, two = hnsw.build_graph(vectors), hnsw.build_graph(vectors)
    for name in ("levels", "counts", "neighbours"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert one.settings() == two.settings()


def test_opening_does_not_change_answers() -> None:
    """The assembled index walks the graph as the built one does: hnswlib's own, beside it."""
    import hnswlib

    vectors = clustered(1000)
    native = hnswlib.Index(space="ip", dim=vectors.shape[1])
    native.init_index(
        len(vectors), M=hnsw.M, ef_construction=hnsw.EF_CONSTRUCTION, random_seed=hnsw.SEED
    )
    native.add_items(vectors, np.arange(len(vectors)), num_threads=1)
    native.set_ef(hnsw.MIN_EF_SEARCH)
    index = hnsw.HnswIndex(vectors, hnsw.build_graph(vectors))
    for query in unit_vectors(50, vectors.shape[1], seed=9):
        labels, _ = native.knn_query(query[None], 5, num_threads=1)
        nearest = index.nearest(query, 5)
        assert nearest is not None
        assert nearest.tolist() == labels[0].tolist()


@pytest.mark.parametrize("items", [1, 2, 3, 17])
def test_tiny_graphs_work(items: int) -> None:
    vectors = unit_vectors(items, 4)
    graph = hnsw.build_graph(vectors)
    check_graph(graph)
    nearest = hnsw.HnswIndex(vectors, graph).nearest(vectors[0], items)
    assert nearest is not None
    assert sorted(nearest.tolist()) == list(range(items))


def test_it_says_when_it_cannot_reach_k() -> None:
    data = with_graph(60)
    assert data.graph is not None
    index = hnsw.HnswIndex(data.vectors, data.graph)
    assert index.nearest(data.vectors[0], 61) is None
    # A graph without any link reaches the entry point only.
    bare = type(data.graph)(
        m=2,
        ef_construction=20,
        seed=1,
        entry_point=0,
        levels=np.zeros(60, np.uint8),
        counts=np.zeros(60, np.uint16),
        neighbours=np.zeros(0, np.uint32),
    )
    check_graph(bare)
    lone = hnsw.HnswIndex(data.vectors, bare)
    assert lone.nearest(data.vectors[5], 2) is None
    assert lone.nearest(data.vectors[5], 1) is not None


def test_a_graph_over_other_items_is_refused() -> None:
    data = with_graph(60)
    assert data.graph is not None
    with pytest.raises(ValueError, match="60 items over 59"):
        hnsw.HnswIndex(data.vectors[:59], data.graph)


def test_threads_that_ask_for_different_k_get_their_own() -> None:
    vectors = clustered(1000)
    index = hnsw.HnswIndex(vectors, hnsw.build_graph(vectors))
    wrong: list[object] = []

    def ask(k: int) -> None:
        for row in range(100):
            nearest = index.nearest(vectors[row], k)
            if nearest is None or len(nearest) != k or row not in nearest:
                wrong.append((k, row, nearest))

    threads = [threading.Thread(target=ask, args=(k,)) for k in (1, 10, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
