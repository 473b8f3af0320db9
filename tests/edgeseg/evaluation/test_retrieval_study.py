"""A study with planted embedders, and with the hand-made bundle beside `eval retrieval`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgeseg import imaging
from edgeseg.embedder import Embedder
from edgeseg.errors import DatasetError, ModelContractError
from edgeseg.evaluation import entrants as entrants_module
from edgeseg.evaluation.entrants import GALLERY_VIEWS, Entrant
from edgeseg.evaluation.retrieval import BACKGROUNDS, Query, evaluate_retrieval, read_queries
from edgeseg.evaluation.retrieval_study import run_study
from edgeseg.formats.bundle import Bundle
from edgeseg.indexing import build_catalogue
from edgeseg.items import Item, read_items
from edgeseg.matcher import Matcher
from edgeseg.postprocess import Segmentation, SegmenterOptions, segmentation_from
from edgeseg.segmenter import Segmenter

Items = list[tuple[Item, Path]]


class Clock:
    """Stands still but for what is said to take time."""

    now_s = 0.0

    def perf_counter(self) -> float:
        return self.now_s


class Planted:
    """An embedder that takes the red in a picture's middle for an angle, in degrees."""

    dim = 2
    digest = "ab" * 32

    def __init__(self, clock: Clock | None = None, takes_s: float = 0.0) -> None:
        self.clock = clock or Clock()
        self.takes_s = takes_s

    def embed(self, picture: np.ndarray) -> np.ndarray:
        self.clock.now_s += self.takes_s
        height, width = picture.shape[:2]
        angle = np.deg2rad(float(picture[height // 2, width // 2, 0]))
        return np.array([np.cos(angle), np.sin(angle)], np.float32)


class FindsAll:
    """A segmenter that takes the whole photo for the garment, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def segment(self, photo: np.ndarray) -> Segmentation:
        self.calls += 1
        height, width = photo.shape[:2]
        whole = np.ones((height, width), np.float32)
        return segmentation_from(whole, width, height, SegmenterOptions())


def plain(folder: Path, name: str, red: int) -> Path:
    path = folder / f"{name}.png"
    path.write_bytes(imaging.encode_png(np.full((20, 20, 3), (red, 0, 0), np.uint8)))
    return path


@pytest.fixture
def angles(tmp_path: Path) -> tuple[Items, list[Query]]:
    """Items at 10, 20 .. 120 degrees; photos at 34, of the items at 30, 10 and 120 degrees."""
    items = [(Item(f"at{red}"), plain(tmp_path, f"at{red}", red)) for red in range(10, 121, 10)]
    photo = plain(tmp_path, "photo", 34)
    queries = [Query(photo, "at30", group="easy"), Query(photo, "at10", group="hard")]
    return items, [*queries, Query(photo, "at120", group="hard")]


def test_planted_ranks(angles: tuple[Items, list[Query]]) -> None:
    items, queries = angles
    told: list[tuple[str, int, int]] = []
    study = run_study(
        items,
        queries,
        [Entrant("planted", Planted(), FindsAll())],
        ["none"],
        on_progress=lambda *each: told.append(each),
    )
    assert [(each.gallery_views, each.background) for each in study.results] == [
        ("picture", "none"), ("two_views", "none")
    ]  # fmt: skip
    for result in study.results:
        # From 34 degrees the order is 30, 40, 20, 50, 10, 60 .. 120.
        assert result.ranks == (1, 5, 12)
        assert [items[row][0].sku for row in result.found[0]] == [
            "at30", "at40", "at20", "at50", "at10"
        ]  # fmt: skip
        assert result.overall.recall_at_1 == pytest.approx(1 / 3)
        assert result.overall.recall_at_10 == pytest.approx(2 / 3)
        assert result.groups["easy"].recall_at_1 == 1.0
        assert (result.groups["hard"].recall_at_1, result.groups["hard"].recall_at_5) == (0, 0.5)
        assert result.sweep is None
    assert study.product is study.results[1]
    assert told[0] == ("embedding the gallery", 1, 12)
    assert ("embedding queries", 3, 3) in told
    assert told[-1] == ("searching", 2, 2)


def test_an_item_that_the_gallery_lacks_counts_as_missed(
    angles: tuple[Items, list[Query]],
) -> None:
    items, queries = angles
    asked = [*queries, dataclasses.replace(queries[0], sku="unknown")]
    study = run_study(items, asked, [Entrant("planted", Planted(), FindsAll())], ["none"])
    assert study.not_in_gallery == ("unknown",)
    assert study.product.ranks == (1, 5, 12, None)
    assert study.product.overall.recall_at_10 == 0.5


def test_the_first_entrant_is_what_the_others_are_set_beside(
    angles: tuple[Items, list[Query]], monkeypatch: pytest.MonkeyPatch
) -> None:
    items, queries = angles
    segmenter = FindsAll()
    clock = Clock()
    monkeypatch.setattr(entrants_module, "time", clock)
    entrants = [
        Entrant("good", Planted(clock, takes_s=0.002), segmenter),
        Entrant("slow", Planted(clock, takes_s=0.005), segmenter),
        Entrant("bad", Mirrored(), segmenter),
    ]
    study = run_study(items, queries[:1], entrants, ["none"])
    good, slow, bad = (each for each in study.results if each.gallery_views == "picture")
    assert (good.ranks, slow.ranks, bad.ranks) == ((1,), (1,), (3,))
    assert good.against_first["recall_at_1"] == slow.against_first["recall_at_1"] == (0, 0, 0)
    assert bad.against_first["recall_at_1"] == (-1, -1, -1)
    assert bad.against_first["recall_at_5"] == (0, 0, 0)
    assert [method.name for method in study.methods] == ["good", "slow", "bad"]
    assert study.methods[0].relative == 1.0
    assert study.methods[1].embed_p50_ms == pytest.approx(5.0)
    assert study.methods[1].relative == pytest.approx(2.5)


class Mirrored(Planted):
    """Takes a photo of 34 degrees for one of 6, so that 10 and 20 come before 30."""

    def embed(self, picture: np.ndarray) -> np.ndarray:
        return super().embed(np.where(picture == 34, 6, picture))


def test_entrants_with_one_segmenter_share_its_cutouts(angles: tuple[Items, list[Query]]) -> None:
    items, queries = angles
    shared, own = FindsAll(), FindsAll()
    entrants = [
        Entrant("one", Planted(), shared),
        Entrant("two", Planted(), shared),
        Entrant("three", Planted(), own),
    ]
    run_study(items, queries, entrants, ["none", "model"])
    assert shared.calls == own.calls == len(items) + len(queries)


def test_entrants_that_read_photos_otherwise_share_the_gallery_only(
    angles: tuple[Items, list[Query]],
) -> None:
    items, queries = angles
    shared = FindsAll()
    entrants = [
        Entrant("less", Planted(), shared, enough_px=8),
        Entrant("all", Planted(), shared),
    ]
    run_study(items, queries, entrants, ["none", "model"])
    assert shared.calls == len(items) + 2 * len(queries)


def test_pca_is_fitted_to_the_gallery_and_compared_with_both_distances(
    angles: tuple[Items, list[Query]],
) -> None:
    items, queries = angles
    entrants = [Entrant("planted", Planted(), FindsAll(), pca_dim=1)]
    study = run_study(items, queries, entrants, ["none"])
    names = ["planted", "planted, PCA 1, cosine", "planted, PCA 1, Euclidean"]
    assert [method.name for method in study.methods] == names
    assert [method.dim for method in study.methods] == [2, 1, 1]
    assert study.methods[1].embed_p50_ms > study.methods[0].embed_p50_ms
    vectors = np.stack([Planted().embed(imaging.read_photo(path)) for _, path in items])
    axis = np.linalg.svd(vectors - vectors.mean(axis=0))[2][0]
    asked = Planted().embed(imaging.read_photo(queries[0].image))
    off = np.abs((vectors - asked) @ axis)
    rank_of_10, rank_of_30 = 1 + np.sum(off < off[0]), 1 + np.sum(off < off[2])
    by_name = {each.method: each for each in study.results if each.gallery_views == "picture"}
    assert by_name[names[2]].ranks[:2] == (rank_of_30, rank_of_10)
    # Of length 1 in one dimension there are but two vectors: the order of places decides.
    assert by_name[names[1]].ranks[1] == 1


def test_pca_to_no_shorter_a_vector_is_left_out(angles: tuple[Items, list[Query]]) -> None:
    items, queries = angles
    entrants = [Entrant("planted", Planted(), FindsAll(), pca_dim=2)]
    assert len(run_study(items, queries, entrants, ["none"]).methods) == 1


def test_the_sweep_is_of_the_closer_background(angles: tuple[Items, list[Query]]) -> None:
    items, queries = angles
    entrants = [Entrant("planted", Planted(), FindsAll())]
    study = run_study(items, queries, entrants, ["none", "model"], sizes=(6, 40))
    swept = [each for each in study.results if each.sweep is not None]
    assert [each.background for each in swept] == ["model", "model"]
    assert study.product in swept
    for each in swept:
        assert each.sweep is not None
        assert [point.items for point in each.sweep.points] == [6, 12, 40]
        assert each.sweep.points[1].recall["recall_at_5"] == each.overall.recall_at_5
    document = study.to_dict()
    assert [each["sweep"] is None for each in document["results"]] == [True, False, True, False]
    assert document["results"][1]["sweep"]["points"][-1]["perturbed"] == 28


class Undeclared(Planted):
    """Gives another shape than it says."""

    dim = 3


def test_unusable_studies(angles: tuple[Items, list[Query]]) -> None:
    items, queries = angles
    entrant = Entrant("planted", Planted(), FindsAll())
    with pytest.raises(ValueError, match="distinct names"):
        run_study(items, queries, [entrant, entrant], ["none"])
    with pytest.raises(ValueError, match="a background"):
        run_study(items, queries, [entrant], [])
    with pytest.raises(DatasetError, match="no queries"):
        run_study(items, [], [entrant], ["none"])
    with pytest.raises(DatasetError, match="two are the fewest"):
        run_study(items[:1], queries, [entrant], ["none"])
    with pytest.raises(DatasetError, match="no mask"):
        run_study(items, queries, [entrant], ["mask"])
    with pytest.raises(ModelContractError, match=r"odd gives shape \(2,\) where \(3,\)"):
        run_study(items, queries, [Entrant("odd", Undeclared(), FindsAll())], ["none"])


@pytest.fixture
def reds(tmp_path: Path) -> Path:
    """A folder with pictures of eight reds, worn, on white, and photos of four with masks."""
    (tmp_path / "shop").mkdir()
    rows = ["image,mask,sku,view"]
    for number, blue in enumerate(range(10, 90, 10)):
        picture = np.full((80, 60, 3), 255, np.uint8)
        picture[20:60, 15:45] = (230, 10, blue)
        # Whoever wears it: in the picture, and not in the garment.
        picture[18 - 2 * number : 20, 20:40] = (120, 90, 70)
        (tmp_path / f"shop/red{blue}.png").write_bytes(imaging.encode_png(picture))
        if number % 2:
            photo, mask = np.full((90, 70, 3), (90, 160, 90), np.uint8), np.zeros((90, 70), bool)
            mask[20:70, 10 + number : 50 + number] = True
            photo[mask] = (230, 10, blue + 2 * number)
            (tmp_path / f"{blue}.png").write_bytes(imaging.encode_png(photo))
            (tmp_path / f"{blue}-mask.png").write_bytes(imaging.encode_png(mask))
            rows.append(f"{blue}.png,{blue}-mask.png,red{blue},{'back' if blue > 50 else 'front'}")
    (tmp_path / "queries.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_a_study_says_what_the_catalogue_that_index_build_makes_gives(
    reds: Path, tiny_bundle: Bundle
) -> None:
    queries = read_queries(reds / "queries.csv", "view", masks=True)
    items = read_items(reds / "shop")
    entrant = Entrant("tiny", Embedder(tiny_bundle), Segmenter(tiny_bundle))
    study = run_study(items, queries, [entrant], BACKGROUNDS)
    assert len(study.results) == len(BACKGROUNDS) * len(GALLERY_VIEWS)
    for views in GALLERY_VIEWS:
        segmenter = entrant.segmenter if views == "two_views" else None
        catalogue, _ = build_catalogue(items, entrant.embedder, segmenter)
        matcher = Matcher(catalogue, tiny_bundle)
        for background in BACKGROUNDS:
            (result,) = (
                each
                for each in study.results
                if (each.gallery_views, each.background) == (views, background)
            )
            scores = evaluate_retrieval(queries, matcher, background)
            assert result.ranks == scores.ranks
            assert (result.overall, result.groups) == (scores.overall, scores.groups)
            assert result.no_garment == scores.no_garment
    # What is compared above does differ from one way to describe the gallery to the other.
    one, two = (each.ranks for each in study.results if each.background == "model")
    assert one != two
