"""Imaging: every kind of file decodes right or is refused in one clear line."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgeseg import imaging, limits
from edgeseg.errors import PhotoError
from edgeseg.imaging import Box, read_mask, read_photo
from edgeseg.montage import montage

image_module = pytest.importorskip("PIL.Image", reason="Pillow makes the odd files")


def smooth_picture(width: int = 60, height: int = 80) -> Any:
    """A PIL picture without symmetry, smooth enough for JPEG."""
    noise = np.random.default_rng(7).integers(0, 255, (6, 5, 3), dtype=np.uint8)
    return image_module.fromarray(noise).resize((width, height), image_module.BILINEAR)


def encoded(picture: Any, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_that_claims(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\x00" * 1000)
    chunks = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def jpeg_that_claims(width: int, height: int) -> bytes:
    data = bytearray(encoded(smooth_picture(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_that_claims(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x00" * 4 + size
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bmp_that_claims(width: int, height: int) -> bytes:
    data = bytearray(encoded(smooth_picture(), "BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def tiff_that_claims(width: int, height: int) -> bytes:
    entries = [(256, 4, 1, width), (257, 4, 1, height)]
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\x00" + struct.pack("<IH", 8, len(entries)) + packed + b"\x00" * 4


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "empty"),
    "one byte": (lambda: b"\xff", "not a picture"),
    "zero bytes only": (lambda: b"\x00" * 4096, "zero bytes"),
    "text": (lambda: b"this is a note, not a photo\n" * 20, "text file"),
    "CSV in UTF-8": (lambda: "sku,image\nä,b.jpg\n".encode(), "text file"),
    "HTML": (lambda: b"<!doctype html><html></html>", "text file"),
    "PDF": (lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
    "ZIP": (lambda: b"PK\x03\x04" + bytes(100), "ZIP"),
    "video": (lambda: b"\x00\x00\x00\x20ftypisom" + bytes(100), "video"),
    "HEIC": (lambda: b"\x00\x00\x00\x18ftypheic" + bytes(100), "HEIC"),
    "AVIF": (lambda: b"\x00\x00\x00\x18ftypavif" + bytes(100), "AVIF"),
    "random bytes": (lambda: np.random.default_rng(0).bytes(5000), "unknown kind"),
    "JPEG start only": (lambda: b"\xff\xd8", "cut short"),
    "JPEG without pixels": (lambda: b"\xff\xd8\xff\xd9", "no picture"),
    "JPEG cut at a half": (lambda: cut(encoded(smooth_picture(), "JPEG"), 0.5), "cut short"),
    "JPEG cut at the last byte": (lambda: encoded(smooth_picture(), "JPEG")[:-1], "cut short"),
    "JPEG with a zeroed half": (
        lambda: cut(encoded(smooth_picture(), "JPEG"), 0.5) + bytes(1000),
        "cut short",
    ),
    "progressive JPEG cut": (
        lambda: cut(encoded(smooth_picture(300, 300), "JPEG", progressive=True), 0.7),
        "cut short",
    ),
    "JPEG cut whose thumbnail is whole": (
        lambda: cut(
            encoded(smooth_picture(), "JPEG", exif=b"Exif\x00\x00" + b"\xff\xd8\xff\xd9" * 9), 0.9
        ),
        "cut short",
    ),
    "PNG cut": (lambda: cut(encoded(smooth_picture(), "PNG"), 0.6), "cut short"),
    "PNG without its end": (lambda: encoded(smooth_picture(), "PNG")[:-12], "cut short"),
    "PNG with a flipped bit": (
        lambda: (lambda data: data[:900] + bytes([data[900] ^ 1]) + data[901:])(
            encoded(smooth_picture(), "PNG")
        ),
        "checksum",
    ),
    "PNG signature only": (lambda: b"\x89PNG\r\n\x1a\n", "cut short"),
    "WebP cut": (lambda: cut(encoded(smooth_picture(), "WEBP"), 0.6), "cut short"),
    "GIF cut": (lambda: cut(encoded(smooth_picture(), "GIF"), 0.6), "cut short"),
    "BMP cut": (lambda: cut(encoded(smooth_picture(), "BMP"), 0.6), "cut short"),
    "TIFF cut": (lambda: cut(encoded(smooth_picture(), "TIFF"), 0.6), "decoded"),
    "TIFF that points outside": (lambda: b"II*\x00\xff\xff\xff\x7f" + bytes(20), "cut short"),
    "float TIFF": (
        lambda: encoded(image_module.fromarray(np.ones((4, 4), np.float32)), "TIFF"),
        "float32",
    ),
    "PNG bomb": (lambda: png_that_claims(20_000, 10_000), "million"),
    "JPEG bomb": (lambda: jpeg_that_claims(20_000, 10_000), "million"),
    "WebP bomb": (lambda: webp_that_claims(16_000, 16_000), "million"),
    "BMP bomb": (lambda: bmp_that_claims(200_000, 1), "cut short"),
    "TIFF bomb": (lambda: tiff_that_claims(20_000, 10_000), "million"),
    "PNG of no width": (lambda: png_that_claims(0, 10), "size 0 x 10"),
    "PNG of two thousand million columns": (lambda: png_that_claims(2**31 - 1, 1), "million"),
    "PNG of a million columns": (lambda: png_that_claims(1_000_001, 1), "longer than"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_bad_file_is_refused_in_one_line_that_names_it(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, reason = REFUSED[kind]
    path = tmp_path / "photo.jpg"
    path.write_bytes(make())
    with pytest.raises(PhotoError) as caught:
        read_photo(path)
    message = str(caught.value)
    assert reason in message
    assert str(path) in message
    assert "\n" not in message
    with pytest.raises(PhotoError, match="from stdin"):
        read_photo(path.read_bytes(), "from stdin")
    # Nothing else may reach the terminal: decoders like to print.
    assert capfd.readouterr() == ("", "")


def test_unreadable_places_are_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    places = [tmp_path, tmp_path / "none.jpg", pipe, loop, "/dev/zero", "a\x00b.jpg", "x" * 5000]
    for place in places:
        with pytest.raises(PhotoError) as caught:
            read_photo(place)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(smooth_picture(), "PNG"))
    path.chmod(0)
    with pytest.raises(PhotoError, match="ermission"):
        read_photo(path)


def test_a_file_above_the_byte_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(limits.MAX_PHOTO_BYTES + 1)
    with pytest.raises(PhotoError, match=r"huge\.jpg"):
        read_photo(path)
    with pytest.raises(PhotoError, match="MiB"):
        read_photo(bytes(limits.MAX_PHOTO_BYTES + 1))


def test_a_bomb_is_refused_without_its_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_that_claims(14_000, 14_000))
    # 196 million pixels would take 590 MB; the limit holds the decoder far below.
    script = (
        "import resource, sys\n"
        "from edgeseg.errors import PhotoError\n"
        "from edgeseg.imaging import read_photo\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    read_photo(sys.argv[1])\nexcept PhotoError:\n    pass\n"
        "else:\n    sys.exit('decoded')\n"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
        "sys.exit(0 if grown < 20_000 else f'grew by {grown} KiB')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def assert_near(photo: np.ndarray, reference: Any, tolerance: float) -> None:
    wanted = np.asarray(reference.convert("RGB"))
    assert photo.shape == wanted.shape
    assert photo.dtype == np.uint8
    assert np.abs(photo.astype(int) - wanted.astype(int)).mean() <= tolerance


# Lossless files come back exactly; lossy ones differ from Pillow's own decoding only by the
# rounding of the colour conversion (one or two of 255 on average).
DECODED: dict[str, tuple[str, str, dict[str, Any], float]] = {
    "JPEG": ("RGB", "JPEG", {}, 2.0),
    "progressive JPEG": ("RGB", "JPEG", {"progressive": True}, 2.0),
    "grey JPEG": ("L", "JPEG", {}, 1.0),
    "CMYK JPEG": ("CMYK", "JPEG", {"quality": 95}, 2.0),
    "PNG": ("RGB", "PNG", {}, 0.0),
    "grey PNG": ("L", "PNG", {}, 0.0),
    "grey PNG with alpha": ("LA", "PNG", {}, 0.0),
    "palette PNG": ("P", "PNG", {}, 0.0),
    "black-and-white PNG": ("1", "PNG", {}, 0.0),
    "WebP": ("RGB", "WEBP", {}, 2.0),
    "lossless WebP": ("RGB", "WEBP", {"lossless": True}, 0.0),
    "GIF": ("P", "GIF", {}, 0.0),
    "BMP": ("RGB", "BMP", {}, 0.0),
    "grey BMP": ("L", "BMP", {}, 0.0),
    "TIFF": ("RGB", "TIFF", {}, 0.0),
    "LZW TIFF": ("RGB", "TIFF", {"compression": "tiff_lzw"}, 0.0),
    "CMYK TIFF": ("CMYK", "TIFF", {}, 2.0),
}


@pytest.mark.parametrize("kind", DECODED)
def test_each_kind_decodes_as_pillow_does(kind: str) -> None:
    mode, container, options, tolerance = DECODED[kind]
    data = encoded(smooth_picture().convert(mode), container, **options)
    assert_near(read_photo(data), image_module.open(io.BytesIO(data)), tolerance)


@pytest.mark.parametrize("container", ["GIF", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(container: str) -> None:
    first = smooth_picture().quantize(200).convert("RGB")
    others = [first.rotate(180), first.rotate(90).resize(first.size)]
    options: dict[str, Any] = {"lossless": True} if container == "WEBP" else {}
    data = encoded(first, container, save_all=True, append_images=others, **options)
    assert_near(read_photo(data), first, 0.0)


def test_sixteen_bits_become_eight() -> None:
    grey = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16)
    grey[-1, -1] = 65535
    photo = read_photo(encoded(image_module.fromarray(grey), "PNG"))
    np.testing.assert_array_equal(photo[:, :, 0], np.rint(grey / 257.0))
    assert photo[-1, -1, 0] == 255


def test_alpha_is_laid_over_white() -> None:
    rgba = np.zeros((2, 3, 4), np.uint8)
    rgba[:, :, 0] = 200
    rgba[:, 1, 3], rgba[:, 2, 3] = 128, 255
    photo = read_photo(encoded(image_module.fromarray(rgba), "PNG"))
    assert photo[0].tolist() == [[255, 255, 255], [227, 127, 127], [200, 0, 0]]


def test_a_transparent_palette_colour_is_white() -> None:
    picture = image_module.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60] + [0] * 762)
    picture.putpixel((1, 0), 1)
    photo = read_photo(encoded(picture, "PNG", transparency=0))
    assert photo[0].tolist() == [[255, 255, 255], [40, 50, 60]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("container", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_comes_out_upright(container: str, orientation: int) -> None:
    upright = np.zeros((64, 96, 3), np.uint8)
    # Red top left, green top right, blue bottom left: no two orientations look alike.
    upright[:32, :32], upright[:32, 64:], upright[32:, :32] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    # How a camera stores the picture so that the tag undoes it (TIFF 6.0, tag 274).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = image_module.Exif()
    exif[274] = orientation
    picture = image_module.fromarray(np.ascontiguousarray(stored))
    photo = read_photo(encoded(picture, container, exif=exif))
    assert photo.shape == upright.shape
    # The middle of each corner: away from JPEG's ringing, exact to its colour rounding.
    for row, column in ((12, 12), (12, 84), (52, 12), (52, 84)):
        difference = photo[row, column].astype(int) - upright[row, column].astype(int)
        assert np.abs(difference).max() <= 8


@pytest.mark.parametrize(
    ("enough_px", "height", "width"),
    [(241, 640, 480), (240, 320, 240), (121, 320, 240), (120, 160, 120), (60, 80, 60), (1, 80, 60)],
)
def test_a_jpeg_is_decoded_no_larger_than_is_enough(
    enough_px: int, height: int, width: int
) -> None:
    picture = smooth_picture(480, 640)
    photo = read_photo(encoded(picture, "JPEG", quality=95), enough_px=enough_px)
    assert photo.shape == (height, width, 3)
    # Two ways to average a block: they differ by what rounding and the block's edge leave.
    assert_near(photo, picture.resize((width, height), image_module.BOX), tolerance=2.0)


@pytest.mark.parametrize(("mode", "orientation"), [("L", 1), ("CMYK", 1), ("RGB", 6), ("RGB", 3)])
def test_a_smaller_jpeg_has_the_whole_ones_colours_and_orientation(
    mode: str, orientation: int
) -> None:
    exif = image_module.Exif()
    exif[274] = orientation
    data = encoded(smooth_picture(128, 96).convert(mode), "JPEG", exif=exif, quality=95)
    whole, half = read_photo(data), read_photo(data, enough_px=48)
    assert half.shape == (whole.shape[0] // 2, whole.shape[1] // 2, 3)
    wanted = image_module.fromarray(whole).resize(half.shape[1::-1], image_module.BOX)
    assert_near(half, wanted, tolerance=2.0)


def test_only_a_jpeg_is_decoded_smaller() -> None:
    assert read_photo(encoded(smooth_picture(), "PNG"), enough_px=1).shape == (80, 60, 3)


@pytest.mark.parametrize("exif", [b"", b"Exif\x00\x00", b"Exif\x00\x00II*\x00\xff\xff\xff\xff"])
def test_a_broken_exif_block_harms_no_picture(exif: bytes) -> None:
    assert read_photo(encoded(smooth_picture(), "JPEG", exif=exif)).shape == (80, 60, 3)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 500), (500, 1), (60_000, 1), (3, 2)])
@pytest.mark.parametrize("container", ["PNG", "JPEG"])
def test_odd_sizes_decode(width: int, height: int, container: str) -> None:
    picture = image_module.new("RGB", (width, height), (10, 20, 30))
    assert read_photo(encoded(picture, container)).shape == (height, width, 3)


@pytest.mark.parametrize(("width", "height", "factor"), [(800, 640, 8), (830, 658, 9)])
def test_halving_first_changes_no_value_by_more_than_2(
    width: int, height: int, factor: int
) -> None:
    rng = np.random.default_rng(3)
    grain = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    photo = np.asarray(smooth_picture().resize((width, height))) // 8 * 7 + grain // 8
    to = (width // factor, height // factor)
    directly = cv2.resize(photo, to, interpolation=cv2.INTER_AREA)
    difference = imaging.resize(photo, *to).astype(int) - directly
    assert np.abs(difference).max() <= 2


def test_trailing_bytes_as_phones_append_them_are_ignored() -> None:
    assert read_photo(encoded(smooth_picture(), "JPEG") + b"SEFT" * 50).shape == (80, 60, 3)


def test_every_real_photo_passes_the_wholeness_check(shared_data: Path) -> None:
    photos = sorted((shared_data / "segmentation").rglob("*.jpg"))[::40]
    assert photos
    for path in photos:
        assert read_photo(path).shape[2] == 3


def test_a_mask_is_foreground_from_128_up() -> None:
    grey = np.array([[0, 127, 128, 255]], np.uint8)
    mask = read_mask(encoded(image_module.fromarray(grey), "PNG"))
    assert mask.dtype == np.bool_
    assert mask.tolist() == [[False, False, True, True]]


def test_transparent_parts_of_a_mask_are_background() -> None:
    rgba = np.full((1, 2, 4), 255, np.uint8)
    rgba[0, 0, 3] = 0
    assert read_mask(encoded(image_module.fromarray(rgba), "PNG")).tolist() == [[False, True]]


@pytest.mark.parametrize("channels", [None, 3, 4])
def test_png_keeps_every_pixel(channels: int | None) -> None:
    shape = (7, 5) if channels is None else (7, 5, channels)
    pixels = np.random.default_rng(1).integers(0, 255, shape, dtype=np.uint8)
    back = np.asarray(image_module.open(io.BytesIO(imaging.encode_png(pixels))))
    np.testing.assert_array_equal(back, pixels)


def test_a_bool_mask_is_written_as_0_and_255() -> None:
    mask = np.array([[True, False]])
    assert read_photo(imaging.encode_png(mask))[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize("array", [np.zeros((2, 2), np.float32), np.zeros((0, 2, 3), np.uint8)])
def test_what_cannot_be_encoded_is_a_value_error(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cannot encode"):
        imaging.encode_png(array)


def test_jpeg_has_red_where_red_was() -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    photo = read_photo(imaging.encode_jpeg(red))
    # JPEG at quality 90 keeps a flat colour within a few of 255.
    assert np.abs(photo.astype(int) - red.astype(int)).max() <= 4


def test_a_crop_reaches_beyond_the_picture_in_white() -> None:
    picture = np.full((10, 20, 3), 7, np.uint8)
    crop = imaging.crop_on_white(picture, None, Box(0, 0, 20, 10), margin=0.1)
    assert crop.shape == (14, 24, 3)
    assert (crop[2:12, 2:22] == 7).all()
    crop[2:12, 2:22] = 255
    assert (crop == 255).all()


def test_a_crop_whitens_what_the_mask_leaves_out() -> None:
    picture = np.full((10, 10, 3), 7, np.uint8)
    mask = np.zeros((10, 10), np.uint8)
    mask[2:5, 3:8] = 1
    crop = imaging.crop_on_white(picture, mask, Box(3, 2, 8, 5), margin=0.2)
    assert crop.shape == (5, 7, 3)
    assert (crop[1:4, 1:6] == 7).all()
    assert (crop == 7).sum() == 15 * 3


def test_over_colour_mixes_by_alpha() -> None:
    rgba = np.array([[[100, 0, 0, 255], [100, 0, 0, 0], [100, 0, 0, 51]]], np.uint8)
    out = imaging.over_colour(rgba, (0, 200, 0))
    assert out[0].tolist() == [[100, 0, 0], [0, 200, 0], [20, 160, 0]]


@pytest.mark.parametrize(
    ("text", "colour"),
    [("#ff8000", (255, 128, 0)), ("#F80", (255, 136, 0)), (" White ", (255, 255, 255))],
)
def test_colours_are_read(text: str, colour: tuple[int, int, int]) -> None:
    assert imaging.parse_colour(text) == colour


@pytest.mark.parametrize("text", ["", "#12", "#12345g", "reddish", "#1234567"])
def test_what_is_no_colour_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="no colour"):
        imaging.parse_colour(text)


def test_a_montage_lays_tiles_out_in_rows() -> None:
    red, tall = np.zeros((30, 60, 3), np.uint8), np.full((60, 6, 3), 90, np.uint8)
    red[..., 0] = 255
    sheet = montage([(red, "a"), (tall, "Grüße"), (red, "")], columns=2, tile_px=50)
    assert sheet.shape == (2 * 68, 100, 3)
    assert sheet[25, 25].tolist() == [255, 0, 0]
    assert sheet[25, 75].tolist() == [90, 90, 90]
    assert sheet[68 + 25, 25].tolist() == [255, 0, 0]
    assert (sheet[68:, 50:] == 255).all()
    # Captions are dark on white below their tile.
    assert sheet[50:68, :50].min() < 100
    with pytest.raises(ValueError, match="montage"):
        montage([], columns=2)
