"""A part: what became of one chunk's pictures, as a Parquet file that is written once.

Parts are what a build leaves behind while it goes on: a file appears whole, by one rename, and is
never changed, so that whatever is killed, the parts that are there are true. Their names come from
what the chunk asked for: who does a chunk again finds its part there. Other tools read them too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import FormatError
from edgeseg.files import made_folder, shown_path, write_atomic
from edgeseg.scale.arrow import open_parquet, pyarrow

FORMAT_VERSION = 1
SUFFIX = ".parquet"
_VERSION_KEY = b"edgeseg.part"
# Of the name's hexadecimal digits, which make 256 folders of the many files.
_FOLDER_CHARS = 2


@dataclass(frozen=True)
class Found:
    """What became of a picture.

    Attributes:
        address, stamp: of its place.
        sha256: of its bytes; empty where they could not be fetched.
        embedding: ``(dim,)`` float32, L2-normalised; None where the bytes are known from another
            part, or are no picture.
        reason: why there is no embedding to be had; empty where there is one, here or there.
    """

    address: str
    stamp: str
    sha256: bytes
    embedding: NDArray[np.float32] | None = None
    reason: str = ""


def part_path(folder: Path, name: str) -> Path:
    """Where a part of a name is.

    Args:
        folder: of all parts.
        name: hexadecimal digits.
    """
    return folder / name[:_FOLDER_CHARS] / f"{name}{SUFFIX}"


def part_names(folder: Path) -> list[str]:
    """The names of all parts, in order."""
    return sorted(path.stem for path in folder.glob(f"{'?' * _FOLDER_CHARS}/*{SUFFIX}"))


def write_part(path: Path, found: Sequence[Found], dim: int) -> None:
    """Write a part: nothing of it is there before all of it is.

    Raises:
        EdgesegError: it cannot be written.
    """
    arrow = pyarrow()
    embeddings = [each.embedding for each in found]
    vectors = [each for each in embeddings if each is not None]
    values = np.concatenate(vectors) if vectors else np.empty(0, np.float32)
    # A list array of which some rows are null, without a Python object for each number.
    offsets = np.cumsum([0, *(0 if each is None else dim for each in embeddings)])
    missing = arrow.array([each is None for each in embeddings], arrow.bool_())
    table = arrow.table(
        {
            "address": arrow.array([each.address for each in found], arrow.string()),
            "stamp": arrow.array([each.stamp for each in found], arrow.string()),
            "sha256": arrow.array([each.sha256 for each in found], arrow.binary()),
            "embedding": arrow.ListArray.from_arrays(
                arrow.array(offsets, arrow.int32()),
                arrow.array(values, arrow.float32()),
                mask=missing,
            ),
            "reason": arrow.array([each.reason for each in found], arrow.string()),
        }
    ).replace_schema_metadata({_VERSION_KEY: str(FORMAT_VERSION)})
    sink = arrow.BufferOutputStream()
    # Vectors of unit length look like noise: only the texts are worth a dictionary.
    arrow.parquet.write_table(
        table, sink, use_dictionary=["reason"], compression="zstd", write_page_checksum=True
    )
    made_folder(path.parent)
    write_atomic(path, memoryview(sink.getvalue()).tobytes())


def read_found(path: Path) -> Iterator[tuple[int, Found, bool]]:
    """Each row's number, what was found without its embedding, and whether it has one.

    Raises:
        FormatError: it is damaged, or no part.
    """
    for start, columns in _columns(path, ["address", "stamp", "sha256", "reason", "embedding"]):
        try:
            texts = [columns.column(index).to_pylist() for index in range(4)]
        except UnicodeDecodeError as error:
            raise FormatError(f"{shown_path(path)}: damaged ({error})") from error
        has = columns.column(4).is_valid().to_pylist()
        for row, (address, stamp, sha256, reason, there) in enumerate(
            zip(*texts, has, strict=True), start
        ):
            yield row, Found(address, stamp, sha256, None, reason), there


def read_embeddings(path: Path, rows: NDArray[np.int64], dim: int) -> NDArray[np.float32]:
    """The embeddings of certain rows, ``(len(rows), dim)`` float32.

    Raises:
        FormatError: it is damaged, or a row has none of that length.
    """
    blocks = []
    for _, columns in _columns(path, ["embedding"]):
        column = columns.column(0)
        lengths = np.where(column.is_valid().to_numpy(zero_copy_only=False), dim, 0)
        values = column.flatten().to_numpy(zero_copy_only=False)
        if len(values) != lengths.sum():
            raise FormatError(f"{shown_path(path)}: embeddings of another length than {dim}")
        block = np.zeros((len(lengths), dim), np.float32)
        block[lengths > 0] = values.reshape(-1, dim)
        blocks.append(block)
    everything = np.concatenate(blocks) if blocks else np.empty((0, dim), np.float32)
    if len(rows) and rows.max() >= len(everything):
        raise FormatError(f"{shown_path(path)}: has {len(everything)} rows, and more were noted")
    taken: NDArray[np.float32] = everything[rows]
    return taken


def _columns(path: Path, names: list[str]) -> Iterator[tuple[int, Any]]:
    """The columns of each row group, behind its first row's number."""
    arrow = pyarrow()
    try:
        with open_parquet(str(path)) as opened:
            metadata = opened.schema_arrow.metadata or {}
            if metadata.get(_VERSION_KEY) != str(FORMAT_VERSION).encode():
                raise FormatError(f"{shown_path(path)}: no part of format version {FORMAT_VERSION}")
            start = 0
            for batch in opened.iter_batches(columns=names):
                yield start, batch.select(names)
                start += len(batch)
    except (OSError, arrow.ArrowException, KeyError) as error:
        reason = " ".join(str(error).split())
        raise FormatError(f"{shown_path(path)}: damaged ({reason})") from error
