"""Preprocessing: geometry, scaling and the strict JSON form."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgeseg.errors import ManifestError
from edgeseg.preprocessing import Preprocessing


def test_stretch_ignores_the_aspect_ratio() -> None:
    image = np.zeros((40, 80, 3), np.uint8)
    image[:, 40:] = 200
    out = Preprocessing(16, "stretch").resized(image)
    assert out.shape == (16, 16, 3)
    assert out.dtype == np.uint8
    assert (out[:, :8] == 0).all()
    assert (out[:, 8:] == 200).all()


@pytest.mark.parametrize(("height", "width"), [(40, 80), (80, 40), (3, 3), (1, 1), (33, 47)])
def test_padding_is_white_and_centred(height: int, width: int) -> None:
    out = Preprocessing(16, "pad_white").resized(np.zeros((height, width, 3), np.uint8))
    dark = (out == 0).all(axis=2)
    assert ((out == 255).all(axis=2) | dark).all()
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    assert len(rows) == round(16 * height / max(height, width))
    assert len(columns) == round(16 * width / max(height, width))
    # One pixel of difference where the room to share is odd.
    assert abs(rows[0] - (15 - rows[-1])) <= 1
    assert abs(columns[0] - (15 - columns[-1])) <= 1


def test_a_very_long_picture_is_never_padded_at_its_own_size() -> None:
    # A square of 60,000 pixels a side would take 10 GB.
    out = Preprocessing(16, "pad_white").resized(np.zeros((1, 60_000, 3), np.uint8))
    assert out.shape == (16, 16, 3)
    assert (out == 0).all(axis=2).sum() == 16


def test_shrinking_averages_instead_of_sampling() -> None:
    # Stripes of one pixel alias to 0 or 255 under bilinear sampling; their mean is 127.5.
    stripes = np.zeros((160, 160, 3), np.uint8)
    stripes[:, ::2] = 255
    out = Preprocessing(16, "stretch").resized(stripes)
    assert np.abs(out.astype(int) - 128).max() <= 1


def test_normalized_is_scale_and_offset() -> None:
    pixels = np.array([[[0, 128, 255]]], np.uint8)
    # The older convention: (pixel / 255 - 0.5) / 0.5.
    out = Preprocessing(16, "stretch", scale=2 / 255, offset=-1.0).normalized(pixels)
    assert out.dtype == np.float32
    # 1e-6: float32 rounding of one multiplication and one addition.
    np.testing.assert_allclose(out[0, 0], [-1.0, 256 / 255 - 1.0, 1.0], atol=1e-6)
    batch = np.zeros((5, 16, 16, 3), np.uint8)
    assert Preprocessing(16, "stretch").normalized(batch).shape == batch.shape


def test_the_json_form_comes_back_exactly() -> None:
    settings = Preprocessing(160, "pad_white", scale=1 / 127.5, offset=-1.0)
    assert Preprocessing.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


@pytest.mark.parametrize(
    "change",
    [
        {"input_px": 0},
        {"input_px": 1_000_000},
        {"input_px": 160.0},
        {"input_px": True},
        {"input_px": "160"},
        {"resize": "crop"},
        {"resize": None},
        {"scale": 0.0},
        {"scale": float("nan")},
        {"scale": float("inf")},
        {"scale": 10**400},
        {"scale": "1"},
        {"offset": None},
        {"colour_order": "bgr"},
        {"mean": 0.5},
    ],
)
def test_a_wrong_json_form_is_a_manifest_error(change: dict[str, object]) -> None:
    with pytest.raises(ManifestError):
        Preprocessing.from_dict({**Preprocessing(160, "stretch").to_dict(), **change})


@pytest.mark.parametrize("fields", [None, [], "x", {}, {"input_px": 160}])
def test_an_incomplete_json_form_is_a_manifest_error(fields: object) -> None:
    with pytest.raises(ManifestError):
        Preprocessing.from_dict(fields)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_a_value_error(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="picture must be"):
        Preprocessing(16, "stretch").resized(image)
