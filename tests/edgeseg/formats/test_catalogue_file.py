"""Catalogue files: golden bytes, and one test for each rule of FORMAT.md."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgeseg import limits
from edgeseg.errors import FormatError, LimitExceededError
from edgeseg.files import sha256_hex
from edgeseg.formats import container
from edgeseg.formats.catalogue_file import (
    KIND,
    CatalogueData,
    TextTable,
    decode_catalogue,
    encode_catalogue,
)
from tests.edgeseg.formats.samples import EMBEDDER_DIGEST, two_items, with_graph

GOLDEN_SECTIONS = {
    "catalogue.json": b'{"attributes":["colour"],"dim":2,"distance":"cosine","embedder_digest":"'
    + EMBEDDER_DIGEST.encode()
    + b'","graph":null,"items":2}',
    "text.offsets": b"\0\0\0\0\1\0\0\0\4\0\0\0\7\0\0\0\7\0\0\0",
    "text": b"ab\xc3\xa9red",
    "vectors": b"\0\0\x80?\0\0\0\0\x9a\x99\x19?\xcd\xccL?",
}


def encoded(data: CatalogueData) -> bytes:
    return b"".join(encode_catalogue(data))


def decoded_with(**sections: bytes | None) -> CatalogueData:
    """Read the golden catalogue with sections (`_` for `.`) replaced or left out, sealed anew."""
    changed: dict[str, Any] = dict(GOLDEN_SECTIONS)
    changed.update({name.replace("__", "."): part for name, part in sections.items()})
    whole = {name: part for name, part in changed.items() if part is not None}
    return decode_catalogue(b"".join(container.encode(KIND, whole)))


def test_the_golden_bytes_are_written_and_read() -> None:
    data = encoded(two_items())
    sections = container.decode(KIND, data).sections
    assert {name: bytes(part) for name, part in sections.items()} == GOLDEN_SECTIONS
    # A change of this is a change of the format, and needs a new format_version.
    assert sha256_hex(data) == "8a68afc724c9f5fe92e066074fafc386099ccd5e608a0c11cb02963db66e38f1"
    opened = decode_catalogue(data)
    assert opened.attribute_names == ("colour",)
    assert [opened.table.cell(column, row) for column in (0, 1) for row in (0, 1)] == [
        "a",
        "bé",
        "red",
        "",
    ]
    np.testing.assert_array_equal(opened.vectors, two_items().vectors)


def test_a_graph_comes_back_as_it_was() -> None:
    data = with_graph()
    opened = decode_catalogue(encoded(data))
    assert opened.graph is not None
    assert data.graph is not None
    assert opened.graph.settings() == data.graph.settings()
    assert int(data.graph.levels.max()) >= 2
    for name in ("levels", "counts", "neighbours"):
        np.testing.assert_array_equal(getattr(opened.graph, name), getattr(data.graph, name))
    assert encoded(opened) == encoded(data)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"vectors": None}, "vectors is missing"),
        ({"spare": b""}, "unknown section: spare"),
        ({"graph__levels": b"\0\0"}, "unknown section"),
        ({"vectors": bytes(16)}, "length 1"),
        ({"vectors": np.array([[1, 0], [np.nan, 0]], "<f4").tobytes()}, "length 1"),
        ({"vectors": np.array([[1, 0], [np.inf, 0]], "<f4").tobytes()}, "length 1"),
        ({"vectors": np.array([[1, 0], [3e38, 3e38]], "<f4").tobytes()}, "length 1"),
        ({"vectors": bytes(12)}, "wrong length"),
        ({"vectors": bytes(15)}, "wrong length"),
        ({"text": b"ab\xffred "}, "not UTF-8"),
        ({"text": b"ab\xc3redx"}, "not UTF-8"),
        ({"text": b"ab\xc3\xa9re"}, "do not rise"),
        ({"text": b"a\x1bccred"}, "control"),
        ({"text": b"a\xc2\x9bcred"}, "control"),
        ({"text__offsets": np.array([0, 1, 3, 7, 7], "<u4").tobytes()}, "inside a character"),
        ({"text__offsets": np.array([0, 4, 1, 7, 7], "<u4").tobytes()}, "do not rise"),
        ({"text__offsets": np.array([0, 0, 4, 7, 7], "<u4").tobytes()}, "SKU is empty"),
        ({"text__offsets": np.array([0, 1, 4, 7, 2**31], "<u4").tobytes()}, "do not rise"),
        (
            {"text": b"aared", "text__offsets": np.array([0, 1, 2, 5, 5], "<u4").tobytes()},
            "twice",
        ),
        ({"text__offsets": bytes(16)}, "wrong length"),
    ],
)
def test_each_broken_section_is_refused(sections: dict[str, bytes | None], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        decoded_with(**sections)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"items":2', b'"items":3'),
        (b'"items":2', b'"items":0'),
        (b'"items":2', b'"items":1000000'),
        (b'"dim":2', b'"dim":4'),
        (b'"dim":2', b'"dim":2.0'),
        (b'"cosine"', b'"l2"'),
        (b"abab", b"ABAB"),
        (b'"graph":null', b'"graph":{}'),
        (b'"graph":null', b'"graph":1'),
        (b'["colour"]', b"[]"),
        (b'["colour"]', b'[""]'),
        (b'["colour"]', b"[1]"),
        (b'["colour"]', b'["a\\nb"]'),
        (b'["colour"]', b'["' + b"x" * 300 + b'"]'),
        (b'["colour"]', b'["a","a"]'),
        (b'"items"', b'"item"'),
        (b"{", b'{"more":1,'),
    ],
)
def test_each_wrong_field_is_refused(old: bytes, new: bytes) -> None:
    changed = GOLDEN_SECTIONS["catalogue.json"].replace(old, new, 1)
    with pytest.raises(FormatError):
        decoded_with(catalogue__json=changed)


def test_long_texts_are_refused() -> None:
    for column, length in ((0, limits.MAX_SKU_CHARS), (1, limits.MAX_ATTRIBUTE_CHARS)):
        columns = [["a", "b"], ["red", ""]]
        columns[column][0] = "x" * (4 * length + 1)
        with pytest.raises(LimitExceededError):
            encode_catalogue(replace(two_items(), table=TextTable.of(columns)))


def _changed_graph(**changes: Any) -> CatalogueData:
    data = with_graph()
    assert data.graph is not None
    return replace(data, graph=replace(data.graph, **changes))


def test_each_unsafe_graph_is_refused() -> None:
    graph = with_graph().graph
    assert graph is not None
    items = len(graph.levels)
    low = int(np.flatnonzero(graph.levels == 0)[0])

    def changed(name: str, at: int, value: int) -> Any:
        array = getattr(graph, name).copy()
        array[at] = value
        return {name: array}

    first_upper = int(graph.counts[:items].sum())
    moved = graph.counts.copy()
    moved[0] += 1
    unsafe: list[tuple[dict[str, Any], str]] = [
        (changed("neighbours", 0, items), "leads to no item"),
        (changed("neighbours", 0, 2**32 - 1), "leads to no item"),
        # A list on level 1 that leads to an item without a level 1: hnswlib would follow a null.
        (changed("neighbours", first_upper, low), "below the link's level"),
        (changed("counts", 0, 2 * graph.m + 1), "too long"),
        (changed("counts", items, graph.m + 1), "too long"),
        (changed("levels", low, 1), "number of neighbour lists"),
        (changed("levels", low, 200), "too high a level"),
        ({"entry_point": low}, "not on the top level"),
        ({"neighbours": graph.neighbours[:-1]}, "number of neighbours"),
        ({"counts": graph.counts[:-1]}, "number of neighbour lists"),
        ({"entry_point": items}, "entry_point"),
        ({"m": 1}, '"m"'),
        ({"m": 10_000}, '"m"'),
        ({"seed": -1}, '"seed"'),
        ({"ef_construction": 10**9}, '"ef_construction"'),
        ({"levels": graph.levels[:-1]}, "wrong length"),
    ]
    for changes, words in unsafe:
        with pytest.raises(FormatError, match=words):
            encode_catalogue(_changed_graph(**changes))
