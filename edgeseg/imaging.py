"""Pictures in and out of arrays: the file that knows OpenCV.

Everything outside works on `(H, W, 3)` uint8 RGB, upright, opaque. Decoding is guarded by
:mod:`edgeseg.photo_header`, so that a bomb or a half-copied file never reaches the decoder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg import limits
from edgeseg.colours import parse_colour as parse_colour
from edgeseg.errors import EdgesegError, PhotoError
from edgeseg.files import read_bounded
from edgeseg.photo_header import HeaderError, read_header

Photo = NDArray[np.uint8]
PhotoSource = str | os.PathLike[str] | bytes

MASK_THRESHOLD = 128
# The most a JPEG can have; libpng refuses a million with lines of its own on stderr.
_MAX_SIDE_PX = 65_535
# A JPEG's blocks of 8 x 8 pixels can be decoded to fewer, which costs less.
_REDUCED = (
    (8, cv2.IMREAD_REDUCED_COLOR_8),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
)
# Shrunk alike on every processor, which takes eight bytes a value for a moment.
_MAX_EXACT_VALUES = 4_000_000
# Of 255: above what OpenCV's float32 weights are off by, far below what a network sees.
_TIE = 5e-5
# x86-64 builds of OpenCV resize floats by Intel's library, whose results differ from OpenCV's own
# code, the only one on other processors, by more than rounding: masks would have other edges.
cv2.ipp.setUseIPP(False)
# A damaged picture is told by one exception; OpenCV (4, or 5) would add lines of its own.
(getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel)(0)


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels; `right` and `bottom` are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns inside."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows inside."""
        return self.bottom - self.top


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
    stored, orientation = _decode(source, name, enough_px)
    return _upright(_opaque_rgb(stored, background=255), orientation)


def read_mask(source: PhotoSource, name: str | None = None) -> NDArray[np.bool_]:
    """Decode a mask picture; a pixel is foreground from 128 up.

    Returns:
        `(H, W)` bool.

    Raises:
        PhotoError: As `read_photo`.
    """
    stored, orientation = _decode(source, name)
    rgb = _upright(_opaque_rgb(stored, background=0), orientation)
    grey: NDArray[np.bool_] = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) >= MASK_THRESHOLD
    return grey


def read_category_mask(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Decode a picture whose grey values are class ids, as `(H, W)` uint8.

    Raises:
        PhotoError: As `read_photo`, and if it isn't grey with 8 bits: a palette's ids get lost.
    """
    stored, orientation = _decode(path)
    if stored.ndim != 2 or stored.dtype != np.uint8:
        raise PhotoError(f"{path}: class ids need a grey picture of 8 bits, without a palette")
    return _upright(stored, orientation)


def _decode(
    source: PhotoSource, name: str | None = None, enough_px: int | None = None
) -> tuple[NDArray[Any], int]:
    """Give the pixels as OpenCV stores them (BGR order), and the orientation still to apply."""
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
    # UNCHANGED keeps alpha and 16 bits and leaves the orientation to us: OpenCV's own handling of
    # it differs by format and by version.
    flags = cv2.IMREAD_UNCHANGED
    if enough_px is not None and header.format == "JPEG":
        shorter = min(header.width, header.height)
        fits = (flag for factor, flag in _REDUCED if shorter // factor >= enough_px)
        flags = next((flag | cv2.IMREAD_IGNORE_ORIENTATION for flag in fits), flags)
    try:
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise PhotoError(f"{label}: the {header.format} cannot be decoded (damaged?)") from error
    if stored is None or stored.size == 0:
        raise PhotoError(f"{label}: the {header.format} cannot be decoded (damaged?)")
    if stored.dtype not in (np.uint8, np.uint16):
        raise PhotoError(f"{label}: {stored.dtype} pixels are not supported; save it as 8 bits")
    return stored, header.orientation


def _opaque_rgb(stored: NDArray[Any], background: int) -> Photo:
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
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    # After the transposition: which axes are still mirrored.
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def require_rgb(image: NDArray[np.uint8]) -> None:
    """Refuse what isn't a non-empty `(H, W, 3)` uint8 picture.

    Raises:
        ValueError: A caller's mistake, with the shape and dtype that came.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise ValueError("a picture must be a uint8 array")
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"a picture must be (H, W, 3) RGB and not empty, not {image.shape}")


