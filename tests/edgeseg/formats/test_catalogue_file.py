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
    content_digest,
    decode_catalogue,
    encode_catalogue,
)
from edgeseg.formats.codes import PRECISIONS, Codes, unpacked_codes
from edgeseg.formats.graph import LONG_STEP, Graph, packed_lists
from edgeseg.formats.text_table import TextTable
from tests.edgeseg.formats.samples import (
    EMBEDDER_DIGEST,
    two_items,
    unit_vectors,
    with_everything,
    with_graph,
)

GOLDEN_SECTIONS = {
    "catalogue.json": b'{"attributes":["colour"],"dim":2,"distance":"cosine","embedder_digest":"'
    + EMBEDDER_DIGEST.encode()
    + b'","generation":0,"golden":null,"graph":null,"precision":"int8","rows":2,"tombstones":0}',
    "text.offsets": b"\0\0\0\0\1\0\0\0\4\0\0\0\7\0\0\0\7\0\0\0",
    "text": b"ab\xc3\xa9red",
    "vectors": b"\x7f\0\3\xfc",
    "vectors.shifts": b"\0\0",
}
# The same with finer bits: 2 and 1 in the first row, 3 and 0 in the second.
FINE_SECTIONS = {
    **GOLDEN_SECTIONS,
    "catalogue.json": GOLDEN_SECTIONS["catalogue.json"].replace(b"int8", b"int10"),
    "vectors.fine": b"\x06\x03",
}


def encoded(data: CatalogueData) -> bytes:
    return b"".join(encode_catalogue(data))


def decoded_with(
    golden: dict[str, bytes] = GOLDEN_SECTIONS, **sections: bytes | None
) -> CatalogueData:
    """Read a golden catalogue with sections (`_` for `.`) replaced or left out, sealed anew."""
    changed: dict[str, Any] = dict(golden)
    changed.update({name.replace("__", "."): part for name, part in sections.items()})
    whole = {name: part for name, part in changed.items() if part is not None}
    return decode_catalogue(b"".join(container.encode(KIND, whole)))


def test_the_golden_bytes_are_written_and_read() -> None:
    data = encoded(two_items())
    sections = container.decode(KIND, data).sections
    assert {name: bytes(part) for name, part in sections.items()} == GOLDEN_SECTIONS
    # A change of this is a change of the format, and needs a new format_version.
    assert sha256_hex(data) == "dc663c30fccb1c4d8b3cc6cbe946ceb07ed416cf34e47c71cbdb91f3b8e4bd80"
    opened = decode_catalogue(data)
    assert opened.attribute_names == ("colour",)
    assert [opened.table.cell(column, row) for column in (0, 1) for row in (0, 1)] == [
        "a",
        "bé",
        "red",
        "",
    ]
    wanted = np.array([[1, 0], [0.6, -0.8]], np.float32)
    np.testing.assert_array_equal(opened.codes.decoded(), wanted)


def test_the_golden_bytes_with_finer_bits_are_read_and_written() -> None:
    opened = decoded_with(FINE_SECTIONS)
    assert opened.codes.precision == "int10"
    wanted = np.array([[127.5, 0.25], [3.75, -4.0]])
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(opened.codes.decoded(), wanted, rtol=1e-6)
    sections = container.decode(KIND, encoded(opened)).sections
    assert {name: bytes(part) for name, part in sections.items()} == FINE_SECTIONS
    fine = opened.codes.fine.copy()
    fine[1] ^= 1
    other = replace(opened, codes=replace(opened.codes, fine=fine))
    assert content_digest(other) != content_digest(opened)


