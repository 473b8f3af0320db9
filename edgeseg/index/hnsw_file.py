"""hnswlib's own file, made from and read into the arrays of a graph, a block of rows at a time.

hnswlib takes an index from a file or from arrays that it copies, and gives one the same two ways.
Arrays would be in memory twice, and a scanner has little; so they pass through a file that has no
name: nobody else can open it, and it is gone with the process, however that ends. What goes in has
been checked (:func:`edgeseg.formats.graph.check_graph`), for hnswlib follows links unchecked.

The layout is that of hnswlib 0.8 (``HierarchicalNSW::saveIndex``): thirteen numbers; a row for each
item with its links on level 0, its vector and its label; each item's links on the levels above.
"""

from __future__ import annotations

import errno
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.formats.codes import BLOCK_ROWS, Codes
from edgeseg.formats.graph import Graph, packed_lists

# Word 0 of a list on level 0: the low 16 bits are its length, bit 16 marks the item as removed.
_COUNT_MASK, _REMOVED = 0xFFFF, 1 << 16
_WORD_BYTES = 4
# N is C's size_t, as a label is: 4 bytes on 32-bit ARM.
_HEADER = "NNNNNNiINNNdN"
_Result = TypeVar("_Result")


def _row(m: int, dim: int) -> np.dtype[Any]:
    """An item's row: its links on level 0 behind their number, its vector, its label."""
    return np.dtype([("list", "<u4", (1 + 2 * m,)), ("vector", "<f4", (dim,)), ("label", np.uintp)])


def through_nameless_file(use: Callable[[IO[bytes], str], _Result]) -> _Result:
    """Use a file that is gone afterwards: in the folder for temporary files, or else in memory.

    Args:
        use: is given the file, empty, and the name by which this process, and no other, can open
            it. It is called again, with a file in memory, where the first ends in an OSError.

    Raises:
        OSError: there is no room in memory either.
    """
    try:
        with tempfile.TemporaryFile(buffering=0) as file:
            return use(file, _path_of(file))
    except OSError:
        with os.fdopen(os.memfd_create("edgeseg"), "w+b", buffering=0) as file:
            return use(file, _path_of(file))


def _path_of(file: IO[bytes]) -> str:
    # Linux without a populated /dev has the first, macOS the second.
    folder = "/proc/self/fd" if Path("/proc/self/fd").is_dir() else "/dev/fd"
    return f"{folder}/{file.fileno()}"


def write_index(
    file: IO[bytes], codes: Codes, graph: Graph, removed: NDArray[np.bool_] | None
) -> None:
    """Write what ``hnswlib.Index.load_index`` reads.

    Args:
        file: empty.
        codes: of all the graph's items.
        graph: checked.
        removed: ``(n,)`` bool: items that are passed and never found; None is none.

    Raises:
        OSError: there is no room for it.
    """
    row = _row(graph.m, codes.dim)
    _write(file, _header(row, graph, len(codes)))
    lists_of_blocks = graph.lists(BLOCK_ROWS)
    whole = np.zeros(min(BLOCK_ROWS, len(codes)), row)
    for rows, vectors in _ahead(codes.blocks()):
        block = whole[: len(vectors)]
        block["list"] = 0
        _, links = next(lists_of_blocks)
        _fill(block["list"], graph.counts[rows], links)
        if removed is not None:
            block["list"][removed[rows], 0] |= _REMOVED
        block["vector"] = vectors
        block["label"] = np.arange(rows.start, rows.stop)
        _write(file, block.view(np.uint8).data)
    upper = np.zeros((len(graph.counts) - len(codes), 1 + graph.m), "<u4")
    for part, links in lists_of_blocks:
        into = slice(part.start - len(codes), part.stop - len(codes))
        _fill(upper[into], graph.counts[part], links)
    words = graph.levels.astype(np.int64) * (1 + graph.m)
    starts = np.cumsum(1 + words) - (1 + words)
    tail = np.zeros(len(codes) + int(words.sum()), "<u4")
    is_length = np.zeros(len(tail), np.bool_)
    is_length[starts] = True
    tail[starts] = words * _WORD_BYTES
    tail[~is_length] = upper.reshape(-1)
    _write(file, tail.view(np.uint8).data)


