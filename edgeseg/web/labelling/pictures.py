"""What the page shows: the photo no larger than a screen, and the mask as run lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.imaging import Box, Photo
from edgeseg.web.refusal import RefusedError

# Of pictures and masks that are asked for: a phone's screen, and the largest of a desk.
MIN_SIDE_PX, MAX_SIDE_PX = 64, 4096
_JPEG_QUALITY = 88


@dataclass(frozen=True)
class Cut:
    """A part of a photo at a size.

    Attributes:
        box: the part; None is all of it.
        side_px: the longer side to shrink it to; it is never grown.
    """

    box: Box | None
    side_px: int

    @classmethod
    def parse(cls, side_px: str, box: str | None) -> Cut:
        """Read an address's ``side_px=800`` and ``box=LEFT,TOP,RIGHT,BOTTOM``.

        Raises:
            RefusedError: they are no numbers, or out of bounds (400).
        """
        sides = [_whole(text) for text in (box.split(",", 4) if box is not None else ())]
        if box is not None and len(sides) != 4:
            raise RefusedError(400, "box is LEFT,TOP,RIGHT,BOTTOM")
        return cls(Box(*sides) if sides else None, checked_side(_whole(side_px)))

    def jpeg(self, photo: Photo) -> bytes:
        """Cut it out, shrink and encode it.

        Raises:
            RefusedError: the part reaches beyond the photo (400).
        """
        if self.box is not None:
            height, width = photo.shape[:2]
            inside = self.box.right <= width and self.box.bottom <= height
            if not inside or self.box.width < 1 or self.box.height < 1:
                raise RefusedError(400, "the box does not lie in the photo")
            photo = photo[self.box.top : self.box.bottom, self.box.left : self.box.right]
        width, height = fitted(photo.shape[1], photo.shape[0], self.side_px)
        return imaging.encode_jpeg(imaging.resize(photo, width, height), _JPEG_QUALITY)


def checked_side(side_px: int) -> int:
    """The side of a picture or mask that is asked for.

    Raises:
        RefusedError: it is out of bounds (400).
    """
    if not MIN_SIDE_PX <= side_px <= MAX_SIDE_PX:
        raise RefusedError(400, f"side_px is not between {MIN_SIDE_PX} and {MAX_SIDE_PX}")
    return side_px


def fitted(width_px: int, height_px: int, side_px: int) -> tuple[int, int]:
    """Width and height with a longer side of ``side_px`` at most, in proportion."""
    scale = min(1.0, side_px / max(width_px, height_px))
    return max(1, round(width_px * scale)), max(1, round(height_px * scale))


def run_lengths(mask: NDArray[np.uint8]) -> dict[str, Any]:
    """A mask for JSON: some 10 kB at a screen's size, and nothing to decode.

    Args:
        mask: `(H, W)` uint8, 0 or 255.

    Returns:
        ``width_px``, ``height_px``, and ``runs``: lengths of background and garment in turn, row
        after row, background first (0 where there is none).
    """
    height, width = mask.shape
    flat = mask.reshape(-1) != 0
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(changes, prepend=0, append=flat.size).tolist()
    return {"width_px": width, "height_px": height, "runs": [0, *runs] if flat[0] else runs}


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise RefusedError(400, "a side or corner is a whole number of pixels")
    return int(text)
