"""Picture on white in, embedding out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg import filters, imaging
from edgeseg.colour_descriptor import ColourDescriptor, normalized, not_white
from edgeseg.contract import InputTable, open_network
from edgeseg.errors import ModelContractError
from edgeseg.imaging import Box, Photo
from edgeseg.postprocess import CROP_MARGIN
from edgeseg.presets import BundleSource, open_bundle

# The share of the frame's pixels that must be white for a picture to count as on white: a garment
# cut by the frame covers up to two of the four sides.
_MIN_WHITE_FRAME_RATIO = 0.5
# Dust and JPEG noise, as a share of the picture.
_MIN_SPECK_RATIO = 0.0005
# The box is found on a picture of at most this size; a scan of millions of pixels finds the same.
_SCAN_PX = 512


class Embedder:
    """Describes a garment on white as a vector, with a bundle's embedding network. Thread-safe.

    Attributes:
        colour: What describes its colours beside the network; None in a bundle without.
        dim: Length of the vectors.
        digest: Identifies network and preprocessing; a catalogue made with another cannot be used.
    """

    def __init__(self, bundle: BundleSource = None, threads: int = 1) -> None:
        """Open a bundle's embedder.

        Args:
            bundle: A bundle or a path to one; None takes the default that edgeseg carries.
            threads: Threads for the network.

        Raises:
            FormatError: If the bundle is damaged.
            ModelContractError: If it has no embedder, or network and manifest disagree.
        """
        opened = open_bundle(bundle)
        network, model, digest = (
            opened.manifest.embedder,
            opened.embedder_model,
            opened.embedder_digest,
        )
        if network is None or model is None or digest is None:
            raise ModelContractError(
                "the bundle has no embedder: convert one in with `edgeseg convert --embedder`"
            )
        self.preprocessing = network.preprocessing
        self.interpreter = open_network(model, network, threads)
        self._input = InputTable(self.preprocessing, self.interpreter)
        self.colour = opened.colour
        colours = 0 if self.colour is None else self.colour.dim
        self.dim: int = self.interpreter.output_shape[1] + colours
        self.digest: str = digest

    def embed(self, picture: Photo) -> NDArray[np.float32]:
        """Describe a picture.

        Args:
            picture: `(H, W, 3)` uint8 RGB, a crop on white framed by `cutout_on_white` or
                `studio_crop`.

        Returns:
            `(dim,)` float32, L2-normalised.

        Raises:
            ModelContractError: If the network gives no usable vector (zero or not finite).
        """
        resized = self.preprocessing.resized(picture)
        vector = self.interpreter.run(self._input.batch(resized))[0]
        return embedding_from(vector, resized, self.colour)


def embedding_from(
    vector: NDArray[np.float32], resized: Photo, colour: ColourDescriptor | None
) -> NDArray[np.float32]:
    """Turn a network's output into the embedding.

    Args:
        vector: `(d,)` float32, what the network gives for the picture.
        resized: `(S, S, 3)` uint8 RGB, the picture at the network's size.
        colour: What describes its colours beside the network, if anything does.

    Returns:
        `(dim,)` float32, L2-normalised.

    Raises:
        ModelContractError: If the vector is zero or not finite.
    """
    # int8 outputs are a step off unit length; distances assume it exactly.
    norm = float(np.linalg.norm(vector))
    if not np.isfinite(norm) or norm < 1e-6:
        raise ModelContractError("the embedder gives no usable vector for this picture")
    unit: NDArray[np.float32] = vector / np.float32(norm)
    if colour is None:
        return unit
    return normalized(colour.join(unit, colour.describe(resized)))


def studio_crop(picture: Photo, margin: float = CROP_MARGIN) -> Photo:
    """Frame a catalogue picture on white as `cutout_on_white` frames a photo.

    Args:
        picture: `(H, W, 3)` uint8 RGB.
        margin: White on each side, as a share of the garment's longer side.

    Returns:
        `(h, w, 3)` uint8 RGB: the box around what isn't white, specks ignored, with the margin. The
        whole picture if its frame isn't white, or nothing is left of it.
    """
    imaging.require_rgb(picture)
    height, width = picture.shape[:2]
    factor = min(1.0, _SCAN_PX / max(height, width))
    scan_width, scan_height = max(1, round(width * factor)), max(1, round(height * factor))
    small = imaging.resize(picture, scan_width, scan_height)
    coloured = not_white(small)
    frame = np.concatenate([coloured[0], coloured[-1], coloured[:, 0], coloured[:, -1]])
    if 1.0 - float(frame.mean()) < _MIN_WHITE_FRAME_RATIO:
        return picture
    labels, stats = filters.connected_components(coloured)
    kept = stats[:, 4] >= max(2.0, _MIN_SPECK_RATIO * coloured.size)
    kept[0] = False
    box = imaging.bounding_box(kept[labels])
    if box is None:
        return picture
    scaled = Box(
        left=box.left * width // scan_width,
        top=box.top * height // scan_height,
        right=-(-box.right * width // scan_width),
        bottom=-(-box.bottom * height // scan_height),
    )
    return imaging.crop_on_white(picture, None, scaled, margin)
