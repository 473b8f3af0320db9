"""The embedder and the framing of catalogue pictures."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.embedder import Embedder, studio_crop
from edgeseg.errors import ModelContractError
from edgeseg.formats.bundle import Bundle
from edgeseg.imaging import Photo
from edgeseg.postprocess import cutout_on_white
from edgeseg.preprocessing import Preprocessing
from edgeseg.segmenter import Segmenter
from tests.edgeseg.handmade import MakeBundle, ModelWriter, red_square_photo


def on_white(
    colour: tuple[int, int, int],
    box: tuple[int, int, int, int] = (30, 20, 90, 160),
    width: int = 120,
    height: int = 200,
) -> Photo:
    picture = np.full((height, width, 3), 255, np.uint8)
    left, top, right, bottom = box
    picture[top:bottom, left:right] = colour
    return picture


def test_an_embedding_is_a_unit_vector_of_the_pictures_colour(tiny_bundle: Bundle) -> None:
    embedder = Embedder(tiny_bundle)
    vector = embedder.embed(on_white((0, 0, 255)))
    assert vector.shape == (embedder.dim,) == (4,)
    assert vector.dtype == np.float32
    # float32 normalisation is good to a few units in the last place.
    assert abs(float(np.linalg.norm(vector)) - 1.0) < 1e-6
    share = vector[:3] / vector[0]
    # Blue lacks red and green alike and blue not at all; averaging edges is good to 1%.
    np.testing.assert_allclose(share, [1.0, 1.0, 0.0], atol=0.01)


def test_the_digest_is_the_bundles(tiny_bundle: Bundle, make_bundle: MakeBundle) -> None:
    assert Embedder(tiny_bundle).digest == tiny_bundle.embedder_digest
    other = make_bundle(embedder_changes={"preprocessing": Preprocessing(32, "stretch")})
    assert Embedder(other).digest != tiny_bundle.embedder_digest


def test_a_bundle_without_an_embedder_says_so(make_bundle: MakeBundle) -> None:
    with pytest.raises(ModelContractError, match="no embedder"):
        Embedder(make_bundle(with_embedder=False))


def test_another_dim_than_the_manifest_says_is_refused(make_bundle: MakeBundle) -> None:
    with pytest.raises(ModelContractError, match=r"\(1, 5\)"):
        Embedder(make_bundle(embedder_changes={"dim": 5}))


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_an_unusable_vector_is_refused(make_bundle: MakeBundle, value: float) -> None:
    writer = ModelWriter()
    source = writer.tensor((1, 32, 32, 3))
    features = writer.convolution(source, 32, np.zeros((4, 3)), np.full(4, value))
    axes = writer.tensor((2,), "INT32", data=np.array([1, 2], dtype=np.int32))
    mean = writer.tensor((1, 4))
    writer.operator("MEAN", [features, axes], mean, "ReducerOptions", keepDims=False)
    embedder = Embedder(make_bundle(embedder=writer.finish([source], [mean])))
    with pytest.raises(ModelContractError, match="no usable vector"):
        embedder.embed(on_white((0, 0, 0)))


def test_a_studio_picture_is_framed_with_the_margin() -> None:
    crop = studio_crop(on_white((10, 20, 30)), margin=0.1)
    assert crop.shape == (140 + 28, 60 + 28, 3)
    assert (crop[14:-14, 14:-14] == (10, 20, 30)).all()
    crop[14:-14, 14:-14] = 255
    assert (crop == 255).all()


def test_both_sides_are_framed_alike(tiny_bundle: Bundle) -> None:
    """A garment cut out of a photo and the same one in the catalogue get nearly one embedding."""
    photo = red_square_photo(640, 480, (160, 90, 400, 420))
    query = cutout_on_white(photo, Segmenter(tiny_bundle).segment(photo))
    catalogue = studio_crop(on_white((220, 20, 20), (300, 300, 540, 630), 800, 1000))
    embedder = Embedder(tiny_bundle)
    # The mask's edge is good to a network pixel (20 of 240): 2% of the area at most.
    assert float(embedder.embed(query) @ embedder.embed(catalogue)) > 0.999
    ratios = [picture.shape[0] / picture.shape[1] for picture in (query, catalogue)]
    assert abs(ratios[0] - ratios[1]) < 0.1


@pytest.mark.parametrize("size", [(120, 200), (1200, 2000), (3, 3)])
def test_specks_and_off_white_do_not_count(size: tuple[int, int]) -> None:
    width, height = size
    picture = np.full((height, width, 3), 248, np.uint8)
    picture[height // 3 : height // 3 * 2 or 1, width // 3 : width // 3 * 2 or 1] = 40
    clean = studio_crop(picture)
    if width > 100:
        picture[1, 1] = 0
        picture[-2, -2] = 100
    np.testing.assert_array_equal(studio_crop(picture), clean)


def test_a_large_picture_is_framed_to_a_scan_pixel() -> None:
    box = (601, 403, 1801, 3207)
    picture = on_white((9, 9, 9), box, 3000, 4000)
    crop = studio_crop(picture, margin=0.0)
    # The scan is at 512 px for 4,000: 8 pixels each way, and nothing of the garment is lost.
    assert 0 <= crop.shape[1] - 1200 <= 16
    assert 0 <= crop.shape[0] - 2804 <= 16
    assert (crop == 9).all(axis=2).sum() == 1200 * 2804


def test_a_picture_that_is_not_on_white_stays_whole() -> None:
    photo = red_square_photo()
    assert studio_crop(photo) is photo


def test_a_garment_cut_by_one_side_is_still_framed() -> None:
    crop = studio_crop(on_white((5, 5, 5), (30, 100, 90, 200)), margin=0.0)
    assert crop.shape == (100, 60, 3)


def test_an_empty_picture_stays_whole() -> None:
    white = np.full((40, 50, 3), 255, np.uint8)
    assert studio_crop(white) is white
