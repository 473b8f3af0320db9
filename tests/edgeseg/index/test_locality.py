from __future__ import annotations

import numpy as np

from edgeseg.formats.codes import Codes
from edgeseg.formats.graph import check_graph
from edgeseg.index import hnsw
from edgeseg.index.locality import near_order, reordered
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
