"""Deltas: what changed and nothing else, refused on a wrong base, found after being applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgeseg.catalogue import Catalogue
from edgeseg.errors import DeltaError, FormatError
from edgeseg.files import sha256_hex
from edgeseg.formats import container
from edgeseg.formats.catalogue_file import (
    CatalogueData,
    content_digest,
    decode_catalogue,
    encode_catalogue,
)
from edgeseg.formats.codes import Codes
from edgeseg.formats.delta_file import KIND, Delta, decode_delta, encode_delta
from edgeseg.formats.text_table import TextTable
from edgeseg.index.delta import apply_delta, changes_between, make_delta
from edgeseg.index.nearest import EXACT_SEARCH_MAX_ITEMS
from edgeseg.items import Item
from tests.edgeseg.formats.samples import EMBEDDER_DIGEST, plain_codes, unit_vectors

LARGE = EXACT_SEARCH_MAX_ITEMS + 100


def made(vectors: np.ndarray, names: list[str], colours: list[str]) -> CatalogueData:
    """A catalogue's data as its file gives them."""
    items = [Item(name, {"colour": colour}) for name, colour in zip(names, colours, strict=True)]
    saved = Catalogue.from_embeddings(items, vectors, EMBEDDER_DIGEST)
    return decode_catalogue(b"".join(encode_catalogue(saved.data)))


def yesterday(items: int) -> CatalogueData:
    return made(unit_vectors(items, 16), [f"sku-{row}" for row in range(items)], ["red"] * items)


def today(items: int) -> CatalogueData:
    """Item 1 looks otherwise, item 2 is blue now, item 3 is gone, two came; in another order."""
    vectors = unit_vectors(items, 16)
    vectors[1] = unit_vectors(1, 16, seed=8)[0]
    names, colours = [f"sku-{row}" for row in range(items)], ["red"] * items
    colours[2] = "blue"
    kept = [row for row in reversed(range(items)) if row != 3]
    fresh = unit_vectors(2, 16, seed=9)
    return made(
        np.concatenate([fresh[:1], vectors[kept], fresh[1:]]),
        ["new-a", *(names[row] for row in kept), "new-b"],
        ["green", *(colours[row] for row in kept), "red"],
    )


@pytest.fixture(scope="module", params=[60, LARGE], ids=["exact", "graph"])
def day(request: pytest.FixtureRequest) -> tuple[CatalogueData, CatalogueData]:
    return yesterday(request.param), today(request.param)


def test_a_delta_holds_what_changed_and_leads_there(
    day: tuple[CatalogueData, CatalogueData],
) -> None:
    base, wanted = day
    delta, replayed = make_delta(base, wanted, generation=7)
    assert (delta.added, delta.updated, delta.relabelled, delta.removed) == (2, 1, 1, 1)
    skus = [delta.table.cell(0, row) for row in range(5)]
    assert skus == ["new-a", "new-b", "sku-1", "sku-2", "sku-3"]
    assert [delta.table.cell(1, row) for row in range(5)] == ["green", "red", "red", "blue", ""]
    assert len(delta.codes) == 3

    sent = decode_delta(b"".join(encode_delta(delta)))
    result = apply_delta(base, sent)
    assert encode_catalogue(result) == encode_catalogue(replayed), "as the publisher foresaw"
    assert result.generation == 7
    assert {item.sku: item for item in Catalogue(result).items} == {
        item.sku: item for item in Catalogue(wanted).items
    }
    assert not changes_between(result, wanted)
    if base.graph is None:
        assert result.removed is None
    else:
        assert result.removed is not None
        gone = [base.table.cell(0, row) for row in np.flatnonzero(result.removed).tolist()]
        assert sorted(gone) == ["sku-1", "sku-3"]


