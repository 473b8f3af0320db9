"""HNSW search: the only file that touches hnswlib.

The graph lives in plain arrays (:class:`edgeseg.formats.graph.Graph`), so hnswlib never sees a
file that anybody else could have written, an index opens without being rebuilt, and the same items
always give the same graph.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import EdgesegError, FormatError, MissingExtraError
from edgeseg.formats.codes import Codes
from edgeseg.formats.graph import Graph
from edgeseg.index.hnsw_file import read_graph, through_nameless_file, write_index

M = 16
# Less than hnswlib's own 200, which takes half as long again: in the order of `coarse_to_fine`
# it is enough for the recall below.
EF_CONSTRUCTION = 128
SEED = 100
# Breadth of a search: the least in steps of 8 that finds 0.99 of the nearest ten among 100,000
# embeddings in int10, with a margin (`make verify-sync`, compact).
MIN_EF_SEARCH = 40
_Result = TypeVar("_Result")


def build_graph(
    codes: Codes,
    *,
    m: int = M,
    ef_construction: int = EF_CONSTRUCTION,
    seed: int = SEED,
) -> Graph:
    """Build the graph in the items' order, in one thread, so that it can be built again alike.

    Args:
        codes: of one item at least.
        m: links an item makes on each level above 0.
        ef_construction: breadth of the search for them.
        seed: of the items' levels.

    Raises:
        EdgesegError: there is no room for it.
        MissingExtraError: hnswlib is not installed.
    """
    index = _new_index(codes.dim)
    index.init_index(len(codes), M=m, ef_construction=ef_construction, random_seed=seed)
    for rows, vectors in codes.blocks():
        index.add_items(vectors, np.arange(rows.start, rows.stop), num_threads=1)
    return _graph_of(index, codes.dim, seed)


def extended_graph(
    graph: Graph, codes: Codes, removed: NDArray[np.bool_], gone: NDArray[np.int64], added: Codes
) -> Graph:
    """A graph after some items left and others came, without building it anew.

    An item that left stays in the graph, for the ways to others lead over it, but no new link leads
    to it. The same graph and items give the same result, on processors with the same arithmetic.

    Args:
        graph: checked.
        codes: of its items.
        removed: ``(n,)`` bool: those that left before.
        gone: those that leave now.
        added: the new ones, which follow the others.

    Raises:
        FormatError: hnswlib finds the graph impossible.
        EdgesegError: there is no room for it.
        MissingExtraError: hnswlib is not installed.
    """
    index = _loaded(codes, graph, removed, len(codes) + len(added))
    try:
        for row in gone.tolist():
            index.mark_deleted(row)
        for rows, vectors in added.blocks():
            labels = len(codes) + np.arange(rows.start, rows.stop)
            index.add_items(vectors, labels, num_threads=1)
    except RuntimeError as error:
        # Such as "Should be not be more than M_ candidates": no graph of its own making is so.
        raise FormatError(f"its graph takes no other items: {error}") from error
    return _graph_of(index, codes.dim, graph.seed)


class HnswIndex:
    """A graph and its vectors, ready to be searched; safe to use from several threads.

    Args:
        codes: of the items.
        graph: over the same items, and checked by :func:`edgeseg.formats.graph.check_graph` when
            it comes from a file: hnswlib follows its links unchecked.
        removed: ``(n,)`` bool: items that are passed and never found; None is none.

    Raises:
        ValueError: the graph is over another number of items.
        EdgesegError: there is no room for it.
        MissingExtraError: hnswlib is not installed.
    """

    def __init__(
        self, codes: Codes, graph: Graph, removed: NDArray[np.bool_] | None = None
    ) -> None:
        self._index: Any = _loaded(codes, graph, removed, len(codes))
        self._items = len(codes) - (0 if removed is None else int(removed.sum()))
        self._lock = threading.Lock()

    def nearest(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        """The ``k`` items that the graph search finds nearest.

        Args:
            query: ``(dim,)`` float32, L2-normalised.
            k: how many.
            allowed: ``(n,)`` bool: which items may be found. The search walks over the others and
                does not count them, so that it goes as far as it has to.

        Returns:
            ``(k,)`` int64 item numbers, nearest first and equal distances by number, as hnswlib's
            heap of pairs gives them, and their cosine distances; or ``None`` when the search
            reaches fewer than ``k`` items, which a graph may do.
        """
        if k > self._items:
            return None
        # A method of a list is the quickest thing that hnswlib can call for each item it meets.
        may_be_found = None if allowed is None else allowed.tolist().__getitem__
        # `ef` is a field of the index, not an argument of the query: set it and use it in one go.
        with self._lock:
            self._index.set_ef(max(MIN_EF_SEARCH, 2 * k))
            try:
                labels, distances = self._index.knn_query(query, k, 1, may_be_found)
            except RuntimeError:
                # "Cannot return the results in a contiguous 2D array": fewer than k were reached.
                return None
        return labels[0].astype(np.int64), distances[0]


def _new_index(dim: int) -> Any:
    try:
        import hnswlib
    except ImportError as error:
        raise MissingExtraError(
            f"searching a large catalogue needs hnswlib ({error}): pip install hnswlib"
        ) from error
    # Inner product over unit vectors is the cosine, and unlike hnswlib's "cosine" space it keeps
    # the vectors' bits as they are.
    return hnswlib.Index(space="ip", dim=dim)


def _loaded(codes: Codes, graph: Graph, removed: NDArray[np.bool_] | None, capacity: int) -> Any:
    if len(graph.levels) != len(codes):
        raise ValueError(f"a graph of {len(graph.levels)} items over {len(codes)} vectors")
    index = _new_index(codes.dim)

    def load(file: IO[bytes], path: str) -> None:
        write_index(file, codes, graph, removed)
        try:
            index.load_index(path, max_elements=capacity)
        except RuntimeError as error:
            # "Cannot open file", or no memory for what is in it.
            raise OSError(errno.EIO, str(error)) from error

    _with_room(load)
    return index


def _graph_of(index: Any, dim: int, seed: int) -> Graph:
    def save(file: IO[bytes], path: str) -> Graph:
        index.save_index(path)
        return read_graph(file, index.index_file_size(), dim, seed)

    return _with_room(save)


def _with_room(use: Callable[[IO[bytes], str], _Result]) -> _Result:
    try:
        return through_nameless_file(use)
    except OSError as error:
        raise EdgesegError(
            f"a catalogue's graph needs room for a temporary file ({error.strerror}): free some"
        ) from error
