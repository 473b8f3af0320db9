"""The segmenter of several classes: a hand-made network on drawings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeseg import CategorySegmenter, Matcher, Segmenter
from edgeseg.categories import categories_from
from edgeseg.errors import ModelContractError
from edgeseg.formats.bundle import Bundle
from edgeseg.preprocessing import Preprocessing
from tests.edgeseg.handmade import CLASSES, SIDE_PX, MakeBundle, colour_categories

WIDTH, HEIGHT = 192, 96


def made(make_bundle: MakeBundle, model: bytes | None = None, **changes: Any) -> Bundle:
    fields = {"outputs": "category_scores", "classes": CLASSES, **changes}
    return make_bundle(model or colour_categories(), with_embedder=False, segmenter_changes=fields)


def stripes() -> np.ndarray:
    """Red, green and blue side by side."""
    photo = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for channel in range(3):
        photo[:, channel * WIDTH // 3 : (channel + 1) * WIDTH // 3, channel] = 230
    return photo


def test_each_pixel_gets_its_class(make_bundle: MakeBundle) -> None:
    segmenter = CategorySegmenter(made(make_bundle))
    assert segmenter.classes == CLASSES
    mask = segmenter.segment(stripes())
    assert mask.shape == (HEIGHT, WIDTH)
    assert mask.dtype == np.uint8
    true = np.repeat(np.arange(3, dtype=np.uint8), WIDTH // 3)
    # A pixel of the network is 6 of the photo: borders are good to one of them on each side.
    for border in (0, *range(WIDTH // 3, WIDTH, WIDTH // 3)):
        true[max(0, border - 6) : border + 6] = 255
    counted = np.tile(true, (HEIGHT, 1)) != 255
    assert (mask == true)[counted].all()
    assert counted.mean() > 0.8


@pytest.mark.parametrize(("width", "height"), [(1, 1), (300, 1), (3, 2)])
def test_any_size_does(make_bundle: MakeBundle, width: int, height: int) -> None:
    photo = np.zeros((height, width, 3), np.uint8)
    photo[..., 2] = 255
    mask = CategorySegmenter(made(make_bundle)).segment(photo)
    assert mask.shape == (height, width)
    assert (mask == 2).all()


def test_scores_are_resized_before_the_largest_is_taken() -> None:
    scores = np.zeros((1, 2, 3), np.float32)
    scores[0, 0], scores[0, 1] = (0.9, 0.1, 0.0), (0.0, 0.1, 0.9)
    ids = categories_from(scores, 40, 4)
    # Between 0 and 2 class 1 never has the largest score, as it would between their ids.
    assert set(np.unique(ids)) == {0, 2}
    assert (ids[:, :20] == 0).all()
    assert (ids[:, 20:] == 2).all()
    # Of equal scores the lower id's wins.
    assert (categories_from(np.ones((2, 2, 5), np.float32), 3, 3) == 0).all()


def test_the_two_kinds_of_bundle_are_told_apart(
    make_bundle: MakeBundle, tiny_bundle: Bundle
) -> None:
    classes = made(make_bundle)
    with pytest.raises(ModelContractError, match="3 classes apart, and a garment is wanted"):
        Segmenter(classes)
    with pytest.raises(ModelContractError, match="finds a garment and tells no classes apart"):
        CategorySegmenter(tiny_bundle)
    catalogue: Any = None
    with pytest.raises(ModelContractError):
        Matcher(catalogue, classes)


def test_networks_that_are_not_what_their_manifest_says(make_bundle: MakeBundle) -> None:
    with pytest.raises(ModelContractError, match="not scores of 3 classes"):
        CategorySegmenter(made(make_bundle, colour_categories(outputs=2)))
    with pytest.raises(ModelContractError, match="its manifest says"):
        CategorySegmenter(made(make_bundle, preprocessing=Preprocessing(SIDE_PX * 2, "stretch")))
    with pytest.raises(ModelContractError, match="must be stretch"):
        CategorySegmenter(made(make_bundle, preprocessing=Preprocessing(SIDE_PX, "pad_white")))
