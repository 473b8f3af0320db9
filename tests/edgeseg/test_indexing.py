"""Building a catalogue from pictures, with an embedder that tells what it was shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.catalogue import Catalogue
from edgeseg.description import catalogue_views
from edgeseg.errors import DatasetError, ModelContractError
from edgeseg.indexing import build_catalogue
from edgeseg.items import Item, read_items
from edgeseg.postprocess import Segmentation, SegmenterOptions, segmentation_from


class MeanColour:
    """An embedder whose embedding is a picture's mean colour."""

    dim = 3
    digest = "cd" * 32

    def embed(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        mean = picture.reshape(-1, 3).mean(axis=0)
        return (mean / np.linalg.norm(mean)).astype(np.float32)


COLOURS = {"red": (200, 20, 20), "green": (20, 160, 20), "blue": (20, 20, 220)}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three coloured garments on white."""
    for name, colour in COLOURS.items():
        picture = np.full((60, 50, 3), 255, np.uint8)
        picture[15:45, 15:35] = colour
        (tmp_path / f"{name}.png").write_bytes(imaging.encode_png(picture))
    return tmp_path


def test_each_item_is_found_by_its_own_colour(pictures: Path) -> None:
    told: list[tuple[int, int]] = []
    catalogue, unreadable = build_catalogue(
        read_items(pictures),
        MeanColour(),
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert unreadable == []
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert catalogue.dim == 3
    assert catalogue.embedder_digest == MeanColour.digest
    for name, colour in COLOURS.items():
        # The frame is cropped, so white hardly counts; uncropped, all three would be near white.
        best = catalogue.search(np.array(colour, np.float32), 1)[0]
        assert best.sku == name
        assert best.distance < 0.1


def test_what_cannot_be_read_is_listed_and_left_out(pictures: Path) -> None:
    (pictures / "empty.jpg").touch()
    (pictures / "text.jpg").write_text("not a picture")
    rows = [*read_items(pictures), (Item("gone"), pictures / "gone.jpg")]
    catalogue, unreadable = build_catalogue(rows, MeanColour())
    assert [item.sku for item in catalogue.items] == ["blue", "green", "red"]
    assert [sku for sku, _ in unreadable] == ["empty", "text", "gone"]
    assert all(reason and "\n" not in reason for _, reason in unreadable)


def test_nothing_readable_is_an_error(pictures: Path) -> None:
    with pytest.raises(DatasetError, match="none of 1 pictures can be read, such as item a: "):
        build_catalogue([(Item("a"), pictures / "none.jpg")], MeanColour())
    with pytest.raises(DatasetError, match="none of 0"):
        build_catalogue([], MeanColour())


@pytest.mark.parametrize(
    "answer", [np.zeros(3, np.float32), np.full(3, np.nan, np.float32), np.ones(4, np.float32)]
)
def test_an_embedder_that_breaks_its_promise_is_told(
    pictures: Path, answer: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MeanColour, "embed", lambda self, picture: answer)
    with pytest.raises(ModelContractError):
        build_catalogue(read_items(pictures), MeanColour())


def test_two_builds_give_the_same_bytes(pictures: Path) -> None:
    for name in ("one", "two"):
        build_catalogue(read_items(pictures), MeanColour())[0].save(pictures / name)
    assert (pictures / "one").read_bytes() == (pictures / "two").read_bytes()


class FindsRed:
    """A segmenter that takes what is red for the garment."""

    def segment(self, photo: NDArray[np.uint8]) -> Segmentation:
        red = (photo[..., 0] > 150) & (photo[..., 1] < 100) & (photo[..., 2] < 100)
        height, width = red.shape
        return segmentation_from(red.astype(np.float32), width, height, SegmenterOptions())


def test_an_item_is_described_by_its_picture_and_its_garment_together(tmp_path: Path) -> None:
    worn = np.full((60, 50, 3), 255, np.uint8)
    worn[5:20, 20:30] = (120, 90, 70)  # the wearer's head
    worn[20:50, 10:40] = COLOURS["red"]
    (tmp_path / "worn.png").write_bytes(imaging.encode_png(worn))
    (tmp_path / "green.png").write_bytes(
        imaging.encode_png(np.full((40, 40, 3), COLOURS["green"], np.uint8))
    )
    embedder, segmenter = MeanColour(), FindsRed()
    views = catalogue_views(worn, segmenter)
    assert len(views) == 2
    expected = sum(embedder.embed(view) for view in views)

    rows = read_items(tmp_path)
    together, _ = build_catalogue(rows, embedder, segmenter)
    alone, _ = build_catalogue(rows, embedder)

    vector = (expected / np.linalg.norm(expected)).astype(np.float32)

    def distance(catalogue: Catalogue, sku: str, query: NDArray[np.float32]) -> float:
        return {match.sku: match.distance for match in catalogue.search(query, k=2)}[sku]

    # int10 moves each component by 1/1016 of the largest at most: a cosine by its square's half.
    assert distance(together, "worn", vector) == pytest.approx(0, abs=2e-6)
    assert distance(alone, "worn", vector) > 1e-3
    # Where the segmenter finds nothing, the picture alone describes the item.
    green = embedder.embed(views[0] * 0 + np.array(COLOURS["green"], np.uint8))
    assert distance(together, "green", green) == distance(alone, "green", green)
