"""The delta file: what leads from one generation of a catalogue to a later one, item by item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg import limits
from edgeseg.errors import FormatError
from edgeseg.files import PathLike
from edgeseg.formats import container
from edgeseg.formats.codes import PRECISIONS, Codes
from edgeseg.formats.document import Fields, canonical_json, parse_object
from edgeseg.formats.sections import array_of, bytes_of, codes_of, sections_of, taken
from edgeseg.formats.text_table import TextTable, check_names, check_table

SUFFIX = ".delta"

KIND = container.Kind(
    name="delta",
    magic=b"\x89ESD\r\n\x1a\n",
    format_version=1,
    max_bytes=limits.MAX_CATALOGUE_BYTES,
    remake="fetch it again",
)


@dataclass(frozen=True, eq=False)
class Delta:
    """What a delta file holds.

    Attributes:
        base_generation: which generation it is applied to.
        base: that one's content digest.
        generation: which one comes out.
        result: that one's content digest.
        embedder_digest: of both.
        attribute_names: of both.
        added, updated, relabelled, removed: how many items of each kind; the table has them in this
            order, ``codes`` those of the first two.
        table: column 0 has the SKUs, column ``1 + i`` the attribute ``attribute_names[i]``.
        codes: the new embeddings.
        answers: ``(q, k)`` uint32, the golden queries' new answers; None where the base has none.
        digest: names all of the file's bytes; empty before it was ever saved.
    """

    base_generation: int
    base: str
    generation: int
    result: str
    embedder_digest: str
    attribute_names: tuple[str, ...]
    added: int
    updated: int
    relabelled: int
    removed: int
    table: TextTable
    codes: Codes
    answers: NDArray[np.uint32] | None
    digest: str = ""


def encode_delta(delta: Delta) -> list[bytes | memoryview]:
    """The pieces of a delta file, in order. Equal data give equal bytes.

    Raises:
        FormatError: ``delta`` could not be read back.
    """
    index = {
        "added": delta.added,
        "attributes": list(delta.attribute_names),
        "base": delta.base,
        "base_generation": delta.base_generation,
        "dim": delta.codes.dim,
        "embedder_digest": delta.embedder_digest,
        "generation": delta.generation,
        "golden_k": 0 if delta.answers is None else int(delta.answers.shape[1]),
        "precision": delta.codes.precision,
        "relabelled": delta.relabelled,
        "removed": delta.removed,
        "result": delta.result,
        "updated": delta.updated,
    }
    sections: dict[str, bytes | memoryview] = {
        "delta.json": canonical_json(index),
        "text.offsets": bytes_of(delta.table.offsets, "<u4"),
        "text": delta.table.text,
        **sections_of(delta.codes, "vectors"),
    }
    if delta.answers is not None:
        sections["golden.answers"] = bytes_of(delta.answers, "<u4")
    _from_sections({name: memoryview(part) for name, part in sections.items()}, "")
    return container.encode(KIND, sections)


def read_delta(path: PathLike) -> Delta:
    """Read and check a delta file.

    Raises:
        FormatError: it is not a delta, or is damaged.
        EdgesegError: it cannot be read.
    """
    opened = container.read(KIND, path, mapped=True)
    with container.named(KIND, path):
        return _from_sections(dict(opened.sections), opened.digest)


def decode_delta(data: bytes) -> Delta:
    """Check a delta that is already in memory.

    Raises:
        FormatError: as :func:`read_delta`.
    """
    opened = container.decode(KIND, data)
    return _from_sections(dict(opened.sections), opened.digest)


def _from_sections(sections: dict[str, memoryview], digest: str) -> Delta:
    document = parse_object(taken(sections, "delta.json"), limits.MAX_MANIFEST_BYTES, "delta.json")
    fields = Fields(document, "delta.json")
    added, updated, relabelled, removed = (
        fields.integer(name, 0, limits.MAX_ITEMS)
        for name in ("added", "updated", "relabelled", "removed")
    )
    names = fields.array("attributes", limits.MAX_ATTRIBUTES)
    base, result = fields.sha256("base"), fields.sha256("result")
    base_generation = fields.integer("base_generation", 0, limits.MAX_GENERATION - 1)
    generation = fields.integer("generation", base_generation + 1, limits.MAX_GENERATION)
    dim = fields.integer("dim", 1, limits.MAX_DIM)
    embedder_digest = fields.sha256("embedder_digest")
    golden_k = fields.integer("golden_k", 0, limits.MAX_K)
    precision = fields.text("precision")
    fields.done()
    if precision not in PRECISIONS:
        raise FormatError('"precision" of delta.json is none of ' + ", ".join(PRECISIONS))
    check_names(names)
    rows = added + updated + relabelled + removed
    if not 1 <= rows <= limits.MAX_ITEMS:
        raise FormatError("it changes nothing, or too much")
    offsets = array_of(sections, "text.offsets", "<u4", (1 + len(names)) * rows + 1)
    table = TextTable(rows, offsets, taken(sections, "text"))
    check_table(table)
    lengths = np.diff(offsets).reshape(-1, rows)
    if bool(lengths[1:, rows - removed :].any()):
        raise FormatError("a removed item has attributes")
    codes = codes_of(sections, "vectors", precision, added + updated, dim)
    answers = None
    if golden_k:
        answers = array_of(sections, "golden.answers", "<u4", None)
        if not len(answers) or len(answers) % golden_k:
            raise FormatError("section golden.answers has a wrong length")
        answers = answers.reshape(-1, golden_k)
    if sections:
        raise FormatError(f"it has an unknown section: {min(sections)}")
    return Delta(
        base_generation,
        base,
        generation,
        result,
        embedder_digest,
        tuple(names),
        added,
        updated,
        relabelled,
        removed,
        table,
        codes,
        answers,
        digest,
    )