def resize(image: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """Resize once: by area when shrinking (no aliasing), bilinear when growing.

    A shrunk uint8 picture is the same on every processor, up to 1.3 million pixels of three values:
    a photo is decoded to fewer, see `read_photo`. In a larger one a value may differ by one.

    Args:
        image: `(H, W)` or `(H, W, C)`, uint8 or float32.
        width: New width in pixels.
        height: New height in pixels.
    """
    if image.shape[:2] == (height, width):
        return image
    shrinks = width * height < image.shape[0] * image.shape[1]
    if shrinks and image.dtype == np.uint8 and image.size <= _MAX_EXACT_VALUES:
        return _shrunk_alike(image, width, height)
    rule = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized: NDArray[Any] = cv2.resize(image, (width, height), interpolation=rule)
    return resized


def _shrunk_alike(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Shrink by area to the same bytes on every processor.

    OpenCV's uint8 path sums in float32, fused where a processor can, so that averages half a step
    from two values go up here and down there: at 320 to 224 pixels, one value in 700, and matches
    came in another order. Float64 sums agree to 1e-12 in any order, and a half always goes up.
    """
    averages = cv2.resize(image.astype(np.float64), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(np.floor(averages + (0.5 + _TIE)), dtype=np.uint8)


def resize_bilinear(image: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """Resize bilinearly whichever way, for smooth maps such as confidence masks."""
    resized: NDArray[Any] = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return resized


def bounding_box(mask: NDArray[np.uint8] | NDArray[np.bool_]) -> Box | None:
    """Give the smallest box around what isn't 0 in `(H, W)`, None if all is."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return Box(left, top, left + width, top + height) if width else None


def crop_on_white(image: Photo, mask: NDArray[Any] | None, box: Box, margin: float = 0.04) -> Photo:
    """Cut a box out, with a margin, and make everything outside the mask white.

    Args:
        image: `(H, W, 3)` uint8 RGB.
        mask: `(H, W)`, foreground where it isn't 0; None keeps the background inside the box.
        box: What to cut out.
        margin: White or background on each side, as a share of the box's longer side. Where it
            reaches beyond the picture it is white, so that framing is the same everywhere.

    Returns:
        `(h, w, 3)` uint8 RGB.
    """
    require_rgb(image)
    height, width = image.shape[:2]
    pad = round(margin * max(box.width, box.height))
    crop = np.full((box.height + 2 * pad, box.width + 2 * pad, 3), 255, dtype=np.uint8)
    left, top = box.left - pad, box.top - pad
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(box.right + pad, width), min(box.bottom + pad, height)
    inside = crop[y0 - top : y1 - top, x0 - left : x1 - left]
    source = image[y0:y1, x0:x1]
    if mask is None:
        inside[...] = source
    else:
        # Twenty times as fast as NumPy's masked copy.
        cv2.copyTo(source, (mask[y0:y1, x0:x1] != 0).view(np.uint8), inside)
    return crop


def encode_png(image: NDArray[Any]) -> bytes:
    """Encode `(H, W)` uint8 or bool, `(H, W, 3)` RGB or `(H, W, 4)` RGBA uint8 as PNG."""
    return _encode(".png", image, [])


def encode_jpeg(image: Photo, quality: int = 90) -> bytes:
    """Encode `(H, W, 3)` uint8 RGB or `(H, W)` uint8 as JPEG, quality 1..100."""
    return _encode(".jpg", image, [int(cv2.IMWRITE_JPEG_QUALITY), quality])


def _encode(suffix: str, image: NDArray[Any], options: list[int]) -> bytes:
    if image.dtype == np.bool_:
        image = image.astype(np.uint8) * np.uint8(255)
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.size == 0:
        raise ValueError(f"cannot encode {image.dtype} of shape {image.shape}")
    if image.ndim == 3:
        swap = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
        image = cv2.cvtColor(image, swap)
    done, data = cv2.imencode(suffix, image, options)
    if not done:
        raise ValueError(f"OpenCV cannot encode {image.shape} as {suffix}")
    return bytes(data)


def over_colour(rgba: NDArray[np.uint8], colour: tuple[int, int, int]) -> Photo:
    """Lay `(H, W, 4)` uint8 RGBA over one colour: `(H, W, 3)` uint8 RGB."""
    alpha = rgba[:, :, 3:].astype(np.uint16)
    mixed = rgba[:, :, :3] * alpha + np.array(colour, dtype=np.uint16) * (255 - alpha)
    # At most 255 * 255, so that rounding still fits 16 bits.
    return ((mixed + np.uint16(127)) // np.uint16(255)).astype(np.uint8)


def draw_text(image: Photo, text: str, left: int, baseline: int, scale: float = 0.4) -> None:
    """Write black text into a picture, in place; what isn't ASCII becomes a question mark."""
    plain = text.encode("ascii", "replace").decode("ascii")
    drawn = np.ascontiguousarray(image)
    cv2.putText(
        drawn, plain, (left, baseline), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA
    )
    image[...] = drawn
