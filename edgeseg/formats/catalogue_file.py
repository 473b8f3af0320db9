"""The catalogue file: embeddings, SKUs, attributes and the search graph, ready to be searched.

Layout and reasons are in FORMAT.md. The search library's own file is not used: it has no magic,
version, checksum or dimension, and a malformed one overflows its heap. Here the graph is plain
arrays, and every index in them is checked, for its C++ code follows them unchecked.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import limits
from edgeseg.errors import FormatError, LimitExceededError
from edgeseg.files import PathLike
from edgeseg.formats import container
from edgeseg.formats.document import Fields, canonical_json, parse_object
from edgeseg.formats.graph import Graph, check_graph

SUFFIX = ".catalogue"
# How far a stored embedding's squared length may be from 1: float32 rounding over 4096 components
# is below 1e-4, while another scaling (0..255, say) is off by far more.
_UNIT_TOLERANCE = 1e-3
_TEXT_CHUNK_BYTES = 1 << 20

KIND = container.Kind(
    name="catalogue",
    magic=b"\x89ESC\r\n\x1a\n",
    format_version=1,
    max_bytes=limits.MAX_CATALOGUE_BYTES,
    remake="make it again with `edgeseg index build`, or copy it again",
)


@dataclass(frozen=True)
class TextTable:
    """Strings in columns and rows, without one Python object for each.

    Attributes:
        rows: rows in each column.
        offsets: ``(columns * rows + 1,)`` uint32; a cell is ``text[offsets[i]:offsets[i + 1]]``
            with ``i = column * rows + row``.
        text: the cells' UTF-8, one after another.
    """

    rows: int
    offsets: NDArray[np.uint32]
    text: memoryview

    @classmethod
    def of(cls, columns: Sequence[Sequence[str]]) -> TextTable:
        """Make a table of columns of equal length.

        Raises:
            LimitExceededError: the text is longer than ``limits.MAX_CATALOGUE_TEXT_BYTES``.
        """
        cells = [cell.encode("utf-8") for column in columns for cell in column]
        ends = np.cumsum([0, *(len(cell) for cell in cells)], dtype=np.int64)
        if ends[-1] > limits.MAX_CATALOGUE_TEXT_BYTES:
            raise LimitExceededError(
                f"SKUs and attributes take {ends[-1]} bytes, and a catalogue holds "
                f"{limits.MAX_CATALOGUE_TEXT_BYTES}"
            )
        return cls(len(columns[0]), ends.astype("<u4"), memoryview(b"".join(cells)))

    def cell(self, column: int, row: int) -> str:
        """One string."""
        at = column * self.rows + row
        return str(self.text[int(self.offsets[at]) : int(self.offsets[at + 1])], "utf-8")

    def rows_equal(self, column: int, text: str) -> NDArray[np.int64]:
        """The rows of a column whose cell is ``text``, rising."""
        wanted = np.frombuffer(text.encode("utf-8"), np.uint8)
        offsets = self.offsets[column * self.rows : (column + 1) * self.rows + 1].astype(np.int64)
        rows = np.flatnonzero(np.diff(offsets) == len(wanted))
        places = offsets[rows, None] + np.arange(len(wanted))
        same = (np.frombuffer(self.text, np.uint8)[places] == wanted).all(axis=1)
        found: NDArray[np.int64] = rows[same].astype(np.int64)
        return found


@dataclass(frozen=True)
class CatalogueData:
    """What a catalogue file holds.

    Attributes:
        embedder_digest: names the embedder and preprocessing that made the embeddings.
        attribute_names: the names of the table's columns after the SKU's.
        vectors: ``(items, dim)`` float32, L2-normalised.
        table: column 0 has the SKUs, column ``1 + i`` the attribute ``attribute_names[i]``, where
            an empty cell stands for none.
        graph: the HNSW graph; ``None`` when the catalogue is small enough to search exactly.
        digest: names all of the file's bytes; empty before it was ever saved.
    """

    embedder_digest: str
    attribute_names: tuple[str, ...]
    vectors: NDArray[np.float32]
    table: TextTable
    graph: Graph | None
    digest: str = ""


def encode_catalogue(data: CatalogueData) -> list[bytes | memoryview]:
    """The pieces of a catalogue file, in order. Equal data give equal bytes.

    Raises:
        FormatError: ``data`` could not be read back.
    """
    items, dim = data.vectors.shape
    index = {
        "attributes": list(data.attribute_names),
        "dim": dim,
        "distance": "cosine",
        "embedder_digest": data.embedder_digest,
        "graph": None if data.graph is None else data.graph.settings(),
        "items": items,
    }
    sections: dict[str, bytes | memoryview] = {
        "catalogue.json": canonical_json(index),
        "text.offsets": _bytes_of(data.table.offsets, "<u4"),
        "text": data.table.text,
        "vectors": _bytes_of(data.vectors, "<f4"),
    }
    if data.graph is not None:
        sections["graph.levels"] = _bytes_of(data.graph.levels, "u1")
        sections["graph.counts"] = _bytes_of(data.graph.counts, "<u2")
        sections["graph.neighbours"] = _bytes_of(data.graph.neighbours, "<u4")
    _from_sections({name: memoryview(part) for name, part in sections.items()}, "")
    return container.encode(KIND, sections)


def read_catalogue(path: PathLike) -> CatalogueData:
    """Read and check a catalogue file.

    Raises:
        FormatError: it is not a catalogue, is damaged or was made by another generation.
        EdgesegError: it cannot be read.
    """
    opened = container.read(KIND, path)
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
        _taken(sections, "catalogue.json"), limits.MAX_MANIFEST_BYTES, "catalogue.json"
    )
    fields = Fields(index, "catalogue.json")
    names = fields.array("attributes", limits.MAX_ATTRIBUTES)
    dim = fields.integer("dim", 1, limits.MAX_DIM)
    if fields.text("distance") != "cosine":
        raise FormatError('"distance" of catalogue.json is not cosine')
    embedder_digest = fields.sha256("embedder_digest")
    graph_settings = fields.take("graph")
    items = fields.integer("items", 1, limits.MAX_ITEMS)
    fields.done()
    _check_names(names)
    cells = (1 + len(names)) * items
    offsets = _array(sections, "text.offsets", "<u4", cells + 1)
    table = TextTable(items, offsets, _taken(sections, "text"))
    _check_table(table)
    vectors = _array(sections, "vectors", "<f4", items * dim).reshape(items, dim)
    _check_vectors(vectors)
    graph = None
    if graph_settings is not None:
        graph = Graph.from_settings(
            graph_settings,
            levels=_array(sections, "graph.levels", "u1", items),
            counts=_array(sections, "graph.counts", "<u2", None),
            neighbours=_array(sections, "graph.neighbours", "<u4", None),
        )
        check_graph(graph)
    if sections:
        raise FormatError(f"it has an unknown section: {min(sections)}")
    return CatalogueData(embedder_digest, tuple(names), vectors, table, graph, digest)


def _check_names(names: list[Any]) -> None:
    for name in names:
        if not isinstance(name, str) or not name or not name.isprintable():
            raise FormatError("an attribute's name is empty or not plain text")
        if len(name) > limits.MAX_ATTRIBUTE_NAME_CHARS:
            raise LimitExceededError("an attribute's name is too long")
    if len(set(names)) != len(names):
        raise FormatError("an attribute's name occurs twice")


def _check_table(table: TextTable) -> None:
    text = np.frombuffer(table.text, np.uint8)
    if len(text) > limits.MAX_CATALOGUE_TEXT_BYTES:
        raise LimitExceededError("its text is too long")
    ends = table.offsets
    if ends[0] != 0 or ends[-1] != len(text) or bool((ends[1:] < ends[:-1]).any()):
        raise FormatError("its text offsets do not rise from 0 to the text's length")
    inner = ends[ends < len(text)]
    if bool((text[inner] & 0xC0 == 0x80).any()):
        raise FormatError("a text offset falls inside a character")
    _check_text(table.text)
    lengths = np.diff(ends).reshape(-1, table.rows)
    # In bytes, so up to four times the limit in characters: this bounds memory, no more.
    if int(lengths[0].max()) > 4 * limits.MAX_SKU_CHARS:
        raise LimitExceededError(f"a SKU is longer than {limits.MAX_SKU_CHARS} characters")
    if int(lengths[1:].max(initial=0)) > 4 * limits.MAX_ATTRIBUTE_CHARS:
        raise LimitExceededError(
            f"an attribute is longer than {limits.MAX_ATTRIBUTE_CHARS} characters"
        )
    if not bool(lengths[0].all()):
        raise FormatError("a SKU is empty")
    if len({table.cell(0, row) for row in range(table.rows)}) != table.rows:
        raise FormatError("a SKU occurs twice")


def _check_text(text: memoryview) -> None:
    """UTF-8 without control characters: a terminal would obey those, and matches print the text."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(text), _TEXT_CHUNK_BYTES):
        chunk = text[start : start + _TEXT_CHUNK_BYTES]
        try:
            decoded = decoder.decode(bytes(chunk), final=start + len(chunk) == len(text))
        except UnicodeDecodeError as error:
            raise FormatError("its text is not UTF-8") from error
        if has_control_characters(decoded):
            raise FormatError("its text has control characters")


