"""The HNSW index: exact recall figures, the same graph each time, opened without a rebuild."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import numpy as np
import pytest

from edgeseg.errors import EdgesegError
from edgeseg.formats.codes import Codes
from edgeseg.formats.graph import check_graph
from edgeseg.index import hnsw, hnsw_file
from tests.edgeseg.formats.samples import unit_vectors, with_graph, without_links


def floats(vectors: np.ndarray) -> Codes:
    """Embeddings as they are."""
    return Codes.encode(vectors, "float32")


def clustered(items: int, dim: int = 32) -> np.ndarray:
    """`(items, dim)` float32, L2-normalised, about 20 around each of some centres."""
    generator = np.random.default_rng(3)
    centres = generator.normal(size=(items // 20, dim))
    drawn = np.repeat(centres, 20, axis=0) + 0.5 * generator.normal(size=(items, dim))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def found_by(index: hnsw.HnswIndex, query: np.ndarray, k: int) -> tuple[list[int], np.ndarray]:
    """Rows and distances, where the search reaches ``k`` items."""
    found = index.nearest(query, k)
    assert found is not None
    return found[0].tolist(), found[1]


def test_an_index_opened_from_arrays_finds_what_exact_search_finds() -> None:
    vectors = clustered(4000)
    graph = hnsw.build_graph(floats(vectors))
    check_graph(graph)
    index = hnsw.HnswIndex(floats(vectors), graph)
    found = 0
    for query in vectors[::20]:
        rows, distances = found_by(index, query, 10)
        assert len(set(rows)) == 10
        np.testing.assert_allclose(distances, 1.0 - vectors[rows] @ query, atol=1e-6)
        found += len(set(rows) & set(np.argsort(-(vectors @ query))[:10].tolist()))
    # 1.0 was measured; a lost link list costs several points.
    assert found / 2000 >= 0.99


def test_the_same_items_give_the_same_graph() -> None:
    vectors = clustered(500)
    one, two = (
        hnsw.build_graph(floats(vectors)),
        hnsw.build_graph(floats(vectors)),
    )
    for name in ("levels", "counts", "steps", "long_steps"):
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
    codes = floats(vectors)
    index = hnsw.HnswIndex(codes, hnsw.build_graph(codes))
    for query in unit_vectors(50, vectors.shape[1], seed=9):
        labels, _ = native.knn_query(query[None], 5, num_threads=1)
        assert found_by(index, query, 5)[0] == labels[0].tolist()


def test_equal_distances_come_by_number() -> None:
    """hnswlib hands them out so; a search relies on it."""
    vectors = np.tile(clustered(200), (5, 1))
    codes = floats(vectors)
    index = hnsw.HnswIndex(codes, hnsw.build_graph(codes))
    ties = 0
    for query in unit_vectors(50, vectors.shape[1], seed=9):
        rows, distances = found_by(index, query, 20)
        assert rows == np.array(rows)[np.lexsort((rows, distances))].tolist()
        ties += int((np.diff(distances) == 0).sum())
    assert ties > 100


@pytest.mark.parametrize("items", [1, 2, 3, 17])
def test_tiny_graphs_work(items: int) -> None:
    codes = floats(unit_vectors(items, 4))
    graph = hnsw.build_graph(codes)
    check_graph(graph)
    rows, _ = found_by(hnsw.HnswIndex(codes, graph), codes.stored[0], items)
    assert sorted(rows) == list(range(items))


def test_it_says_when_it_cannot_reach_k() -> None:
    data = with_graph(60)
    assert data.graph is not None
    index = hnsw.HnswIndex(data.codes, data.graph)
    vectors = data.codes.decoded()
    assert index.nearest(vectors[0], 61) is None
    # A graph without any link reaches the entry point only.
    bare = without_links(60)
    check_graph(bare)
    lone = hnsw.HnswIndex(data.codes, bare)
    assert lone.nearest(vectors[5], 2) is None
    assert lone.nearest(vectors[5], 1) is not None


def test_a_graph_over_other_items_is_refused() -> None:
    data = with_graph(60)
    assert data.graph is not None
    with pytest.raises(ValueError, match="60 items over 59"):
        hnsw.HnswIndex(data.codes.taken(slice(59)), data.graph)


def test_threads_that_ask_for_different_k_get_their_own() -> None:
    vectors = clustered(1000)
    index = hnsw.HnswIndex(floats(vectors), hnsw.build_graph(floats(vectors)))
    wrong: list[object] = []

    def ask(k: int) -> None:
        for row in range(100):
            rows, _ = found_by(index, vectors[row], k)
            if len(rows) != k or row not in rows:
                wrong.append((k, row, rows))

    threads = [threading.Thread(target=ask, args=(k,)) for k in (1, 10, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_where_no_file_can_be_made_memory_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = floats(clustered(300))
    usual = hnsw.build_graph(codes)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hnsw_file.tempfile, "TemporaryFile", full)
    graph = hnsw.build_graph(codes)
    np.testing.assert_array_equal(graph.neighbours(), usual.neighbours())
    assert found_by(hnsw.HnswIndex(codes, graph), codes.stored[7], 1)[0] == [7]
    monkeypatch.setattr(hnsw_file.os, "memfd_create", full)
    with pytest.raises(EdgesegError, match="needs room"):
        hnsw.HnswIndex(codes, graph)


def test_a_file_that_hnswlib_cut_short_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_bytes(bytes(100))
    with path.open("rb") as file, pytest.raises(OSError, match="space"):
        hnsw_file.read_graph(file, 101, 200, 1)


def test_items_that_left_are_passed_and_never_found() -> None:
    codes = floats(clustered(2000))
    graph = hnsw.build_graph(codes)
    removed = np.zeros(2000, np.bool_)
    removed[::3] = True
    index = hnsw.HnswIndex(codes, graph, removed)
    for row in range(0, 2000, 50):
        rows, _ = found_by(index, codes.stored[row], 10)
        assert not removed[rows].any()
        assert (row in rows) == (not removed[row])


def test_a_graph_is_extended_alike_each_time_and_finds_what_came() -> None:
    everything = clustered(2400)
    codes, added = (
        floats(everything[:2000]),
        floats(everything[2000:]),
    )
    graph = hnsw.build_graph(codes)
    before = np.zeros(2000, np.bool_)
    before[5] = True
    gone = np.arange(10, 60)
    one, two = (hnsw.extended_graph(graph, codes, before, gone, added) for _ in range(2))
    check_graph(one)
    for name in ("levels", "counts", "steps", "long_steps"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    removed = np.zeros(2400, np.bool_)
    removed[5] = removed[gone] = True
    # No new list leads to what left: the new items' own ones are the last.
    starts = np.cumsum(one.counts[:2400], dtype=np.int64)
    links = one.neighbours()[starts[1999] : starts[-1]]
    assert not removed[links].any()
    index = hnsw.HnswIndex(codes.joined(added), one, removed)
    found = 0
    for query in everything[::12]:
        rows, _ = found_by(index, query, 10)
        distances = np.where(removed, np.inf, 1.0 - everything @ query)
        found += len(set(rows) & set(np.argsort(distances)[:10].tolist()))
    # 1.0 was measured.
    assert found / 2000 >= 0.99
