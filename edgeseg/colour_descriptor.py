"""The colours of a garment as a short vector, beside what a network sees in it.

Colour variants of one style are what a catalogue is full of, and a network that shall find a
garment under any light learns to look past colour. So the colours are described on their own: a
histogram over hue, saturation and value; its square root, so that a scalar product compares two of
them by Bhattacharyya's coefficient (Arandjelovic and Zisserman, "Three things everyone should know
to improve object retrieval", CVPR 2012, section 3); and a linear projection in which pictures of
one item differ least against those of others, which :mod:`edgeseg.training.colour` fits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import FormatError
from edgeseg.filters import hsv_histogram
from edgeseg.imaging import Photo

# Of hue, saturation and value: a hue bin is 30 degrees wide.
BINS = (12, 6, 6)
HISTOGRAM_LENGTH = BINS[0] * BINS[1] * BINS[2]
# JPEG leaves white at 245..255; the palest garments still shade below it along their folds.
_WHITE_FROM = 245
# A picture with fewer pixels that are not white is taken whole: a white garment.
_MIN_COLOURED_PX = 20


@dataclass(frozen=True, eq=False)
class ColourDescriptor:
    """A projection of colour histograms, and how much it counts.

    Attributes:
        projection: `(HISTOGRAM_LENGTH, dim)` float32, finite.
        share: of the joint similarity, in (0, 1); the rest is the network's.
    """

    projection: NDArray[np.float32]
    share: float

    @property
    def dim(self) -> int:
        """Numbers that it adds to an embedding."""
        return int(self.projection.shape[1])

    def describe(self, picture: Photo) -> NDArray[np.float32]:
        """The colours of a picture on white.

        Args:
            picture: `(S, S, 3)` uint8 RGB, already at the network's size.

        Returns:
            `(dim,)` float32, L2-normalised; zero for colours that no training picture had.
        """
        return normalized(root_histogram(picture) @ self.projection)

    def join(
        self, network: NDArray[np.float32], colours: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """One vector of both, whose scalar products are the weighted sums of theirs.

        Args:
            network: `(..., d)` float32, L2-normalised.
            colours: `(..., dim)` float32, of `describe`.

        Returns:
            `(..., d + dim)` float32; L2-normalised where `colours` is.
        """
        parts = np.sqrt(1.0 - self.share) * network, np.sqrt(self.share) * colours
        joined: NDArray[np.float32] = np.concatenate(parts, axis=-1).astype(np.float32)
        return joined

    def to_bytes(self) -> bytes:
        """The projection as a bundle holds it: float16, row after row."""
        return self.projection.astype("<f2").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes | memoryview, dim: int, share: float) -> ColourDescriptor:
        """Inverse of `to_bytes`.

        Raises:
            FormatError: If there are more or fewer numbers, or one that isn't finite.
        """
        if len(data) != 2 * HISTOGRAM_LENGTH * dim:
            raise FormatError(
                f"the colour projection has {len(data)} bytes, not {2 * HISTOGRAM_LENGTH * dim}"
            )
        projection = np.frombuffer(data, "<f2").astype(np.float32).reshape(HISTOGRAM_LENGTH, dim)
        if not np.isfinite(projection).all():
            raise FormatError("the colour projection has a number that is not finite")
        return cls(projection, share)


def root_histogram(picture: Photo) -> NDArray[np.float32]:
    """The square root of the share of each colour in what isn't white.

    Args:
        picture: `(H, W, 3)` uint8 RGB on white.

    Returns:
        `(HISTOGRAM_LENGTH,)` float32, L2-normalised.
    """
    coloured = not_white(picture)
    if np.count_nonzero(coloured) < _MIN_COLOURED_PX:
        coloured[:] = 1
    return normalized(np.sqrt(hsv_histogram(picture, coloured, BINS)))


def not_white(image: Photo) -> NDArray[np.uint8]:
    """Give 1 where a picture isn't white, as `(H, W)` uint8; a JPEG's nearly white counts as white.

    Args:
        image: `(H, W, 3)` uint8 RGB.
    """
    # Three channels by themselves are many times as fast as a minimum over an axis of three.
    below = image < _WHITE_FROM
    return (below[..., 0] | below[..., 1] | below[..., 2]).view(np.uint8)


def normalized(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """`(..., d)` divided by their lengths; those of length 0 stay so."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: NDArray[np.float32] = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return unit