def test_what_came_is_found_and_what_left_is_not(
    day: tuple[CatalogueData, CatalogueData],
) -> None:
    base, wanted = day
    delta, _ = make_delta(base, wanted, generation=1)
    before, after, fresh = (Catalogue(each) for each in (base, apply_delta(base, delta), wanted))
    gone = unit_vectors(len(base.codes), 16)[3]
    assert before.search(gone, 1)[0].sku == "sku-3"
    assert "sku-3" not in {match.sku for match in after.search(gone, 50)}
    assert after.search(unit_vectors(2, 16, seed=9)[1], 1)[0].sku == "new-b"
    moved = unit_vectors(1, 16, seed=8)[0]
    assert after.search(moved, 1)[0].sku == "sku-1"
    blue = after.search(moved, 5, where={"colour": "blue"})
    assert [(match.sku, match.attributes) for match in blue] == [("sku-2", {"colour": "blue"})]
    for query in unit_vectors(20, 16, seed=3):
        found, wished = (each.search(query, 10, exact=True) for each in (after, fresh))
        assert [match.sku for match in found] == [match.sku for match in wished]
        # The last bit of a product depends on the row's place.
        np.testing.assert_allclose(
            [match.distance for match in found], [match.distance for match in wished], atol=1e-6
        )


def test_another_finer_bit_is_an_update(day: tuple[CatalogueData, CatalogueData]) -> None:
    base, _ = day
    assert base.codes.precision == "int10"
    fine = base.codes.fine.copy()
    fine[7] ^= 1
    wanted = replace(base, codes=replace(base.codes, fine=fine))
    delta, _ = make_delta(base, wanted, generation=1)
    assert (delta.added, delta.updated, delta.relabelled, delta.removed) == (0, 1, 0, 0)
    result = apply_delta(base, decode_delta(b"".join(encode_delta(delta))))
    assert content_digest(result) == delta.result
    np.testing.assert_array_equal(result.codes.fine[-1], fine[7])


def test_deltas_follow_one_another(day: tuple[CatalogueData, CatalogueData]) -> None:
    base, wanted = day
    there, _ = make_delta(base, wanted, generation=1)
    middle = apply_delta(base, there)
    back, _ = make_delta(middle, base, generation=2)
    result = apply_delta(middle, back)
    assert not changes_between(result, base)
    assert result.generation == 2


def test_golden_queries_are_answered_anew(day: tuple[CatalogueData, CatalogueData]) -> None:
    base, wanted = day
    delta, _ = make_delta(base, wanted, generation=1)
    result = apply_delta(base, delta)
    assert base.golden is not None
    assert result.golden is not None
    catalogue = Catalogue(result)
    assert catalogue.golden_recall() >= 0.99
    queries = base.golden.queries.decoded()
    for query, answer in zip(queries, result.golden.answers, strict=True):
        exact = [match.sku for match in catalogue.search(query, 10, exact=True)]
        assert [result.table.cell(0, int(row)) for row in answer] == exact


