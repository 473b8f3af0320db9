"""A progressive JPEG without its fine scans: the same picture at an eighth, from fewer bytes."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pytest

from edgeseg.imaging import read_photo
from edgeseg.jpeg_scans import without_fine_scans
from edgeseg.photo_header import read_header

image_module = pytest.importorskip("PIL.Image", reason="Pillow makes the odd files")

WIDTH, HEIGHT = 520, 392
# Pillow's names: full-size colour, half the width, half of both.
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")


def grained_picture() -> Any:
    """A PIL picture with detail in every block, for smoothing between blocks to differ from it."""
    rng = np.random.default_rng(5)
    coarse = image_module.fromarray(rng.integers(0, 255, (7, 9, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), image_module.BICUBIC)).astype(int)
    return image_module.fromarray(
        np.clip(smooth + rng.integers(-30, 31, smooth.shape), 0, 255).astype(np.uint8)
    )


def progressive(mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    options = {"quality": 75, "progressive": True} | options
    grained_picture().convert(mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def shortened(data: bytes) -> bytes | None:
    return without_fine_scans(data, read_header(data).jpeg_segments)


def at_an_eighth(data: bytes) -> np.ndarray:
    flags = cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), flags))


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        *(("RGB", {"subsampling": kind}) for kind in SUBSAMPLINGS),
        ("RGB", {"subsampling": "4:2:0", "restart_marker_blocks": 7}),
        ("RGB", {"exif": b"Exif\x00\x00" + b"\xff\xda\x00\x0c" * 20}),
        ("L", {}),
        ("CMYK", {}),
    ],
)
def test_the_picture_at_an_eighth_is_the_same_from_fewer_bytes(
    mode: str, options: dict[str, Any]
) -> None:
    data = progressive(mode, **options)
    short = shortened(data)
    assert short is not None
    # Means are a small part of a file with grain in it.
    assert len(short) < len(data) / 2
    np.testing.assert_array_equal(at_an_eighth(short), at_an_eighth(data))
    # What was left out was the detail of the picture at its own size.
    assert not np.array_equal(read_photo(short), read_photo(data))


def test_a_photo_read_at_an_eighth_has_the_same_pixels_however_it_is_coded() -> None:
    baseline = read_photo(progressive(progressive=False), enough_px=HEIGHT // 8)
    np.testing.assert_array_equal(read_photo(progressive(), enough_px=HEIGHT // 8), baseline)


def test_a_baseline_jpeg_has_nothing_to_leave_out() -> None:
    assert shortened(progressive(progressive=False)) is None


def test_a_table_that_small_colour_needs_too_keeps_the_file_whole() -> None:
    # One table for all components: its steps cannot be dropped for one of them alone.
    table = [20] * 64
    assert shortened(progressive(qtables=[table], subsampling="4:2:0")) is None
    short = shortened(progressive(qtables=[table], subsampling="4:4:4"))
    assert short is not None


def test_a_frame_without_components_keeps_the_file_whole() -> None:
    data = bytearray(progressive())
    at = data.index(b"\xff\xc2")
    data[at + 9] = 0
    assert shortened(bytes(data)) is None
    # One that claims more of them than its length has.
    data[at + 9] = 200
    assert shortened(bytes(data)) is None


def test_more_segments_than_any_photo_has_are_not_remembered() -> None:
    data = progressive()
    header = read_header(data)
    assert header.jpeg_segments[-1].marker == 0xD9
    comments = b"\xff\xfe\x00\x02" * 2_000
    many = read_header(data[:2] + comments + data[2:])
    assert many.jpeg_segments == ()
    assert (many.width, many.height) == (header.width, header.height)
    assert shortened(data[:2] + comments + data[2:]) is None


def test_damage_never_ends_in_another_exception() -> None:
    """Bytes anywhere but in the entropy-coded data are what the shortening reads."""
    data = progressive()
    header_bytes = data.index(b"\xff\xda")
    rng = np.random.default_rng(11)
    for _ in range(400):
        mutated = bytearray(data)
        for at in rng.integers(2, header_bytes, 3):
            mutated[at] = rng.integers(0, 256)
        try:
            segments = read_header(bytes(mutated)).jpeg_segments
        except ValueError:
            continue
        without_fine_scans(bytes(mutated), segments)
