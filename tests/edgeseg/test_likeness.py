"""Likeness: copies count as one picture, and what differs in a small part does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgeseg import likeness
from edgeseg.imaging import encode_jpeg, read_photo, resize
from tests.edgeseg.handmade import garment_on_white

Change = Callable[[np.ndarray], np.ndarray]


def encoded(picture: np.ndarray, quality: int = 90) -> np.ndarray:
    return read_photo(encode_jpeg(picture, quality))


def wider(picture: np.ndarray, border_px: int = 30) -> np.ndarray:
    edges = ((border_px, border_px), (border_px, 2 * border_px), (0, 0))
    return np.pad(picture, edges, constant_values=255)


def mirrored(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture[:, ::-1])


def brighter(picture: np.ndarray, gain: float = 1.05) -> np.ndarray:
    return np.minimum(picture * gain, 255.0).astype(np.uint8)


def cut(picture: np.ndarray) -> np.ndarray:
    """Cut into the garment by a twentieth, on two sides."""
    height, width = picture.shape[:2]
    return picture[height // 7 :, : width - width // 9].copy()


def compared(first: np.ndarray, second: np.ndarray) -> tuple[float, bool, float]:
    """The difference of two pictures, whether mirrored, and how well they correlate, small."""
    pair = [likeness.framed(picture) for picture in (first, second)]
    small = [likeness.small_grey(picture)[None] for picture in pair]
    placements, turned, alike = likeness.small_placements(*small)
    difference = likeness.difference(*pair, placements[0], bool(turned[0]))
    return difference, bool(turned[0]), float(alike[0])


@pytest.mark.parametrize(
    ("change", "is_mirrored"),
    [
        (lambda picture: picture, False),
        (lambda picture: encoded(picture, 50), False),
        (lambda picture: encoded(resize(picture, 96, 120)), False),
        (lambda picture: encoded(cut(picture)), False),
        (lambda picture: encoded(wider(picture)), False),
        (lambda picture: encoded(brighter(picture)), False),
        (lambda picture: encoded(mirrored(picture)), True),
        (lambda picture: encoded(wider(resize(mirrored(picture), 120, 150)), 60), True),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_copies_are_one_picture(change: Change, is_mirrored: bool, seed: int) -> None:
    original = garment_on_white(seed)
    for pair in ((original, change(original)), (change(original), original)):
        difference, turned, alike = compared(*pair)
        assert difference <= likeness.MAX_DIFFERENCE
        assert alike >= likeness.MIN_CORRELATION
        assert turned is is_mirrored


def test_equal_pictures_do_not_differ() -> None:
    difference, turned, alike = compared(garment_on_white(1), garment_on_white(1))
    # The one picture is drawn in place: float32 rounding of grey values, as a share of the bound.
    assert difference < 0.01
    assert not turned
    assert alike > 0.999


def recoloured(picture: np.ndarray) -> np.ndarray:
    changed = picture + np.array([12, 0, -12])
    return np.where(picture < 255, changed, 255).clip(0, 255).astype(np.uint8)


def paler(picture: np.ndarray) -> np.ndarray:
    return np.where(picture < 255, (picture * 1.25).clip(0, 254), 255).astype(np.uint8)


def piped(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    changed = picture.copy()
    changed[176:180, 40:120] = colour
    return changed


def printed(picture: np.ndarray) -> np.ndarray:
    changed = picture.copy()
    changed[60:80, 60:80] = np.where(np.indices((20, 20)).sum(axis=0) // 4 % 2, 230, 20)[..., None]
    return changed


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (garment_on_white(1), garment_on_white(2)),
        (garment_on_white(1), recoloured(garment_on_white(1))),
        (garment_on_white(1), paler(garment_on_white(1))),
        (garment_on_white(1), printed(garment_on_white(1))),
        (piped(garment_on_white(1), (240, 90, 110)), piped(garment_on_white(1), (250, 160, 40))),
        (garment_on_white(1), mirrored(recoloured(garment_on_white(1)))),
    ],
    ids=["other", "recoloured", "paler", "printed", "piping", "mirrored and recoloured"],
)
def test_what_differs_is_not_one_picture(first: np.ndarray, second: np.ndarray) -> None:
    difference, _, alike = compared(first, second)
    assert difference > likeness.MAX_DIFFERENCE or alike < likeness.MIN_CORRELATION


def test_pictures_of_nothing_are_equal_and_differ_from_others() -> None:
    white = np.full((50, 40, 3), 255, np.uint8)
    dot = np.full((1, 1, 3), 255, np.uint8)
    black = np.zeros((30, 30, 3), np.uint8)
    difference, _, alike = compared(white, dot)
    assert (difference, alike) == (0.0, 1.0)
    assert compared(white, black)[0] > likeness.MAX_DIFFERENCE
    difference, _, alike = compared(white, garment_on_white(1))
    assert difference > likeness.MAX_DIFFERENCE
    assert alike == 0.0
