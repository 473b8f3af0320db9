"""Whether two pictures are one: copied, re-encoded, resized, re-framed or mirrored.

Distances between embeddings cannot tell. An embedder brings pictures of one garment together, so
colour variants of a style, photographed once and recoloured, can lie nearer than two copies of one
picture of which the second is framed anew. So the pictures themselves are laid over each other
(:mod:`edgeseg.registration`) and compared pixel by pixel.

What tells two items apart may be small, such as the piping of a pair of shorts or the print on a
shirt. So no mean over the picture counts, but three differences, each against a bound of its own:
the largest that are sharp (a print, an edge), the largest in colour (piping), and one that most of
the picture stays below (another shade of the whole garment). The largest of the three, as a share
of its bound, is the *difference* of two pictures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging, registration
from edgeseg.embedder import studio_crop
from edgeseg.filters import box_mean
from edgeseg.imaging import Photo
from edgeseg.registration import Placements

# Sides of the squares that pictures are stretched to. Colours are compared on the coarse one: JPEG
# stores them at half the resolution.
FRAMED_PX, SMALL_PX = 128, 24
_SHARP_PX, _COARSE_PX = 64, 32
_SMALL_STEPS, _FINE_STEPS = 4, 4

# The bounds, in grey values, and what they were chosen on: 1,125 copies of 125 pictures (JPEG at
# quality 50; 60 % of the size; 4 % cut off all sides, or one; mirrored; on a wider canvas; 5 %
# brighter; half the size on a wider canvas; several of these at once), against 9,501 pairs of
# neighbours among 1,686 pictures. Of the copies, 99 % stay below 17.9 sharp, 10.1 in colour and 3.8
# broad. The likest of the others are shorts of which the piping alone differs (17.8, 17.3, 1.0) and
# white trousers against pale grey ones (19.3, 7.6, 9.7); all further ones differ by 34.7 or more
# sharp. A copy correlates by 0.93 or more with its original, the original by 0.89 with its copy; of
# the others, a seventh reaches 0.9.
MIN_CORRELATION = 0.9
MAX_DIFFERENCE = 1.0
_MAX_SHARP, _MAX_COLOUR, _MAX_BROAD = 28.0, 14.0, 6.5
# Of a thousand pixels, five may be a speck or a misplaced edge. A garment fills more than a fifth
# of its box.
_LARGEST_PERCENTILE, _BROAD_PERCENTILE = 99.5, 80.0
# A copy may be so much brighter or darker; a white garment against a pale grey one is more.
_MIN_GAIN, _MAX_GAIN = 0.92, 1.08
_WHITE, _NEARLY_WHITE = 255.0, 245.0
# Of the share of a pixel that both pictures cover; below 1 for rounding only.
_WHOLLY = 0.999
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


def framed(picture: Photo) -> Photo:
    """The box around a garment, without a margin, stretched to a square.

    Args:
        picture: `(H, W, 3)` uint8 RGB.

    Returns:
        `(128, 128, 3)` uint8 RGB.
    """
    square: Photo = imaging.resize(studio_crop(picture, margin=0.0), FRAMED_PX, FRAMED_PX)
    return square


def small_grey(picture: Photo) -> NDArray[np.uint8]:
    """A framed picture as `(24, 24)` uint8, grey, for `small_placements`."""
    small = imaging.resize(picture, SMALL_PX, SMALL_PX)
    grey: NDArray[np.uint8] = np.rint(small @ _GREY).astype(np.uint8)
    return grey


def small_placements(
    first: NDArray[np.uint8], second: NDArray[np.uint8]
) -> tuple[Placements, NDArray[np.bool_], NDArray[np.float32]]:
    """How the second picture of each pair lies under the first: as it is, or mirrored.

    Args:
        first: `(N, 24, 24)` uint8, of `small_grey`.
        second: `(N, 24, 24)` uint8, of `small_grey`.

    Returns:
        `(N, 4)` float32 placements; `(N,)` bool, whether mirrored; and `(N,)` float32, how well the
        two correlate then. Below `MIN_CORRELATION` they are different pictures.
    """
    fixed = first.astype(np.float32)
    found = []
    for way in (second, second[:, :, ::-1]):
        moving = np.ascontiguousarray(way, dtype=np.float32)
        start = np.tile(np.array(registration.IN_PLACE, np.float32), (len(fixed), 1))
        # At half the size first: of a striped shirt, the wrong stripes may lie over each other.
        start = registration.register(_halved(fixed), _halved(moving), start, _SMALL_STEPS)
        placements = registration.register(fixed, moving, start, _SMALL_STEPS)
        found.append((placements, registration.correlation(fixed, moving, placements)))
    (placements, alike), (placements_mirrored, alike_mirrored) = found
    mirrored = alike_mirrored > alike
    return (
        np.where(mirrored[:, None], placements_mirrored, placements),
        mirrored,
        np.where(mirrored, alike_mirrored, alike),
    )


def difference(first: Photo, second: Photo, placement: Placements, mirrored: bool) -> float:
    """How far two pictures differ once one lies over the other.

    Args:
        first: `(128, 128, 3)` uint8 RGB, of `framed`.
        second: `(128, 128, 3)` uint8 RGB, of `framed`.
        placement: `(4,)` float32, of `small_placements`.
        mirrored: whether it is the second one's mirror image that lies so.

    Returns:
        0 where they are equal; up to `MAX_DIFFERENCE` they are copies of one picture.
    """
    fixed = first.astype(np.float32)
    moving = np.ascontiguousarray(second[:, ::-1] if mirrored else second, dtype=np.float32)
    grey, grey_moving = (
        imaging.resize(picture @ _GREY, _SHARP_PX, _SHARP_PX)[None] for picture in (fixed, moving)
    )
    placements = registration.register(grey, grey_moving, placement[None], _FINE_STEPS)
    planes, inside = registration.resample(
        np.ascontiguousarray(moving.transpose(2, 0, 1)), np.repeat(placements, 3, axis=0)
    )
    lying = np.ascontiguousarray(planes.transpose(1, 2, 0))
    return _largest_share(fixed, lying, inside[0].astype(np.float32))


def _halved(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """`(N, S, S)` at half the size, each pixel the mean of four."""
    count, side, _ = pictures.shape
    fours = pictures.reshape(count, side // 2, 2, side // 2, 2)
    halved: NDArray[np.float32] = fours.mean(axis=(2, 4))
    return halved


def _largest_share(
    fixed: NDArray[np.float32], lying: NDArray[np.float32], inside: NDArray[np.float32]
) -> float:
    """The largest of the three differences, as a share of its bound."""
    apart = _apart(*(imaging.resize(picture, _SHARP_PX, _SHARP_PX) for picture in (fixed, lying)))
    coarse = box_mean(imaging.resize(apart, _COARSE_PX, _COARSE_PX), 1)
    red, green, blue = np.moveaxis(coarse, 2, 0)
    sharp = np.abs(box_mean(apart, 1)).max(axis=2)
    colour = np.hypot(red - green, (red + green) / 2 - blue)
    broad = np.abs(coarse).max(axis=2)
    return max(
        _percentile(sharp, inside, _LARGEST_PERCENTILE) / _MAX_SHARP,
        _percentile(colour, inside, _LARGEST_PERCENTILE) / _MAX_COLOUR,
        _percentile(broad, inside, _BROAD_PERCENTILE) / _MAX_BROAD,
    )


def _apart(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is left between two pictures, `(S, S, 3)`, once they are equally bright."""
    both = (first.min(axis=2) < _NEARLY_WHITE) & (second.min(axis=2) < _NEARLY_WHITE)
    product, square = (first * second)[both].sum(), (second * second)[both].sum()
    gain = float(np.clip(product / square, _MIN_GAIN, _MAX_GAIN)) if square > 0 else 1.0
    # The darker one is brightened, and never the brighter one darkened: where it was cut off at
    # white, the other then becomes white too.
    first = np.minimum(first / min(gain, 1.0), _WHITE)
    apart: NDArray[np.float32] = first - np.minimum(second * max(gain, 1.0), _WHITE)
    return apart


def _percentile(apart: NDArray[np.float32], inside: NDArray[np.float32], percent: float) -> float:
    """A percentile of differences where both pictures are, as far as their averages reach."""
    side = len(apart)
    counted = box_mean(imaging.resize(inside, side, side), 1) > _WHOLLY
    counted[[0, -1], :] = counted[:, [0, -1]] = False
    return float(np.percentile(apart[counted], percent))
