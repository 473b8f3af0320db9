"""Assembling a shard: its items' vectors are gathered from the parts, and its graph is built.

A shard's catalogue depends on its items and vectors alone, so it is kept under a name made of them:
a build that changes nothing in a shard finds its catalogue there.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import limits
from edgeseg.catalogue import Catalogue
from edgeseg.errors import EdgesegError, LimitExceededError
from edgeseg.files import made_folder
from edgeseg.formats.catalogue_file import read_catalogue
from edgeseg.items import Item
from edgeseg.scale.arrow import open_parquet, pyarrow
from edgeseg.scale.ledger import Described
from edgeseg.scale.part import part_path, read_embeddings

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class ShardWork:
    """A catalogue to build; it travels to other machines.

    Attributes:
        name: of the shard.
        items: Parquet file of its items, by SKU, with the part and the row of each one's vector.
        parts: folder of all parts.
        output: where the catalogue is written.
        dim: of the vectors.
        embedder_digest: names what made them.
        precision: in which they are kept.
    """

    name: str
    items: Path
    parts: Path
    output: Path
    dim: int
    embedder_digest: str
    precision: str


@dataclass(frozen=True)
class ShardDone:
    """A catalogue that was built.

    Attributes:
        name: of the shard.
        items: in it.
        bytes: of its file.
        digest: of the catalogue.
        gather_s, build_s: seconds for the vectors, and for the graph and the file.
    """

    name: str
    items: int
    bytes: int
    digest: str
    gather_s: float
    build_s: float


def write_items(path: Path, described: Iterable[Described]) -> tuple[int, str]:
    """Write down what a shard is made of, without holding it all.

    Args:
        path: the Parquet file to write.
        described: its items, by SKU.

    Returns:
        How many there are, and a digest of them and their pictures.

    Raises:
        LimitExceededError: there are more than a catalogue can hold.
    """
    arrow = pyarrow()
    names = ("sku", "attributes", "part", "row")
    types = (arrow.string(), arrow.string(), arrow.string(), arrow.int64())
    schema = arrow.schema(list(zip(names, types, strict=True)))
    digest, count = hashlib.sha256(), 0
    made_folder(path.parent)
    with arrow.parquet.ParquetWriter(path, schema, use_dictionary=["part"]) as writer:
        block: list[tuple[Any, ...]] = []

        def write() -> None:
            if block:
                writer.write_table(arrow.table(list(zip(*block, strict=True)), schema=schema))
                block.clear()

        for each in described:
            attributes = json.dumps(dict(each.item.attributes))
            block.append((each.item.sku, attributes, each.part, each.row))
            digest.update(f"{each.item.sku}\0{attributes}\0{each.sha256.hex()}\n".encode())
            count += 1
            if len(block) == _ROWS_AT_ONCE:
                write()
        write()
    if count > limits.MAX_ITEMS:
        raise LimitExceededError(
            f"{count} items, and a catalogue holds {limits.MAX_ITEMS}: make shards with --shard-by"
        )
    return count, digest.hexdigest()


def assemble(work: ShardWork) -> ShardDone:
    """Build a shard's catalogue.

    Raises:
        FormatError: a part is damaged.
        EdgesegError: the catalogue cannot be written.
    """
    start_s = time.perf_counter()
    with open_parquet(str(work.items)) as opened:
        table = opened.read()
    columns = {name: table.column(name) for name in table.column_names}
    items = [
        Item(sku, json.loads(text))
        for sku, text in zip(
            columns["sku"].to_pylist(), columns["attributes"].to_pylist(), strict=True
        )
    ]
    embeddings = _gathered(work, columns["part"], columns["row"].to_numpy())
    gathered_s = time.perf_counter()
    catalogue = Catalogue.from_embeddings(items, embeddings, work.embedder_digest, work.precision)
    catalogue.save(work.output)
    return ShardDone(
        name=work.name,
        items=len(catalogue),
        bytes=work.output.stat().st_size,
        digest=read_catalogue(work.output).digest,
        gather_s=gathered_s - start_s,
        build_s=time.perf_counter() - gathered_s,
    )


def found_assembled(work: ShardWork) -> ShardDone | None:
    """A shard's catalogue of an earlier build, where it is there and whole."""
    start_s = time.perf_counter()
    try:
        data = read_catalogue(work.output)
    except EdgesegError:
        return None
    size = work.output.stat().st_size
    return ShardDone(work.name, data.items, size, data.digest, time.perf_counter() - start_s, 0.0)


def _gathered(work: ShardWork, parts: Any, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """The vectors of the items, each part opened once."""
    embeddings = np.empty((len(rows), work.dim), np.float32)
    encoded = parts.combine_chunks().dictionary_encode()
    numbers = encoded.indices.to_numpy()
    order = np.argsort(numbers, kind="stable")
    names = encoded.dictionary.to_pylist()
    bounds = np.searchsorted(numbers[order], np.arange(len(names) + 1))
    for name, start, end in zip(names, bounds, bounds[1:], strict=False):
        own = order[start:end]
        path = part_path(work.parts, name)
        embeddings[own] = read_embeddings(path, rows[own], work.dim)
    return embeddings