def read_graph(file: IO[bytes], file_bytes: int, dim: int, seed: int) -> Graph:
    """Read the graph of what ``hnswlib.Index.save_index`` wrote.

    Args:
        file: of this process's own making: its content is not checked.
        file_bytes: its length, as hnswlib meant to write it.
        dim: length of the vectors.
        seed: of the items' levels.

    Raises:
        OSError: the file is shorter, for hnswlib does not notice a full disk.
    """
    if file.seek(0, os.SEEK_END) < file_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    file.seek(0)
    numbers = _unpacked_header(_read(file, _header_bytes()))
    items, entry_point, m, ef_construction = (numbers[place] for place in (2, 7, 10, 12))
    parts = []
    row = _row(m, dim)
    for start in range(0, items, BLOCK_ROWS):
        rows = min(BLOCK_ROWS, items - start)
        block = np.frombuffer(_read(file, rows * row.itemsize), row)
        parts.append(_packed(block["list"]))
    tail = np.frombuffer(_read(file, file_bytes - file.tell()), "<u4")
    levels, is_length = _levels(tail, items, 1 + m)
    parts.append(_packed(tail[~is_length].reshape(-1, 1 + m)))
    counts, steps, long_steps = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Graph(
        m=m,
        ef_construction=ef_construction,
        seed=seed,
        entry_point=entry_point,
        levels=levels,
        counts=counts,
        steps=steps,
        long_steps=long_steps,
    )


def _ahead(each: Iterator[_Result]) -> Iterator[_Result]:
    """The same, with the next one made in a thread of its own while one is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, each, None)
        while (one := coming.result()) is not None:
            coming = pool.submit(next, each, None)
            yield one


def _header(row: np.dtype[Any], graph: Graph, items: int) -> bytes:
    numbers = (
        0,
        items,
        items,
        row.itemsize,
        _offset(row, "label"),
        _offset(row, "vector"),
        int(graph.levels.max()),
        graph.entry_point,
        graph.m,
        2 * graph.m,
        graph.m,
        1.0 / float(np.log(graph.m)),
        graph.ef_construction,
    )
    return b"".join(struct.pack(kind, each) for kind, each in zip(_HEADER, numbers, strict=True))


def _offset(row: np.dtype[Any], name: str) -> int:
    assert row.fields is not None
    return int(row.fields[name][1])


def _header_bytes() -> int:
    return sum(struct.calcsize(kind) for kind in _HEADER)


def _unpacked_header(header: bytearray) -> list[Any]:
    numbers = []
    at = 0
    for kind in _HEADER:
        numbers.append(struct.unpack_from(kind, header, at)[0])
        at += struct.calcsize(kind)
    return numbers


def _levels(
    tail: NDArray[np.uint32], items: int, upper_words: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Each item's top level, and which words of the tail tell it."""
    levels = np.zeros(items, np.uint8)
    is_length = np.zeros(len(tail), np.bool_)
    words = tail.tolist()
    at = 0
    for item in range(items):
        is_length[at] = True
        length = words[at] // _WORD_BYTES
        if length:
            levels[item] = length // upper_words
        at += 1 + length
    return levels, is_length


def _packed(
    lists: NDArray[np.uint32],
) -> tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.uint32]]:
    """From rows of (length, links, unused) to a graph's counts, steps and long steps.

    What stands behind a list's end is left over from building, and dropped.
    """
    counts = (lists[:, 0] & _COUNT_MASK).astype(np.uint8)
    used = np.arange(lists.shape[1] - 1)[None, :] < counts[:, None]
    return counts, *packed_lists(counts, lists[:, 1:][used])


def _fill(lists: NDArray[np.uint32], counts: NDArray[np.uint8], links: NDArray[np.uint32]) -> None:
    """Write counts and links, which are the used ones in a row, into rows of zeros."""
    lists[:, 0] = counts
    used = np.arange(lists.shape[1] - 1)[None, :] < counts[:, None]
    lists[:, 1:][used] = links


def _write(file: IO[bytes], data: bytes | memoryview) -> None:
    """An unbuffered file may take a part only."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _read(file: IO[bytes], length: int) -> bytearray:
    data = bytearray()
    while piece := file.read(length - len(data)):
        data += piece
    return data
