"""The segmenter: a hand-made network on drawings, and the shipped one on real photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeseg.errors import EdgesegError, ModelContractError
from edgeseg.formats.bundle import Bundle
from edgeseg.imaging import read_mask, read_photo
from edgeseg.preprocessing import Preprocessing
from edgeseg.presets import default_bundle_path
from edgeseg.segmenter import Segmenter, SegmenterOptions
from tests.edgeseg.handmade import (
    MakeBundle,
    ModelWriter,
    colour_embedder,
    red_segmenter,
    red_square_photo,
)


def test_the_garment_is_found_where_it_is(tiny_bundle: Bundle) -> None:
    result = Segmenter(tiny_bundle).segment(red_square_photo())
    assert result.found
    assert result.box is not None
    # One network pixel is 200 / 32 = 6.25 photo pixels wide; the box is good to one of them.
    wanted = (60, 30, 140, 120)
    got = (result.box.left, result.box.top, result.box.right, result.box.bottom)
    assert np.abs(np.subtract(got, wanted)).max() <= 7
    assert result.confidence_mask.shape == result.category_mask.shape == (150, 200)
    assert result.confidence_mask[75, 100] > 0.9
    assert result.confidence_mask[10, 10] < 0.1


def test_no_garment_is_said_so(tiny_bundle: Bundle) -> None:
    grey = np.full((90, 70, 3), 128, np.uint8)
    assert not Segmenter(tiny_bundle).segment(grey).found


def test_confidence_is_the_segmentations_own(tiny_bundle: Bundle) -> None:
    segmenter, photo = Segmenter(tiny_bundle), red_square_photo()
    np.testing.assert_array_equal(
        segmenter.confidence(photo), segmenter.segment(photo).confidence_mask
    )


@pytest.mark.parametrize("dtype", ["INT8", "UINT8"])
def test_an_integer_network_gives_nearly_the_float_masks(
    make_bundle: MakeBundle, tiny_bundle: Bundle, dtype: str
) -> None:
    photo = red_square_photo()
    whole = Segmenter(tiny_bundle).segment(photo)
    integer = Segmenter(make_bundle(segmenter=red_segmenter(dtype=dtype))).segment(photo)
    # Off by a step of the 8-bit borders, see test_interpreter.
    np.testing.assert_allclose(integer.confidence_mask, whole.confidence_mask, atol=0.02)
    assert integer.confidence_mask.max() <= 1.0


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 300), (300, 1), (3, 2), (4001, 17)])
def test_any_size_does(tiny_bundle: Bundle, width: int, height: int) -> None:
    red = np.zeros((height, width, 3), np.uint8)
    red[..., 0] = 255
    result = Segmenter(tiny_bundle).segment(red)
    assert result.category_mask.shape == (height, width)
    assert result.category_mask.all()


def test_options_are_used(tiny_bundle: Bundle) -> None:
    photo = red_square_photo()
    plain = Segmenter(tiny_bundle).segment(photo).category_mask.sum()
    strict = SegmenterOptions(min_foreground_ratio=0.9)
    assert plain > 0
    assert not Segmenter(tiny_bundle, options=strict).segment(photo).found


def test_a_path_does_for_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(EdgesegError, match=r"none\.bundle"):
        Segmenter(tmp_path / "none.bundle")


def test_what_is_no_photo_is_a_value_error(tiny_bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="picture"):
        Segmenter(tiny_bundle).segment(np.zeros((5, 5), np.uint8))


def test_a_network_of_another_size_than_the_manifest_says_is_refused(
    make_bundle: MakeBundle,
) -> None:
    with pytest.raises(ModelContractError, match="manifest says"):
        Segmenter(make_bundle(segmenter=red_segmenter(side=16)))


def test_an_embedder_in_the_segmenters_place_is_refused(make_bundle: MakeBundle) -> None:
    with pytest.raises(ModelContractError, match="confidence mask"):
        Segmenter(make_bundle(segmenter=colour_embedder()))


def test_a_padding_resize_rule_is_refused(make_bundle: MakeBundle) -> None:
    padded = {"preprocessing": Preprocessing(32, "pad_white")}
    with pytest.raises(ModelContractError, match="stretch"):
        Segmenter(make_bundle(segmenter_changes=padded))


def test_a_network_that_gives_nan_finds_nothing(make_bundle: MakeBundle) -> None:
    writer = ModelWriter()
    source = writer.tensor((1, 32, 32, 3))
    result = writer.convolution(source, 32, np.full((1, 3), np.nan), np.array([np.nan]))
    broken = make_bundle(segmenter=writer.finish([source], [result]))
    result_of = Segmenter(broken).segment(red_square_photo())
    assert not result_of.found
    assert (result_of.confidence_mask == 0).all()


def test_the_scaling_of_the_manifest_is_applied(make_bundle: MakeBundle) -> None:
    # The hand-made network expects 0..1: halved values fall below its threshold.
    halved = {"preprocessing": replace(Preprocessing(32, "stretch"), scale=0.25 / 255)}
    assert not Segmenter(make_bundle(segmenter_changes=halved)).segment(red_square_photo()).found


def test_the_shipped_segmenter_finds_real_garments(shared_data: Path) -> None:
    if not default_bundle_path().is_file():
        pytest.skip("the default bundle is not built yet")
    folder = shared_data / "segmentation" / "snapshots"
    rows = (folder / "split.csv").read_text().splitlines()
    header = rows[0].split(",")
    at = {name: header.index(name) for name in ("image", "mask", "split")}
    pairs = [row.split(",") for row in rows[1:]]
    pairs = [row for row in pairs if row[at["split"]] == "val"][:8]
    segmenter, ious = Segmenter(), []
    for row in pairs:
        result = segmenter.segment(read_photo(folder / row[at["image"]]))
        truth = read_mask(folder / row[at["mask"]])
        assert result.found
        mask = result.category_mask.astype(bool)
        ious.append((mask & truth).sum() / (mask | truth).sum())
    # The mean training mask scores about 0.6: below 0.75 something is broken, not merely worse.
    assert np.mean(ious) > 0.75
