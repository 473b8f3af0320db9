from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.formats.codes import Codes
from edgeseg.formats.graph import check_graph
from edgeseg.index import golden, hnsw
from edgeseg.index.locality import coarse_to_fine, near_order, reordered
from edgeseg.index.nearest import NearestVectors
from tests.edgeseg.index.test_hnsw import clustered


def test_near_items_come_to_lie_near() -> None:
    vectors = clustered(2000)
    shuffled = np.random.default_rng(2).permutation(2000)
    codes = Codes.encode(vectors[shuffled], "int8")
    order = near_order(codes)
    assert sorted(order.tolist()) == list(range(2000))
    # About 20 items lie around each of 100 centres. In a random order 1 in 100 follows its like.
    centres = (shuffled // 20)[order]
    assert np.mean(centres[1:] == centres[:-1]) > 0.5


def test_equal_items_keep_their_order() -> None:
    codes = Codes.encode(np.tile(np.array([[0.6, 0.8]], np.float32), (50, 1)), "int8")
    assert near_order(codes).tolist() == list(range(50))


def test_a_reordered_graph_is_the_same_graph() -> None:
    codes = Codes.encode(clustered(1500), "int8")
    graph = hnsw.build_graph(codes, m=4)
    assert int(graph.levels.max()) >= 3
    order = near_order(codes)
    moved = reordered(graph, order)
    check_graph(moved)
    before, after = hnsw.HnswIndex(codes, graph), hnsw.HnswIndex(codes.taken(order), moved)
    for query in codes.decoded(np.arange(0, 1500, 30)):
        one, two = before.nearest(query, 10), after.nearest(query, 10)
        assert one is not None
        assert two is not None
        assert order[two[0]].tolist() == one[0].tolist()
        np.testing.assert_array_equal(one[1], two[1])


def test_every_row_is_added_once_and_no_region_waits_for_another() -> None:
    for rows in (1, 15, 16, 17, 1000):
        assert sorted(coarse_to_fine(rows).tolist()) == list(range(rows))
    added = coarse_to_fine(1600)
    assert added[:100].tolist() == list(range(0, 1600, 16))
    assert added[100:200].tolist() == list(range(8, 1600, 16))


def test_clusters_far_apart_are_found_in_a_graph_built_from_coarse_to_fine() -> None:
    rng = np.random.default_rng(5)
    centres = 3 * rng.normal(size=(40, 32))
    vectors = centres[rng.integers(0, 40, 4000)] + 0.6 * rng.normal(size=(4000, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    codes = Codes.encode(vectors.astype(np.float32), "int10")
    codes = codes.taken(near_order(codes))

    def found(added: NDArray[np.int64]) -> float:
        # Few links, so that those between the clusters are scarce.
        graph = hnsw.build_graph(codes.taken(added), m=6, ef_construction=32)
        nearest = NearestVectors(codes, reordered(graph, np.argsort(added)))
        queries = golden.draw_queries(codes, np.arange(len(codes)), nearest, 200)
        return golden.recall(golden.answered(queries, len(codes), nearest), nearest)

    assert found(np.arange(len(codes))) < 0.975 < found(coarse_to_fine(len(codes)))
