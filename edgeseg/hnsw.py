"""HNSW search: the only file that touches hnswlib.

The graph lives in plain arrays (:class:`edgeseg.formats.graph.Graph`), so hnswlib never sees a
file, an index opens without being rebuilt, and the same items always give the same graph.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import MissingExtraError
from edgeseg.formats.graph import Graph

M = 16
EF_CONSTRUCTION = 200
SEED = 100
MIN_EF_SEARCH = 64
# The count shares its four bytes with a deletion mark: the low 16 bits are the count.
_COUNT_MASK = 0xFFFF


def build_graph(
    vectors: NDArray[np.float32],
    *,
    m: int = M,
    ef_construction: int = EF_CONSTRUCTION,
    seed: int = SEED,
) -> Graph:
    """Build the graph in the items' order, in one thread, so that it can be built again alike.

    Args:
        vectors: ``(n, dim)`` float32, L2-normalised, ``n >= 1``.
        m: links an item makes on each level above 0.
        ef_construction: breadth of the search for them.
        seed: of the items' levels.

    Raises:
        MissingExtraError: hnswlib is not installed.
    """
    items, dim = vectors.shape
    index = _empty_index(items, dim, m, ef_construction, seed)
    index.add_items(vectors, np.arange(items), num_threads=1)
    state = _state(index)
    levels = state["element_levels"].astype(np.uint8)
    level_0 = state["data_level0"].view(np.uint8).reshape(items, -1)
    lists_0 = level_0[:, : state["offset_data"]].copy().view("<u4")
    upper = state["link_lists"].view("<u4").reshape(-1, 1 + m)
    counts_0, links_0 = _unpacked(lists_0)
    upper_counts, upper_links = _unpacked(upper)
    return Graph(
        m=m,
        ef_construction=ef_construction,
        seed=seed,
        entry_point=int(state["enterpoint_node"]),
        levels=levels,
        counts=np.concatenate([counts_0, upper_counts]),
        neighbours=np.concatenate([links_0, upper_links]),
    )


class HnswIndex:
    """A graph and its vectors, ready to be searched; safe to use from several threads.

    Args:
        vectors: ``(n, dim)`` float32, L2-normalised.
        graph: over the same items, and checked by :func:`edgeseg.formats.graph.check_graph` when
            it comes from a file: hnswlib follows its links unchecked.

    Raises:
        ValueError: the graph is over another number of items.
        MissingExtraError: hnswlib is not installed.
    """

    def __init__(self, vectors: NDArray[np.float32], graph: Graph) -> None:
        items, dim = vectors.shape
        if len(graph.levels) != items:
            raise ValueError(f"a graph of {len(graph.levels)} items over {items} vectors")
        empty = _empty_index(items, dim, graph.m, graph.ef_construction, graph.seed)
        state = dict(_state(empty))
        counts_0, upper_counts = graph.counts[:items], graph.counts[items:]
        split = int(counts_0.sum(dtype=np.int64))
        level_0 = np.zeros((items, state["size_data_per_element"]), np.uint8)
        lists_end, labels_start = state["offset_data"], state["label_offset"]
        level_0[:, :lists_end] = _packed(counts_0, graph.neighbours[:split], 2 * graph.m)
        level_0[:, lists_end:labels_start] = _as_bytes(vectors)
        level_0[:, labels_start:] = _as_bytes(np.arange(items, dtype=np.uint64)[:, None])
        upper = _packed(upper_counts, graph.neighbours[split:], graph.m)
        state.update(
            ep_added=True,
            cur_element_count=items,
            max_level=int(graph.levels.max()),
            enterpoint_node=graph.entry_point,
            label_lookup_external=np.arange(items, dtype=np.uint64),
            label_lookup_internal=np.arange(items, dtype=np.uint32),
            element_levels=graph.levels.astype(np.int32),
            data_level0=level_0.reshape(-1).view(np.int8),
            link_lists=upper.reshape(-1).view(np.int8),
        )
        kind: Any = type(empty)
        self._index: Any = kind.__new__(kind)
        self._index.__setstate__((state,))
        self._items = items
        self._lock = threading.Lock()

    def nearest(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64] | None:
        """The ``k`` items that the graph search finds nearest.

        Args:
            query: ``(dim,)`` float32, L2-normalised.
            k: how many.
            allowed: ``(n,)`` bool: which items may be found. The search walks over the others and
                does not count them, so that it goes as far as it has to.

        Returns:
            ``(k,)`` int64 item numbers in no particular order, or ``None`` when the search reaches
            fewer than ``k`` items, which a graph may do.
        """
        if k > self._items:
            return None
        # A method of a list is the quickest thing that hnswlib can call for each item it meets.
        may_be_found = None if allowed is None else allowed.tolist().__getitem__
        # `ef` is a field of the index, not an argument of the query: set it and use it in one go.
        with self._lock:
            self._index.set_ef(max(MIN_EF_SEARCH, 2 * k))
            try:
                labels, _ = self._index.knn_query(
                    query[None, :], k, num_threads=1, filter=may_be_found
                )
            except RuntimeError:
                # "Cannot return the results in a contiguous 2D array": fewer than k were reached.
                return None
        found: NDArray[np.int64] = labels[0].astype(np.int64)
        return found


def _empty_index(items: int, dim: int, m: int, ef_construction: int, seed: int) -> Any:
    try:
        import hnswlib
    except ImportError as error:
        raise MissingExtraError(
            f"searching a large catalogue needs hnswlib ({error}): pip install hnswlib"
        ) from error
    # Inner product over unit vectors is the cosine, and unlike hnswlib's "cosine" space it keeps
    # the vectors' bits as they are.
    index = hnswlib.Index(space="ip", dim=dim)
    index.init_index(items, M=m, ef_construction=ef_construction, random_seed=seed)
    return index


def _state(index: Any) -> dict[str, Any]:
    state: dict[str, Any] = index.__getstate__()[0]
    return state


def _unpacked(lists: NDArray[np.uint32]) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    """From rows of (count, links, unused) to counts and the used links in a row.

    What stands behind a list's end is left over from building, and dropped.
    """
    counts = (lists[:, 0] & _COUNT_MASK).astype(np.uint16)
    used = np.arange(lists.shape[1] - 1)[None, :] < counts[:, None]
    return counts, lists[:, 1:][used]


def _packed(
    counts: NDArray[np.uint16], links: NDArray[np.uint32], capacity: int
) -> NDArray[np.uint8]:
    """The reverse of :func:`_unpacked`, as ``(lists, 4 + 4 * capacity)`` bytes."""
    lists = np.zeros((len(counts), 1 + capacity), "<u4")
    lists[:, 0] = counts
    used = np.arange(capacity)[None, :] < counts[:, None]
    lists[:, 1:][used] = links
    return _as_bytes(lists)


def _as_bytes(rows: NDArray[Any]) -> NDArray[np.uint8]:
    width = rows.shape[1] * rows.dtype.itemsize
    return np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), width)