def has_control_characters(text: str) -> bool:
    """Whether ``text`` has a C0 or C1 control character, line breaks included."""
    codes = np.frombuffer(text.encode("utf-32-le"), "<u4")
    return bool(((codes < 0x20) | ((codes >= 0x7F) & (codes < 0xA0))).any())


def _check_vectors(vectors: NDArray[np.float32]) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", vectors, vectors)
        # Written so that NaN, for which every comparison is false, is refused too.
        unit = bool((np.abs(squares - 1.0) <= _UNIT_TOLERANCE).all())
    if not unit:
        raise FormatError("an embedding is not finite and of length 1")


def _array(
    sections: dict[str, memoryview], name: str, dtype: str, length: int | None
) -> NDArray[Any]:
    section = _taken(sections, name)
    size = np.dtype(dtype).itemsize
    if len(section) % size or (length is not None and len(section) != length * size):
        raise FormatError(f"section {name} has a wrong length ({len(section)} bytes)")
    return np.frombuffer(section, dtype)


def _taken(sections: dict[str, memoryview], name: str) -> memoryview:
    if name not in sections:
        raise FormatError(f"section {name} is missing")
    return sections.pop(name)


def _bytes_of(array: NDArray[Any], dtype: str) -> memoryview:
    # `.data` is the array's own memory: no copy of vectors that may be most of what is in memory.
    return np.ascontiguousarray(array, dtype=dtype).reshape(-1).view(np.uint8).data
