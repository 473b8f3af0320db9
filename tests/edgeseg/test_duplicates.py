"""Duplicates: copies are found through the embeddings' neighbours, and grouped."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edgeseg import duplicates
from edgeseg.catalogue import Catalogue, Item
from edgeseg.duplicates import Report, find_duplicates
from edgeseg.embedder import Embedder
from edgeseg.errors import PhotoError
from edgeseg.imaging import encode_jpeg, encode_png, read_photo, resize
from edgeseg.index.nearest import EXACT_SEARCH_MAX_ITEMS
from edgeseg.indexing import build_catalogue
from tests.edgeseg.formats.samples import EMBEDDER_DIGEST, unit_vectors
from tests.edgeseg.handmade import garment_on_white

GREEN = (90, 150, 100)


def catalogue_of(skus: list[str], vectors: np.ndarray | None = None) -> Catalogue:
    """Items whose embeddings all lie near each other, unless said otherwise."""
    if vectors is None:
        vectors = np.array([1.0] + 15 * [0.0]) + 0.1 * unit_vectors(len(skus), 16)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    items = [Item(sku) for sku in skus]
    return Catalogue.from_embeddings(items, vectors.astype(np.float32), EMBEDDER_DIGEST, "float32")


@pytest.fixture
def shop(tmp_path: Path) -> dict[str, Path]:
    """Two copies of shirt 1 in three SKUs, one of shirt 2, a green shirt 1, and shirt 3."""
    one, two = garment_on_white(1), garment_on_white(2)
    pictures = {
        "one": encode_png(one),
        "two": encode_png(two),
        "one-small": encode_jpeg(resize(one, 112, 140)),
        "three": encode_png(garment_on_white(3)),
        "one-green": encode_png(garment_on_white(1, colour=GREEN)),
        "two-mirrored": encode_jpeg(np.ascontiguousarray(two[:, ::-1]), 95),
        "one-again": encode_png(one),
    }
    paths = {}
    for sku, data in pictures.items():
        paths[sku] = tmp_path / f"{sku}.img"
        paths[sku].write_bytes(data)
    return paths


def test_copies_are_grouped_likest_first(shop: dict[str, Path]) -> None:
    found = find_duplicates(catalogue_of(list(shop)), shop)
    first, second = found.groups
    assert first.skus[:2] == ("one", "one-again"), "equal pictures come first"
    assert set(first.skus) == {"one", "one-again", "one-small"}
    assert len(first.copies) == 2
    assert first.copies[0].difference < 0.01 < first.copies[1].difference <= 1
    assert second.skus == ("two", "two-mirrored")
    assert [copy.mirrored for copy in (*first.copies, *second.copies)] == [False, False, True]
    assert (found.compared_pairs, found.unchecked_pairs) == (21, 0)
    assert not found.unreadable


def test_pairs_carry_the_catalogue_s_distances(shop: dict[str, Path]) -> None:
    catalogue = catalogue_of(list(shop))
    vectors = np.array([1.0] + 15 * [0.0]) + 0.1 * unit_vectors(len(shop), 16)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = {sku: row for row, sku in enumerate(shop)}
    for group in find_duplicates(catalogue, shop).groups:
        for copy in group.copies:
            first, second = rows[copy.pair.sku], rows[copy.pair.other]
            assert first < second
            # float32 products of 16 terms: some units of 2**-24.
            assert copy.pair.distance == pytest.approx(
                1.0 - float(vectors[first] @ vectors[second]), abs=1e-6
            )


def test_items_far_apart_are_not_compared(shop: dict[str, Path]) -> None:
    vectors = np.eye(len(shop), 16, dtype=np.float32)
    found = find_duplicates(catalogue_of(list(shop), vectors), shop)
    assert (found.groups, found.compared_pairs, found.unreadable) == ([], 0, {})


def test_one_neighbour_each_still_joins_copies_by_way_of_others(shop: dict[str, Path]) -> None:
    order = ["one", "one-again", "one-small"]
    # On a line: the outer two are nearest to the middle one and not to each other.
    angles = np.array([0.0, 0.1, 0.21])
    vectors = np.column_stack([np.cos(angles), np.sin(angles)])
    found = find_duplicates(catalogue_of(order, vectors), shop, k=1)
    assert found.compared_pairs == 2
    (group,) = found.groups
    assert set(group.skus) == set(order)


def test_a_catalogue_of_one_has_none(shop: dict[str, Path]) -> None:
    assert find_duplicates(catalogue_of(["one"]), shop).groups == []


def test_equal_placeholders_are_one_group(tmp_path: Path) -> None:
    white = tmp_path / "none.png"
    white.write_bytes(encode_png(np.full((60, 60, 3), 255, np.uint8)))
    skus = [f"{number:02d}" for number in range(30)]
    same = np.tile([[1.0, 0.0]], (30, 1))
    found = find_duplicates(catalogue_of(skus, same), dict.fromkeys(skus, white), k=3)
    (group,) = found.groups
    assert sorted(group.skus) == skus
    assert len(group.copies) == 29


def test_unreadable_pictures_are_told_and_their_pairs_left_out(
    shop: dict[str, Path], tmp_path: Path
) -> None:
    catalogue = catalogue_of([*shop, "unlisted", "missing"])
    shop["one-again"].write_bytes(b"no picture")
    found = find_duplicates(catalogue, {**shop, "missing": tmp_path / "missing.png"})
    assert sorted(found.unreadable) == ["missing", "one-again", "unlisted"]
    assert "one-again.img" in found.unreadable["one-again"]
    assert {sku for group in found.groups for sku in group.skus} == {
        "one", "one-small", "two", "two-mirrored"
    }  # fmt: skip
    assert (found.compared_pairs, found.unchecked_pairs) == (15, 21)
    assert len(found.unchecked) == 21
    assert all({pair.sku, pair.other} & set(found.unreadable) for pair in found.unchecked)
    distances = [pair.distance for pair in found.unchecked]
    assert distances == sorted(distances)


def test_a_large_catalogue_without_pictures_names_the_nearest_pairs_only() -> None:
    skus = [str(number) for number in range(EXACT_SEARCH_MAX_ITEMS + 1)]
    catalogue = catalogue_of(skus)
    assert catalogue.info()["search"] == "hnsw"
    found = find_duplicates(catalogue, {}, k=2)
    assert (found.groups, found.compared_pairs) == ([], 0)
    assert found.unchecked_pairs > len(skus)
    assert len(found.unchecked) == duplicates.MAX_UNCHECKED
    assert len(found.unreadable) == len(skus)


def test_a_picture_that_goes_meanwhile_is_told(shop: dict[str, Path]) -> None:
    @contextlib.contextmanager
    def stage(name: str) -> Iterator[Report]:
        if name == "comparing":
            shop["one"].unlink()
        yield lambda _done, _total: None

    with pytest.raises(PhotoError, match=r"one\.img"):
        find_duplicates(catalogue_of(list(shop)), shop, progress=stage)


def test_progress_is_told_by_stage(shop: dict[str, Path]) -> None:
    told: dict[str, list[tuple[int, int]]] = {}

    @contextlib.contextmanager
    def stage(name: str) -> Iterator[Report]:
        calls = told.setdefault(name, [])
        yield lambda done, total: calls.append((done, total))

    find_duplicates(catalogue_of(list(shop)), shop, progress=stage)
    assert list(told) == ["searching", "reading", "comparing"]
    assert told["searching"] == told["reading"] == [(done, 7) for done in range(1, 8)]
    assert told["comparing"] == [(21, 21)]


def test_a_wrong_k_is_a_mistake(shop: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="k is 0"):
        find_duplicates(catalogue_of(list(shop)), shop, k=0)


def test_real_copies_are_found_and_colour_variants_are_not(
    shared_data: Path, tmp_path: Path
) -> None:
    studio, others = shared_data / "studio" / "images", shared_data / "distractors"
    with (others / "items.csv").open(newline="") as rows:
        paths = {row["sku"]: others / row["image"] for row in islice(csv.DictReader(rows), 8)}
    for colour in ("black", "orange", "white"):
        paths[f"wsh10-{colour}"] = studio / f"wsh10-{colour}_main.jpg"
    originals = list(paths)
    for sku in originals:
        picture = read_photo(paths[sku])
        height, width = picture.shape[:2]
        copies = {
            "encoded": encode_jpeg(picture, 50),
            "small": encode_jpeg(resize(picture, round(0.6 * width), round(0.6 * height))),
            "cut": encode_jpeg(picture[height // 25 :, width // 25 : width - width // 25].copy()),
            "mirrored": encode_jpeg(np.ascontiguousarray(picture[:, ::-1])),
        }
        for kind, data in copies.items():
            paths[f"{sku}/{kind}"] = tmp_path / f"{sku}-{kind}.jpg"
            paths[f"{sku}/{kind}"].write_bytes(data)
    catalogue, _ = build_catalogue([(Item(sku), path) for sku, path in paths.items()], Embedder())
    found = find_duplicates(catalogue, paths)
    grouped = [{sku.partition("/")[0] for sku in group.skus} for group in found.groups]
    assert all(len(names) == 1 for names in grouped), "a colour variant is another item"
    assert sum(len(group.skus) for group in found.groups) >= 0.95 * len(paths)