@pytest.mark.parametrize(
    ("fine", "words"),
    [
        (None, "vectors.fine is missing"),
        (b"\x06", "wrong length"),
        (b"\x06\x03\0", "wrong length"),
        (b"\x06\x13", "behind the last finer"),
        (b"\x06\x83", "behind the last finer"),
    ],
)
def test_wrong_finer_bits_are_refused(fine: bytes | None, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        decoded_with(FINE_SECTIONS, vectors__fine=fine)


def test_a_graph_comes_back_as_it_was() -> None:
    data = with_graph()
    opened = decode_catalogue(encoded(data))
    assert opened.graph is not None
    assert data.graph is not None
    assert opened.graph.settings() == data.graph.settings()
    assert int(data.graph.levels.max()) >= 2
    for name in ("levels", "counts", "steps", "long_steps"):
        np.testing.assert_array_equal(getattr(opened.graph, name), getattr(data.graph, name))
    assert encoded(opened) == encoded(data)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"vectors": None}, "vectors is missing"),
        ({"spare": b""}, "unknown section: spare"),
        ({"graph__levels": b"\0\0"}, "unknown section"),
        ({"vectors": b"\x7f\0\0\0"}, "all 0"),
        ({"vectors": b"\x7f\0\1\x80"}, "is -128"),
        ({"vectors": bytes(3)}, "wrong length"),
        ({"vectors__shifts": b"\0"}, "wrong length"),
        ({"vectors__shifts": b"\0\x08"}, "above 7"),
        ({"vectors__shifts": b"\0\x10"}, "behind the last shift"),
        ({"vectors__fine": b"\0\0"}, "unknown section: vectors.fine"),
        ({"tombstones": b"\0"}, "unknown section"),
        ({"golden__queries": b"\1\1"}, "unknown section"),
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
        (b'"rows":2', b'"rows":3'),
        (b'"rows":2', b'"rows":0'),
        (b'"rows":2', b'"rows":1000000'),
        (b'"tombstones":0', b'"tombstones":1'),
        (b'"tombstones":0', b'"tombstones":2'),
        (b'"generation":0', b'"generation":-1'),
        (b'"generation":0', b'"generation":9007199254740992'),
        (b'"int8"', b'"int4"'),
        (b'"int8"', b'"float32"'),
        (b'"golden":null', b'"golden":{}'),
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
        (b'"rows"', b'"row"'),
        (b"{", b'{"more":1,'),
    ],
)
def test_each_wrong_field_is_refused(old: bytes, new: bytes) -> None:
    changed = GOLDEN_SECTIONS["catalogue.json"].replace(old, new, 1)
    with pytest.raises(FormatError):
        decoded_with(catalogue__json=changed)


@pytest.mark.parametrize(
    ("precision", "rows"),
    [
        ("float32", [[1, 0], [np.nan, 0]]),
        ("float32", [[1, 0], [np.inf, 0]]),
        ("float32", [[1, 0], [3e38, 3e38]]),
        ("float32", [[1, 0], [0, 0]]),
        ("float16", [[1, 0], [1, 0.1]]),
        ("float16", [[1, 0], [np.nan, 0]]),
    ],
)
def test_what_has_not_length_1_is_refused(precision: str, rows: list[list[float]]) -> None:
    document = GOLDEN_SECTIONS["catalogue.json"].replace(b"int8", precision.encode())
    vectors = np.array(rows, PRECISIONS[precision]).tobytes()
    with pytest.raises(FormatError, match="length 1"):
        decoded_with(catalogue__json=document, vectors=vectors, vectors__shifts=None)


@pytest.mark.parametrize(
    ("precision", "tolerance"),
    # Half a step of 1/127 of the largest component, or of its quarter; half a unit in float16's
    # last place.
    [("int10", 0.125 / 127), ("int8", 0.5 / 127), ("float16", 2**-12), ("float32", 0.0)],
)
def test_codes_are_as_near_as_their_precision(precision: str, tolerance: float) -> None:
    vectors = unit_vectors(5000, 24)
    codes = Codes.encode(vectors, precision)
    assert codes.precision == precision
    decoded = codes.decoded()
    assert decoded.dtype == np.float32
    # Dividing by the code's length moves a component by less than rounding did.
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    assert (np.abs(decoded - vectors) <= 2 * tolerance * largest).all()
    again = unpacked_codes(codes.stored, codes.packed_shifts(), codes.fine)
    np.testing.assert_array_equal(again.decoded(), decoded)
    np.testing.assert_allclose(np.linalg.norm(decoded, axis=1), 1.0, atol=1e-6)
    chosen = np.array([4999, 0, 77])
    np.testing.assert_array_equal(codes.decoded(chosen), decoded[chosen])
    np.testing.assert_array_equal(np.concatenate([part for _, part in codes.blocks()]), decoded)


