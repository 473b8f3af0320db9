"""The catalogue file: embeddings, SKUs, attributes and the search graph, small and searchable.

Layout and reasons are in FORMAT.md. The search library's own file is not used: it has no magic,
version, checksum or dimension, and a malformed one overflows its heap. Here the graph is plain
arrays, and every index in them is checked, for its C++ code follows them unchecked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg import limits
from edgeseg.errors import FormatError
from edgeseg.files import PathLike, sha256_hex
from edgeseg.formats import container
from edgeseg.formats.codes import PRECISIONS, Codes
from edgeseg.formats.document import Fields, canonical_json, parse_object
from edgeseg.formats.golden import Golden, check_golden
from edgeseg.formats.graph import Graph, check_graph
from edgeseg.formats.sections import array_of, bytes_of, codes_of, sections_of, taken
from edgeseg.formats.text_table import TextTable, check_names, check_table

SUFFIX = ".catalogue"

KIND = container.Kind(
    name="catalogue",
    magic=b"\x89ESC\r\n\x1a\n",
    format_version=2,
    max_bytes=limits.MAX_CATALOGUE_BYTES,
    remake="make it again with `edgeseg index build`, or copy it again",
)


@dataclass(frozen=True, eq=False)
class CatalogueData:
    """What a catalogue file holds.

    Attributes:
        embedder_digest: names the embedder and preprocessing that made the embeddings.
        attribute_names: the names of the table's columns after the SKU's.
        codes: the embeddings.
        table: column 0 has the SKUs, column ``1 + i`` the attribute ``attribute_names[i]``, where
            an empty cell stands for none.
        graph: the HNSW graph; ``None`` when the catalogue is small enough to search exactly.
        generation: of the published catalogue; 0 before it was ever published.
        removed: ``(rows,)`` bool: tombstones, rows whose item left, and which the graph still
            passes; ``None`` where there is none.
        golden: queries with their answers; ``None`` before they were asked.
        digest: names all of the file's bytes; empty before it was ever saved.
    """

    embedder_digest: str
    attribute_names: tuple[str, ...]
    codes: Codes
    table: TextTable
    graph: Graph | None
    generation: int = 0
    removed: NDArray[np.bool_] | None = None
    golden: Golden | None = None
    digest: str = ""

    @property
    def rows(self) -> NDArray[np.int64]:
        """The rows with an item, rising."""
        if self.removed is None:
            return np.arange(len(self.codes))
        return np.flatnonzero(~self.removed)

    @property
    def items(self) -> int:
        """How many items."""
        return len(self.codes) - (0 if self.removed is None else int(self.removed.sum()))


def content_digest(data: CatalogueData) -> str:
    """Names what a catalogue holds, whatever its graph is like; see FORMAT.md, "Delta"."""
    described = [
        list(data.attribute_names),
        data.codes.dim,
        data.embedder_digest,
        data.generation,
        data.codes.precision,
    ]
    parts = (
        bytes_of(data.table.offsets, "<u4"),
        data.table.text,
        bytes_of(data.codes.stored, PRECISIONS[data.codes.precision]),
        bytes_of(data.codes.packed_shifts(), "u1"),
        bytes_of(data.codes.fine, "u1"),
        _packed(data.removed) if data.removed is not None else b"",
    )
    digests = b"".join(bytes.fromhex(sha256_hex(part)) for part in parts)
    return sha256_hex(canonical_json(described) + digests)


def encode_catalogue(data: CatalogueData) -> list[bytes | memoryview]:
    """The pieces of a catalogue file, in order. Equal data give equal bytes.

    Raises:
        FormatError: ``data`` could not be read back.
    """
    rows, dim = data.codes.stored.shape
    index = {
        "attributes": list(data.attribute_names),
        "dim": dim,
        "distance": "cosine",
        "embedder_digest": data.embedder_digest,
        "generation": data.generation,
        "golden": None if data.golden is None else data.golden.settings(),
        "graph": None if data.graph is None else data.graph.settings(),
        "precision": data.codes.precision,
        "rows": rows,
        "tombstones": rows - data.items,
    }
    sections: dict[str, bytes | memoryview] = {
        "catalogue.json": canonical_json(index),
        "text.offsets": bytes_of(data.table.offsets, "<u4"),
        "text": data.table.text,
        **sections_of(data.codes, "vectors"),
    }
    if data.graph is not None:
        sections["graph.levels"] = bytes_of(data.graph.levels, "u1")
        sections["graph.counts"] = bytes_of(data.graph.counts, "u1")
        sections["graph.steps"] = bytes_of(data.graph.steps, "<u2")
        sections["graph.long_steps"] = bytes_of(data.graph.long_steps, "<u4")
    if data.removed is not None:
        sections["tombstones"] = _packed(data.removed)
    if data.golden is not None:
        sections |= sections_of(data.golden.queries, "golden.queries")
        sections["golden.answers"] = bytes_of(data.golden.answers, "<u4")
    _from_sections({name: memoryview(part) for name, part in sections.items()}, "")
    return container.encode(KIND, sections)


def read_catalogue(path: PathLike) -> CatalogueData:
    """Read and check a catalogue file.

    Raises:
        FormatError: it is not a catalogue, is damaged or was made by another generation.
        EdgesegError: it cannot be read.
    """
    opened = container.read(KIND, path, mapped=True)
    with container.named(KIND, path):
        return _from_sections(dict(opened.sections), opened.digest)


def decode_catalogue(data: bytes) -> CatalogueData:
    """Check a catalogue that is already in memory.

    Raises:
        FormatError: as :func:`read_catalogue`.
    """
    opened = container.decode(KIND, data)
    return _from_sections(dict(opened.sections), opened.digest)


def _from_sections(sections: dict[str, memoryview], digest: str) -> CatalogueData:
    index = parse_object(
        taken(sections, "catalogue.json"), limits.MAX_MANIFEST_BYTES, "catalogue.json"
    )
    fields = Fields(index, "catalogue.json")
    names = fields.array("attributes", limits.MAX_ATTRIBUTES)
    dim = fields.integer("dim", 1, limits.MAX_DIM)
    if fields.text("distance") != "cosine":
        raise FormatError('"distance" of catalogue.json is not cosine')
    embedder_digest = fields.sha256("embedder_digest")
    generation = fields.integer("generation", 0, limits.MAX_GENERATION)
    golden_settings = fields.take("golden")
    graph_settings = fields.take("graph")
    precision = fields.text("precision")
    rows = fields.integer("rows", 1, limits.MAX_ITEMS)
    tombstones = fields.integer("tombstones", 0, rows - 1)
    fields.done()
    if precision not in PRECISIONS:
        raise FormatError('"precision" of catalogue.json is none of ' + ", ".join(PRECISIONS))
    check_names(names)
    removed = _tombstones(sections, rows, tombstones) if tombstones else None
    cells = (1 + len(names)) * rows
    offsets = array_of(sections, "text.offsets", "<u4", cells + 1)
    table = TextTable(rows, offsets, taken(sections, "text"))
    check_table(table, removed)
    codes = codes_of(sections, "vectors", precision, rows, dim)
    graph = None
    if graph_settings is not None:
        graph = _graph(sections, graph_settings, rows)
    golden = None
    if golden_settings is not None:
        golden = _golden(sections, golden_settings, dim)
        check_golden(golden, rows, removed)
    if sections:
        raise FormatError(f"it has an unknown section: {min(sections)}")
    return CatalogueData(
        embedder_digest,
        tuple(names),
        codes,
        table,
        graph,
        generation,
        removed,
        golden,
        digest,
    )


def _graph(sections: dict[str, memoryview], settings: object, rows: int) -> Graph:
    graph = Graph.from_settings(
        settings,
        levels=array_of(sections, "graph.levels", "u1", rows),
        counts=array_of(sections, "graph.counts", "u1", None),
        steps=array_of(sections, "graph.steps", "<u2", None),
        long_steps=array_of(sections, "graph.long_steps", "<u4", None),
    )
    check_graph(graph)
    return graph


def _golden(sections: dict[str, memoryview], settings: object, dim: int) -> Golden:
    fields = Fields(settings, "the golden queries of catalogue.json")
    k = fields.integer("k", 1, limits.MAX_K)
    queries = fields.integer("queries", 1, limits.MAX_GOLDEN_QUERIES)
    floor = fields.number("recall_floor")
    fields.done()
    codes = codes_of(sections, "golden.queries", "int8", queries, dim)
    answers = array_of(sections, "golden.answers", "<u4", queries * k).reshape(queries, k)
    return Golden(codes, answers, floor)


def _tombstones(sections: dict[str, memoryview], rows: int, count: int) -> NDArray[np.bool_]:
    packed = array_of(sections, "tombstones", "u1", -(-rows // 8))
    bits = np.unpackbits(packed, bitorder="little").astype(np.bool_)
    if bool(bits[rows:].any()) or int(bits.sum()) != count:
        raise FormatError("its tombstones are not as many as it says, or lie behind its last row")
    return bits[:rows]


def _packed(bits: NDArray[np.bool_]) -> memoryview:
    return np.packbits(bits, bitorder="little").data
