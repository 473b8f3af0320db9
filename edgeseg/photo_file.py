"""Picture files into arrays: `(H, W, 3)` uint8 RGB, upright, opaque.

Decoding is guarded by :mod:`edgeseg.photo_header`, so that a bomb or a half-copied file never
reaches the decoder. A phone's photo is decoded no larger than it is needed: what is left then is
reading the JPEG's entropy-coded bits, one after the other.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import limits
from edgeseg.errors import EdgesegError, PhotoError
from edgeseg.files import read_bounded
from edgeseg.jpeg_scans import without_fine_scans
from edgeseg.opencv import alike, cv2
from edgeseg.photo_header import HeaderError, PhotoHeader, read_header

Photo = NDArray[np.uint8]
PhotoSource = str | os.PathLike[str] | bytes

MASK_THRESHOLD = 128
# The most a JPEG can have; libpng refuses a million with lines of its own on stderr.
_MAX_SIDE_PX = 65_535
# A JPEG's blocks of 8 x 8 pixels can be decoded to fewer, which costs less.
_REDUCED = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
}
# From 4.11 on the decoder can put red first, which saves a pass over the pixels.
_RED_FIRST = getattr(cv2, "IMREAD_COLOR_RGB", None)
# EXIF orientations that a rotation undoes, and those that a mirroring undoes (0 top and bottom, 1
# left and right, -1 both), of which 7 is transposed first.
_TURNS = {3: cv2.ROTATE_180, 6: cv2.ROTATE_90_CLOCKWISE, 8: cv2.ROTATE_90_COUNTERCLOCKWISE}
_MIRRORS = {2: 1, 4: 0, 7: -1}
# A damaged picture is told by one exception; OpenCV (4, or 5) would add lines of its own.
(getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel)(0)


@dataclass(frozen=True, eq=False)
class _Stored:
    """Pixels as a file has them, the orientation still to apply, and whether red comes first."""

    pixels: NDArray[Any]
    orientation: int
    red_first: bool


def read_photo(
    source: PhotoSource, name: str | None = None, *, enough_px: int | None = None
) -> Photo:
    """Decode a photo, upright and opaque.

    EXIF orientation is applied, transparency is laid over white, grey becomes RGB, 16 bits become
    8, CMYK becomes RGB, and of an animation the first frame is taken.

    Args:
        source: A path, or the bytes of a file (JPEG, PNG, WebP, BMP, TIFF or GIF).
        name: What messages call it, when `source` is bytes.
        enough_px: A shorter side that is enough. A JPEG is then decoded at an eighth, a quarter or
            half of its size, the least that has it; None decodes every pixel.

    Returns:
        `(H, W, 3)` uint8 RGB.

    Raises:
        PhotoError: If it can't be read, isn't a picture, is damaged or cut short, or is above
            `MAX_PHOTO_BYTES` or `MAX_PHOTO_PIXELS`. One line that names the file.
    """
    stored = _decode(source, name, enough_px=enough_px)
    return _upright(_opaque_rgb(stored, background=255), stored.orientation)


def read_mask(source: PhotoSource, name: str | None = None) -> NDArray[np.bool_]:
    """Decode a mask picture; a pixel is foreground from 128 up.

    Returns:
        `(H, W)` bool.

    Raises:
        PhotoError: As `read_photo`.
    """
    stored = _decode(source, name)
    rgb = _upright(_opaque_rgb(stored, background=0), stored.orientation)
    grey: NDArray[np.bool_] = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) >= MASK_THRESHOLD
    return grey


def read_category_mask(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Decode a picture whose grey values are class ids, as `(H, W)` uint8.

    Raises:
        PhotoError: As `read_photo`, and if it isn't grey with 8 bits: a palette's ids get lost.
    """
    stored = _decode(path, as_colour=False)
    if stored.pixels.ndim != 2 or stored.pixels.dtype != np.uint8:
        raise PhotoError(f"{path}: class ids need a grey picture of 8 bits, without a palette")
    return _upright(stored.pixels, stored.orientation)