def test_long_codes_are_added_without_rounding() -> None:
    stored = np.full((1, 4096), 127, np.int8)
    stored[0, 0] = 126
    shifts = np.zeros((1, 256), np.uint8)
    shifts[0, 1:] = 7
    # All finer bits set are 3/4 more.
    for fine, more in ((np.zeros((1, 0), np.uint8), 0), (np.full((1, 1024), 255, np.uint8), 3)):
        quarters = 4 * stored.astype(np.int64) + more
        quarters[:, :16] *= 128
        inverse = np.float32(1.0 / np.sqrt(float(np.sum(quarters**2)) / 512**2))
        decoded = Codes(stored, shifts, fine).decoded()
        np.testing.assert_array_equal(decoded, (quarters / 512).astype(np.float32) * inverse)


@pytest.mark.parametrize("dim", [24, 27])
def test_finer_bits_are_an_eighth_of_a_step_off_at_most(dim: int) -> None:
    vectors = unit_vectors(2000, dim)
    vectors[:, 16:] /= 20
    vectors[::5, 16:] = 0
    codes = Codes.encode(vectors, "int10")
    np.testing.assert_array_equal(codes.shifts, Codes.encode(vectors, "int8").shifts)
    places = np.arange(dim)
    fine = (codes.fine[:, places // 4] >> 2 * (places % 4)) & 3
    shifts = codes.shifts[:, places // 16]
    steps = np.abs(vectors).max(axis=1, keepdims=True) / 127
    numbers = codes.stored + fine / 4
    assert np.abs(numbers - vectors / steps * 2.0**shifts).max() <= 0.125 + 1e-4
    assert not numbers[::5, 16:].any()
    directions = numbers / 2.0**shifts
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    np.testing.assert_allclose(codes.decoded(), directions, atol=1e-7)


def test_small_numbers_keep_their_precision_beside_large_ones() -> None:
    vectors = unit_vectors(500, 32)
    vectors[:, 16:] /= 20
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    decoded = Codes.encode(vectors, "int8").decoded()
    largest = np.abs(vectors[:, 16:]).max(axis=1, keepdims=True)
    # A power of two is at most twice too coarse; the length, which is rounded too, adds a little.
    assert (np.abs(decoded - vectors)[:, 16:] <= 2.5 * 0.5 / 127 * largest).all()


def test_everything_comes_back_as_it_was() -> None:
    data = with_everything()
    opened = decode_catalogue(encoded(data))
    assert opened.generation == 3
    assert opened.items == 58
    assert opened.rows.tolist() == [row for row in range(60) if row not in (3, 50)]
    assert opened.golden is not None
    assert data.golden is not None
    assert opened.golden.settings() == data.golden.settings()
    np.testing.assert_array_equal(opened.golden.answers, data.golden.answers)
    np.testing.assert_array_equal(opened.golden.queries.stored, data.golden.queries.stored)
    assert encoded(opened) == encoded(data)


def _with_section(name: str, part: bytes) -> CatalogueData:
    """Read the catalogue with everything, one section of it replaced, sealed anew."""
    opened = container.decode(KIND, encoded(with_everything())).sections
    sections: dict[str, bytes | memoryview] = {**opened, name: part}
    return decode_catalogue(b"".join(container.encode(KIND, sections)))


@pytest.mark.parametrize(
    ("name", "part", "words"),
    [
        ("tombstones", bytes(8), "not as many"),
        ("tombstones", b"\x08\0\0\0\0\0\0\x10", "behind its last row"),
        ("tombstones", bytes(9), "wrong length"),
        ("tombstones", b"\x11\0\0\0\0\0\0\0", "SKU is empty"),
        ("golden.answers", np.array([0, 1, 1, 1], "<u4").tobytes(), "twice"),
        ("golden.answers", np.array([0, 1, 1, 3], "<u4").tobytes(), "no item"),
        ("golden.answers", np.array([0, 1, 1, 60], "<u4").tobytes(), "no item"),
        ("golden.answers", bytes(12), "wrong length"),
        ("golden.queries", bytes(16), "all 0"),
        ("graph.long_steps", bytes(4), "long steps"),
    ],
)
def test_each_wrong_addition_is_refused(name: str, part: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        _with_section(name, part)


def test_a_removed_row_has_no_text() -> None:
    data = with_everything()
    table = TextTable.of([[f"sku-{row}" for row in range(60)]])
    with pytest.raises(FormatError, match="removed item has text"):
        encode_catalogue(replace(data, table=table))


def test_steps_beyond_16_bits_are_kept() -> None:
    counts = np.array([3, 0, 2, 1], np.uint8)
    neighbours = np.array([200_000, 0, 65_534, 131_070, 65_535, 999_999], np.uint32)
    steps, long_steps = packed_lists(counts, neighbours)
    assert steps.tolist() == [0, 65_534, LONG_STEP, LONG_STEP, LONG_STEP, LONG_STEP]
    assert long_steps.tolist() == [134_466, 65_535, 65_535, 999_999]
    graph = Graph(2, 10, 1, 0, np.zeros(4, np.uint8), counts, steps, long_steps)
    rising = [0, 65_534, 200_000, 65_535, 131_070, 999_999]
    assert graph.neighbours().tolist() == rising
    assert [links.tolist() for _, links in graph.lists(2)] == [rising[:3], rising[3:]]


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
    rows = len(graph.levels)
    low = int(np.flatnonzero(graph.levels == 0)[0])
    lists = np.split(graph.neighbours(), np.cumsum(graph.counts)[:-1])

    def with_list(number: int, links: list[int]) -> Any:
        """One list replaced."""
        changed = [*lists[:number], np.array(links, np.uint32), *lists[number + 1 :]]
        counts = np.array([len(each) for each in changed], np.uint8)
        steps, long_steps = packed_lists(counts, np.concatenate(changed).astype(np.uint32))
        return {"counts": counts, "steps": steps, "long_steps": long_steps}

    def with_number(name: str, at: int, value: int) -> Any:
        array = getattr(graph, name).copy()
        array[at] = value
        return {name: array}

    last = int(graph.counts[-1])
    short = np.array([LONG_STEP - 1], np.uint32)
    unsafe: list[tuple[dict[str, Any], str]] = [
        (with_list(0, [rows]), "leads to no item"),
        (with_list(0, [2**32 - 1]), "leads to no item"),
        (with_list(0, [5, 5]), "does not rise"),
        # A list on level 1 that leads to an item without a level 1: hnswlib would follow a null.
        (with_list(rows, [low]), "below the link's level"),
        (with_list(0, list(range(2 * graph.m + 1))), "too long"),
        (with_list(rows, list(range(graph.m + 1))), "too long"),
        (with_number("steps", 0, LONG_STEP), "number of long steps"),
        (with_number("steps", 0, LONG_STEP) | {"long_steps": short}, "is short"),
        (with_number("steps", 0, LONG_STEP) | {"long_steps": short + 1}, "leads to no item"),
        (with_number("levels", low, 1), "number of neighbour lists"),
        (with_number("levels", low, 200), "too high a level"),
        ({"entry_point": low}, "not on the top level"),
        ({"steps": graph.steps[:-1]}, "number of neighbours"),
        (
            {"counts": graph.counts[:-1], "steps": graph.steps[:-last]},
            "number of neighbour lists",
        ),
        ({"entry_point": rows}, "entry_point"),
        ({"m": 1}, '"m"'),
        ({"m": 10_000}, '"m"'),
        ({"seed": -1}, '"seed"'),
        ({"ef_construction": 10**9}, '"ef_construction"'),
        ({"levels": graph.levels[:-1]}, "wrong length"),
    ]
    for changes, words in unsafe:
        with pytest.raises(FormatError, match=words):
            encode_catalogue(_changed_graph(**changes))