WRONG_BASES: dict[str, tuple[Callable[[CatalogueData], CatalogueData], str]] = {
    "another generation": (lambda base: replace(base, generation=5), "starts from generation 0"),
    "another embedder": (lambda base: replace(base, embedder_digest="cd" * 32), "another embedder"),
    "other attributes": (lambda base: replace(base, attribute_names=("size",)), "other attributes"),
    "another precision": (
        lambda base: replace(base, codes=Codes.encode(base.codes.decoded(), "float32")),
        "another embedder",
    ),
    "another item": (
        lambda base: replace(base, codes=base.codes.taken(np.roll(np.arange(60), 1))),
        "another catalogue of generation 0",
    ),
    "no golden queries": (lambda base: replace(base, golden=None), "other golden queries"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_BASES)
def test_a_wrong_base_is_refused(case: str) -> None:
    base, wanted = yesterday(60), today(60)
    delta, _ = make_delta(base, wanted, generation=7)
    change, words = WRONG_BASES[case]
    with pytest.raises(DeltaError, match=words):
        apply_delta(change(base), delta)


def _with_skus(delta: Delta, skus: list[str]) -> Delta:
    rows = len(skus)
    columns = [skus, [delta.table.cell(1, row) for row in range(rows)]]
    return replace(delta, table=TextTable.of(columns))


def test_a_delta_that_does_not_fit_is_refused() -> None:
    base, wanted = yesterday(60), today(60)
    delta, _ = make_delta(base, wanted, generation=7)
    cases = [
        (replace(delta, result="ab" * 32), "another catalogue than it says"),
        (_with_skus(delta, ["sku-9", "new-b", "sku-1", "sku-2", "sku-3"]), "that is there"),
        (_with_skus(delta, ["new-a", "new-b", "lost", "sku-2", "sku-3"]), "that is not there"),
        (_with_skus(delta, ["new-a", "new-b", "sku-1", "sku-2", "lost"]), "that is not there"),
    ]
    for wrong, words in cases:
        with pytest.raises(DeltaError, match=words):
            apply_delta(base, wrong)


def test_where_no_delta_leads_it_is_said() -> None:
    base = yesterday(60)
    cases: list[tuple[CatalogueData, str]] = [
        (base, "the same items"),
        (replace(base, embedder_digest="cd" * 32), "another embedder"),
        (replace(base, attribute_names=("size",)), "other attributes"),
        (yesterday(LARGE), "has a graph"),
    ]
    for wanted, words in cases:
        with pytest.raises(DeltaError, match=words):
            make_delta(base, wanted, 1)


def golden_delta() -> Delta:
    """One item of each kind."""
    table = TextTable.of([["new", "old", "same", "gone"], ["red", "blue", "", ""]])
    return Delta(
        base_generation=2,
        base="ab" * 32,
        generation=3,
        result="cd" * 32,
        embedder_digest="ef" * 32,
        attribute_names=("colour",),
        added=1,
        updated=1,
        relabelled=1,
        removed=1,
        table=table,
        codes=plain_codes([[127, 0], [3, -4]]),
        answers=np.array([[1, 0]], "<u4"),
    )


def test_the_golden_bytes_are_written_and_read() -> None:
    data = b"".join(encode_delta(golden_delta()))
    sections = container.decode(KIND, data).sections
    assert {name: bytes(part) for name, part in sections.items()} == {
        "delta.json": b'{"added":1,"attributes":["colour"],"base":"' + b"ab" * 32
        + b'","base_generation":2,"dim":2,"embedder_digest":"' + b"ef" * 32
        + b'","generation":3,"golden_k":2,"precision":"int8","relabelled":1,"removed":1,"result":"'
        + b"cd" * 32 + b'","updated":1}',
        "text.offsets": np.array([0, 3, 6, 10, 14, 17, 21, 21, 21], "<u4").tobytes(),
        "text": b"newoldsamegoneredblue",
        "vectors": b"\x7f\0\3\xfc",
        "vectors.shifts": b"\0\0",
        "golden.answers": b"\1\0\0\0\0\0\0\0",
    }  # fmt: skip
    # A change of this is a change of the format, and needs a new format_version.
    assert sha256_hex(data) == "afa0eecc91df6ad305212489e9f035e516c01e37935b561ed924470f84160759"
    opened = decode_delta(data)
    assert b"".join(encode_delta(opened)) == data


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"added": 2}, "wrong length"),
        ({"relabelled": 2}, "wrong length"),
        ({"added": 0, "updated": 0, "relabelled": 0, "removed": 0}, "changes nothing"),
        ({"base_generation": 3}, "generation"),
        ({"generation": 2**53}, "generation"),
        ({"base": "xyz"}, "base"),
        ({"codes": plain_codes([[127, 0], [0, 0]])}, "all 0"),
        ({"table": TextTable.of([["a", "a", "b", "c"], ["", "", "", ""]])}, "twice"),
        ({"table": TextTable.of([["a", "", "b", "c"], ["", "", "", ""]])}, "empty"),
        ({"table": TextTable.of([["a", "b", "c", "d"], ["", "", "", "red"]])}, "has attributes"),
        ({"attribute_names": ()}, "wrong length"),
        ({"attribute_names": ("",)}, "empty"),
    ],
)
def test_each_wrong_part_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        encode_delta(replace(golden_delta(), **changes))


def test_the_content_digest_is_the_same_whatever_the_graph() -> None:
    base = yesterday(LARGE)
    assert base.graph is not None
    other = replace(base, graph=replace(base.graph, entry_point=0))
    assert content_digest(base) == content_digest(other)
    assert content_digest(base) != content_digest(replace(base, generation=1))
