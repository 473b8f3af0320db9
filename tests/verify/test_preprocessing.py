"""The measurement of a phone's photo: the photos are what they are said to be, the parts add up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from device_bench.drawn import draw_photos
from edgeseg.catalogue import Catalogue, Item
from edgeseg.embedder import Embedder
from edgeseg.imaging import read_photo
from edgeseg.matcher import Matcher
from edgeseg.photo_header import read_header
from tests.verify import preprocessing
from tests.verify.figure import NotMeasuredError
from tests.verify.workbench import Workbench


@pytest.fixture(scope="module")
def drawn_photo(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return read_photo(draw_photos(tmp_path_factory.mktemp("drawn"))[0])


def test_a_phones_photo_has_its_size_weight_and_orientation(drawn_photo: np.ndarray) -> None:
    stored = preprocessing.enlarged(drawn_photo, upright=True)
    assert stored.shape == (preprocessing.HEIGHT_PX, preprocessing.WIDTH_PX, 3)
    data = preprocessing.phone_jpeg(stored, orientation=6)
    header = read_header(data)
    assert (header.width, header.height, header.orientation) == (4000, 3000, 6)
    assert 2e6 < len(data) < 6e6
    # Upright again: the shirt is as it was drawn, its middle darker than the floor at both sides.
    photo = read_photo(data, enough_px=224)
    assert photo.shape == (500, 375, 3)
    row = photo[250].astype(int).sum(axis=1)
    assert row[187] < min(row[5], row[-5])


def test_all_parts_of_a_match_are_timed_without_the_networks(
    drawn_photo: np.ndarray, tmp_path: Path
) -> None:
    stored = preprocessing.enlarged(drawn_photo, upright=True)
    paths = []
    for progressive in (False, True):
        paths.append(tmp_path / f"{progressive}.jpg")
        paths[-1].write_bytes(preprocessing.phone_jpeg(stored, 6, progressive))
    embedder = Embedder()
    vectors = np.eye(2, embedder.dim, dtype=np.float32)
    items = [Item("a", {}), Item("b", {})]
    matcher = Matcher(Catalogue.from_embeddings(items, vectors, embedder.digest))
    times = preprocessing.measured(matcher, paths[:1], paths[1:], rounds=2)
    assert set(times) == {
        "match", "segmenter", "decoder", "progressive match", "whole", "naive",
    }  # fmt: skip
    assert min(times.values()) > 0
    # The networks' own methods are back.
    assert "invoke" not in vars(matcher.segmenter.interpreter)


def test_without_photographs_it_is_not_measured(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, tmp_path, None, tmp_path / "none")
    with pytest.raises(NotMeasuredError, match="is not on this machine"):
        preprocessing.phone_photos(bench)
