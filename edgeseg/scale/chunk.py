"""Chunks: the pictures to look at, cut into pieces that a worker does in one go.

They lie in one Parquet file, a row group each, that every worker reads its own from; beside it are
the digests of the pictures that are known already, so that a picture at a new place is read and not
described again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.scale.arrow import open_parquet, pyarrow
from edgeseg.scale.place import Place

# At some 50 ms each, a quarter of a minute: what a kill loses, and what a worker asks anew after.
CHUNK_PICTURES = 256
# Where there are fewer, so that each worker gets several and none waits long for the last; but a
# chunk leaves a file, whose cost is that of some pictures.
_CHUNKS_EACH, _LEAST_CHUNK_PICTURES = 4, 64
_CHUNKS_FILE, _KNOWN_FILE = "chunks.parquet", "known.npy"


@dataclass(frozen=True)
class Cut:
    """How much there is to do.

    Attributes:
        chunks: their number.
        pictures: in all of them.
    """

    chunks: int
    pictures: int


def chunk_size(pictures: int, workers: int, most: int = CHUNK_PICTURES) -> int:
    """How many pictures to put in a chunk, that all workers have something to do.

    Args:
        pictures: in all.
        workers: that do them.
        most: in a chunk.
    """
    share = -(-pictures // (workers * _CHUNKS_EACH))
    return min(most, max(_LEAST_CHUNK_PICTURES, share))


def write_chunks(
    folder: Path, places: Iterable[Place], known: NDArray[np.uint64], size: int = CHUNK_PICTURES
) -> Cut:
    """Cut places into chunks.

    Args:
        folder: that every worker sees.
        places: in order; neighbours are read together.
        known: ``(n, 2)`` uint64, see ``Ledger.known_pictures``.
        size: places in a chunk.
    """
    arrow = pyarrow()
    np.save(folder / _KNOWN_FILE, known)
    schema = arrow.schema([("address", arrow.string()), ("stamp", arrow.string())])
    chunks = pictures = 0
    left = iter(places)
    with arrow.parquet.ParquetWriter(folder / _CHUNKS_FILE, schema) as writer:
        while piece := list(itertools.islice(left, size)):
            columns = [[each.address for each in piece], [each.stamp for each in piece]]
            writer.write_table(arrow.table(columns, schema=schema), row_group_size=len(piece))
            chunks, pictures = chunks + 1, pictures + len(piece)
    return Cut(chunks, pictures)


def read_chunk(folder: Path, number: int) -> list[Place]:
    """The places of a chunk.

    Args:
        folder: that was given to ``write_chunks``.
        number: from 0.
    """
    with open_parquet(str(folder / _CHUNKS_FILE)) as opened:
        table = opened.read_row_group(number)
    columns = [table.column(name).to_pylist() for name in ("address", "stamp")]
    return [Place(address, stamp) for address, stamp in zip(*columns, strict=True)]


class KnownPictures:
    """The pictures that are known, to be asked by their SHA-256; the file is mapped, not read.

    Args:
        folder: that was given to ``write_chunks``.
    """

    def __init__(self, folder: Path) -> None:
        self._heads: NDArray[np.uint64] = np.load(folder / _KNOWN_FILE, mmap_mode="r")

    def __contains__(self, sha256: bytes) -> bool:
        first, second = np.frombuffer(sha256[:16], ">u8").astype(np.uint64)
        start, end = (np.searchsorted(self._heads[:, 0], first, side) for side in ("left", "right"))
        return bool((self._heads[start:end, 1] == second).any())
