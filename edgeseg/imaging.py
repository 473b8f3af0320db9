"""Pictures as arrays: resized, cropped, laid on white, drawn on and encoded, by OpenCV.

Everything works on `(H, W, 3)` uint8 RGB, upright, opaque, as :mod:`edgeseg.photo_file` reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.colours import parse_colour as parse_colour
from edgeseg.opencv import alike, cv2
from edgeseg.photo_file import MASK_THRESHOLD as MASK_THRESHOLD
from edgeseg.photo_file import Photo as Photo
from edgeseg.photo_file import PhotoSource as PhotoSource
from edgeseg.photo_file import over_colour as over_colour
from edgeseg.photo_file import read_category_mask as read_category_mask
from edgeseg.photo_file import read_mask as read_mask
from edgeseg.photo_file import read_photo as read_photo

# Shrunk alike on every processor, which takes eight bytes a value for a moment.
_MAX_EXACT_VALUES = 4_000_000
# Of 255: above what OpenCV's float32 weights are off by, far below what a network sees.
_TIE = 5e-5


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
    """Resize: by area when shrinking (no aliasing), bilinear when growing.

    A picture of even sides that shrinks at least eightfold is halved first, which OpenCV does
    several times as fast as any other average: a photo's values differ by 2 of 255 at most.

    A shrunk uint8 picture is the same on every processor, up to 1.3 million pixels of three values:
    a photo is decoded to fewer, see `read_photo`. In a larger one a value may differ by one.

    Args:
        image: `(H, W)` or `(H, W, C)`, uint8 or float32.
        width: New width in pixels.
        height: New height in pixels.
    """
    if image.shape[:2] == (height, width):
        return image
    alike()
    rows, columns = image.shape[:2]
    if not (rows % 2 or columns % 2) and rows >= 8 * height and columns >= 8 * width:
        image = cv2.resize(image, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
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
    alike()
    resized: NDArray[Any] = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return resized


def look_up(image: NDArray[np.uint8], table: NDArray[Any]) -> NDArray[Any]:
    """Replace each value of a uint8 picture by a table's, of `(256,)` and its dtype."""
    replaced: NDArray[Any] = cv2.LUT(image, table)
    return replaced


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


def draw_text(image: Photo, text: str, left: int, baseline: int, scale: float = 0.4) -> None:
    """Write black text into a picture, in place; what isn't ASCII becomes a question mark."""
    plain = text.encode("ascii", "replace").decode("ascii")
    drawn = np.ascontiguousarray(image)
    cv2.putText(
        drawn, plain, (left, baseline), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA
    )
    image[...] = drawn


def drawn_line(
    shape: tuple[int, int], points: NDArray[np.int32], width_px: int
) -> NDArray[np.bool_]:
    """Draw a line with round ends: `shape`, a height and a width, bool, True where it runs.

    Args:
        shape: Of the canvas.
        points: `(N, 2)` int32 of x and y, one at least; a single one is a dot.
        width_px: The line's, 1 or more.
    """
    canvas = np.zeros(shape, np.uint8)
    cv2.polylines(canvas, [points], isClosed=False, color=1, thickness=width_px)
    for end in points[[0, -1]]:
        cv2.circle(canvas, end.tolist(), width_px // 2, 1, cv2.FILLED)
    return canvas.view(np.bool_)


def drawn_polygon(shape: tuple[int, int], points: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Fill a polygon: `shape`, a height and a width, bool, True inside and on its outline.

    Args:
        shape: Of the canvas.
        points: `(N, 2)` int32 of x and y, the corners; where it crosses itself, even-odd.
    """
    canvas = np.zeros(shape, np.uint8)
    cv2.fillPoly(canvas, [points], 1)
    return canvas.view(np.bool_)