def _opened(source: PhotoSource, name: str | None) -> tuple[bytes, str, PhotoHeader]:
    """Give a file's bytes, what messages call it, and its header, within the limits."""
    if isinstance(source, bytes):
        data, label = source, name or "photo"
    else:
        label = name or str(Path(source))
        try:
            data = read_bounded(Path(source), limits.MAX_PHOTO_BYTES, "photo")
        except EdgesegError as error:
            raise PhotoError(str(error)) from error
    if len(data) > limits.MAX_PHOTO_BYTES:
        raise PhotoError(f"{label}: more than {limits.MAX_PHOTO_BYTES >> 20} MiB")
    try:
        header = read_header(data)
    except HeaderError as error:
        raise PhotoError(f"{label}: {error}") from error
    if header.width * header.height > limits.MAX_PHOTO_PIXELS:
        raise PhotoError(
            f"{label}: {header.width} x {header.height} pixels are more than the "
            f"{limits.MAX_PHOTO_PIXELS // 1_000_000} million allowed; make it smaller first"
        )
    if max(header.width, header.height) > _MAX_SIDE_PX:
        raise PhotoError(
            f"{label}: {header.width} x {header.height} pixels: "
            f"a side is longer than {_MAX_SIDE_PX}"
        )
    return data, label, header


def _decode(
    source: PhotoSource,
    name: str | None = None,
    *,
    enough_px: int | None = None,
    as_colour: bool = True,
) -> _Stored:
    alike()
    data, label, header = _opened(source, name)
    # UNCHANGED keeps alpha and 16 bits and leaves the orientation to us: OpenCV's own handling of
    # it differs by format and by version.
    flags = cv2.IMREAD_UNCHANGED
    red_first = False
    if header.format == "JPEG" and as_colour:
        shorter = min(header.width, header.height)
        fits = (each for each in _REDUCED if enough_px is not None and shorter // each >= enough_px)
        factor = next(fits, 1)
        if factor > 1:
            flags = _REDUCED[factor] | cv2.IMREAD_IGNORE_ORIENTATION
        elif _RED_FIRST is not None:
            flags = _RED_FIRST | cv2.IMREAD_IGNORE_ORIENTATION
            red_first = True
        if factor == 8:
            data = without_fine_scans(data, header.jpeg_segments) or data
    try:
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise PhotoError(f"{label}: the {header.format} cannot be decoded (damaged?)") from error
    if stored is None or stored.size == 0:
        raise PhotoError(f"{label}: the {header.format} cannot be decoded (damaged?)")
    if stored.dtype not in (np.uint8, np.uint16):
        raise PhotoError(f"{label}: {stored.dtype} pixels are not supported; save it as 8 bits")
    return _Stored(stored, header.orientation, red_first)


def _opaque_rgb(decoded: _Stored, background: int) -> Photo:
    stored = decoded.pixels
    if decoded.red_first:
        return stored
    if stored.dtype == np.uint16:
        # 65535 / 255 = 257: full white stays full white.
        stored = ((stored.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if stored.ndim == 2:
        return np.asarray(cv2.cvtColor(stored, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
    channels = stored.shape[2]
    if channels == 1:
        return np.repeat(stored, 3, axis=2)
    if channels == 2:
        grey, alpha = stored[:, :, :1], stored[:, :, 1:]
        stored = np.concatenate([grey, grey, grey, alpha], axis=2)
    if channels == 3:
        return np.asarray(cv2.cvtColor(stored, cv2.COLOR_BGR2RGB, dst=stored), dtype=np.uint8)
    alpha = stored[:, :, 3]
    rgb = np.asarray(cv2.cvtColor(stored, cv2.COLOR_BGRA2RGB), dtype=np.uint8)
    if alpha.min() == 255:
        return rgb
    return over_colour(np.dstack([rgb, alpha]), (background, background, background))


def _upright(image: Photo, orientation: int) -> Photo:
    """Undo an EXIF orientation (TIFF tag 274, values 1..8)."""
    # Of a phone's photo OpenCV turns all pixels in a quarter of the time of NumPy's strided copy.
    if orientation in _TURNS:
        return np.asarray(cv2.rotate(image, _TURNS[orientation]), dtype=np.uint8)
    if orientation in (5, 7):
        image = np.asarray(cv2.transpose(image), dtype=np.uint8)
    if orientation in _MIRRORS:
        return np.asarray(cv2.flip(image, _MIRRORS[orientation]), dtype=np.uint8)
    return image


def over_colour(rgba: NDArray[np.uint8], colour: tuple[int, int, int]) -> Photo:
    """Lay `(H, W, 4)` uint8 RGBA over one colour: `(H, W, 3)` uint8 RGB."""
    alpha = rgba[:, :, 3:].astype(np.uint16)
    mixed = rgba[:, :, :3] * alpha + np.array(colour, dtype=np.uint16) * (255 - alpha)
    # At most 255 * 255, so that rounding still fits 16 bits.
    return ((mixed + np.uint16(127)) // np.uint16(255)).astype(np.uint8)
