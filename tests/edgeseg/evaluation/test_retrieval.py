"""Retrieval with the hand-made networks; the garments are reds with more or less blue in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgeseg import imaging
from edgeseg.catalogue import Catalogue, Item
from edgeseg.cli import main
from edgeseg.embedder import Embedder, studio_crop
from edgeseg.errors import DatasetError
from edgeseg.evaluation.retrieval import (
    BACKGROUNDS,
    evaluate_retrieval,
    figures,
    query_picture,
    read_queries,
)
from edgeseg.formats.bundle import Bundle
from edgeseg.matcher import Matcher

COLOURS = {f"red{blue:03}": (230, 10, blue) for blue in (10, 30, 50, 70)}
# A green ground pulls a whole photo's mean colour to where this distractor is.
GREENISH = (110, 130, 60)


def shape(
    colour: tuple[int, int, int], ground: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    photo = np.full((80, 60, 3), ground, dtype=np.uint8)
    mask = np.zeros((80, 60), np.bool_)
    mask[20:60, 15:45] = True
    photo[mask] = colour
    return photo, mask


@pytest.fixture
def shop(tiny_bundle: Bundle, tmp_path: Path) -> Path:
    """A folder with shop.catalogue, queries.csv, photos and masks."""
    embedder = Embedder(tiny_bundle)
    colours = {**COLOURS, **{f"green{i}": (110 - i, 130, 60) for i in range(12)}}
    vectors = [
        embedder.embed(studio_crop(shape(colour, (255, 255, 255))[0]))
        for colour in colours.values()
    ]
    items = [Item(sku, {}) for sku in colours]
    Catalogue.from_embeddings(items, np.stack(vectors), embedder.digest).save(
        tmp_path / "shop.catalogue"
    )
    rows = ["image,mask,sku,view"]
    for number, (sku, colour) in enumerate(COLOURS.items()):
        photo, mask = shape(colour, (90, 160, 90))
        (tmp_path / f"{sku}.png").write_bytes(imaging.encode_png(photo))
        (tmp_path / f"{sku}-mask.png").write_bytes(imaging.encode_png(mask))
        rows.append(f"{sku}.png,{sku}-mask.png,{sku},{'back' if number % 2 else 'front'}")
    (tmp_path / "queries.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.fixture
def matcher(shop: Path, tiny_bundle: Bundle) -> Matcher:
    return Matcher(Catalogue.open(shop / "shop.catalogue"), tiny_bundle)


def test_figures_of_known_ranks() -> None:
    told = figures([1, 2, 10, 11, None], ["a", "b", "c", "d", "e"])
    assert (told.recall_at_1, told.recall_at_5, told.recall_at_10) == (0.2, 0.4, 0.6)
    assert told.mrr == pytest.approx((1 + 1 / 2 + 1 / 10 + 1 / 11) / 5)
    for name, (low, high) in told.intervals.items():
        assert 0 <= low <= getattr(told, name) <= high <= 1


@pytest.mark.parametrize("background", ["model", "mask", "grabcut"])
def test_cutting_out_finds_every_item(shop: Path, matcher: Matcher, background: str) -> None:
    queries = read_queries(shop / "queries.csv", "view", masks=True)
    scores = evaluate_retrieval(queries, matcher, background)
    assert scores.ranks == (1, 1, 1, 1)
    assert scores.no_garment == 0
    assert {name: group.queries for name, group in scores.groups.items()} == {"front": 2, "back": 2}


def test_a_background_left_in_hides_them(shop: Path, matcher: Matcher) -> None:
    scores = evaluate_retrieval(read_queries(shop / "queries.csv"), matcher, "none")
    assert scores.overall.recall_at_10 == 0.0
    assert scores.groups == {}


def test_model_and_none_are_what_match_does(shop: Path, matcher: Matcher) -> None:
    query = read_queries(shop / "queries.csv")[0]
    for background, segment in (("model", True), ("none", False)):
        picture, found = query_picture(query, matcher, background)
        assert found
        np.testing.assert_array_equal(picture, matcher.match(query.image, segment=segment).query)


def test_no_garment_falls_back_to_the_whole_photo(shop: Path, matcher: Matcher) -> None:
    photo, _ = shape((90, 160, 90), (90, 160, 90))
    (shop / "red010.png").write_bytes(imaging.encode_png(photo))
    (shop / "red010-mask.png").write_bytes(imaging.encode_png(np.zeros((80, 60), np.uint8)))
    for background in ("model", "mask"):
        scores = evaluate_retrieval(read_queries(shop / "queries.csv"), matcher, background)
        assert scores.no_garment == 1
        assert scores.ranks[1:] == (1, 1, 1)
        assert scores.overall.queries == 4


def test_an_item_that_the_catalogue_lacks_counts_as_missed(shop: Path, matcher: Matcher) -> None:
    with (shop / "queries.csv").open("a") as file:
        file.write("red010.png,red010-mask.png,unknown,front\n")
    scores = evaluate_retrieval(read_queries(shop / "queries.csv"), matcher, "model")
    assert scores.not_in_catalogue == ("unknown",)
    assert scores.ranks[-1] is None
    assert scores.overall.recall_at_10 == 0.8


def test_unusable_queries(shop: Path, matcher: Matcher) -> None:
    with pytest.raises(DatasetError, match="column kind"):
        read_queries(shop / "queries.csv", "kind")
    (shop / "bare.csv").write_text("image,sku\nred010.png,red010\n")
    with pytest.raises(DatasetError, match="column mask"):
        read_queries(shop / "bare.csv", masks=True)
    with pytest.raises(DatasetError, match="no mask"):
        evaluate_retrieval(read_queries(shop / "bare.csv"), matcher, "mask")
    (shop / "bare.csv").write_text("image,sku\ngone.png,red010\n")
    with pytest.raises(DatasetError, match=r"gone\.png is missing"):
        read_queries(shop / "bare.csv")
    with pytest.raises(DatasetError, match="no queries"):
        evaluate_retrieval([], matcher)


def test_command_prints_figures_intervals_and_groups(
    shop: Path, bundle_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["eval", "retrieval", "--queries", str(shop / "queries.csv")]
    common += ["--catalogue", str(shop / "shop.catalogue"), "--bundle", str(bundle_path)]
    assert main([*common, "--group-by", "view", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document)[:5] == ["queries", "recall_at_1", "recall_at_5", "recall_at_10", "mrr"]
    assert document["recall_at_1"] == 1.0
    assert document["intervals"]["mrr"] == [1.0, 1.0]
    assert document["groups"]["back"]["queries"] == 2
    for background in BACKGROUNDS:
        assert main([*common, "--background", background]) == 0
        assert "recall@10" in capsys.readouterr().out
    assert main([*common, "--background", "otsu"]) == 2


def test_command_refuses_a_catalogue_of_another_embedder(
    shop: Path, bundle_path: Path, tiny_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Catalogue.from_embeddings([Item("a", {})], np.eye(1, 4, dtype=np.float32), "0" * 64)
    other.save(shop / "other.catalogue")
    arguments = ["--queries", str(shop / "queries.csv"), "--bundle", str(bundle_path)]
    assert (
        main(["eval", "retrieval", *arguments, "--catalogue", str(shop / "other.catalogue")]) == 1
    )
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "another embedder" in captured.err
