"""What describes a catalogue picture: one vector of two framings.

A studio picture often shows more than the item: whoever wears it, and what else they wear. A
worker's photo does not, or its segmenter leaves that out. So an item is described by the mean of
two embeddings, of the picture framed as it is and of the garment that the segmenter finds in it:
near to a query of either kind, and still one vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.embedder import Embedder, studio_crop
from edgeseg.errors import ModelContractError
from edgeseg.files import sha256_hex
from edgeseg.formats.bundle import Bundle
from edgeseg.formats.document import canonical_json
from edgeseg.imaging import Photo
from edgeseg.index.nearest import unit_vector
from edgeseg.postprocess import Segmentation, SegmenterOptions, cutout_on_white
from edgeseg.presets import BundleSource, open_bundle
from edgeseg.segmenter import Segmenter

# To be raised with each change, here or in what is called, that changes a picture's vector: vectors
# that were kept from before it are then not taken for those of now.
DESCRIPTION_VERSION = 1


class EmbedsPictures(Protocol):
    """What a description needs of an embedder; :class:`edgeseg.embedder.Embedder` is one."""

    @property
    def dim(self) -> int:
        """Length of the embeddings."""

    @property
    def digest(self) -> str:
        """Names the network and its preprocessing."""

    def embed(self, picture: Photo) -> NDArray[np.float32]:
        """``(H, W, 3)`` uint8 RGB, a crop on white, to ``(dim,)`` float32, L2-normalised."""


class SegmentsPictures(Protocol):
    """What a description needs of a segmenter; :class:`edgeseg.segmenter.Segmenter` is one."""

    def segment(self, photo: Photo) -> Segmentation:
        """``(H, W, 3)`` uint8 RGB to its masks."""


def catalogue_views(picture: Photo, segmenter: SegmentsPictures | None) -> list[Photo]:
    """The framings of a catalogue picture that describe its item together.

    Args:
        picture: ``(H, W, 3)`` uint8 RGB.
        segmenter: finds the garment in it; None leaves that framing out.

    Returns:
        The picture framed as it is and, where the segmenter finds one, the garment on white.
    """
    return framings(picture, None if segmenter is None else segmenter.segment(picture))


def framings(picture: Photo, segmentation: Segmentation | None) -> list[Photo]:
    """As `catalogue_views`, for a picture whose garment was looked for already."""
    views = [studio_crop(picture)]
    if segmentation is not None and segmentation.found:
        views.append(cutout_on_white(picture, segmentation))
    return views


def mean_embedding(embeddings: Sequence[NDArray[np.float32]], name: str) -> NDArray[np.float32]:
    """An item's vector, from the embeddings of its picture's framings.

    Args:
        embeddings: each ``(dim,)`` float32.
        name: what messages call the picture.

    Returns:
        ``(dim,)`` float32, L2-normalised.

    Raises:
        ModelContractError: they are zero or not finite.
    """
    try:
        return unit_vector(np.mean(embeddings, axis=0))
    except ValueError as error:
        raise ModelContractError(f"the embedder fails on {name}: {error}") from error


@dataclass(frozen=True)
class Describer:
    """Turns a catalogue picture into its item's vector. Thread-safe where its networks are.

    Attributes:
        embedder: the one that photos will be matched with.
        segmenter: the one that photos will be matched with; None describes the pictures as they
            are.
    """

    embedder: EmbedsPictures
    segmenter: SegmentsPictures | None = None

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self.embedder.dim

    def describe(self, picture: Photo, name: str) -> NDArray[np.float32]:
        """The item's vector.

        Args:
            picture: ``(H, W, 3)`` uint8 RGB.
            name: what messages call it.

        Returns:
            ``(dim,)`` float32, L2-normalised.

        Raises:
            ModelContractError: the embedder gives embeddings of another shape than it says, or ones
                that are zero or not finite.
        """
        embeddings = [self.embedder.embed(v) for v in catalogue_views(picture, self.segmenter)]
        for embedding in embeddings:
            if embedding.shape != (self.dim,):
                raise ModelContractError(
                    f"the embedder gives shape {embedding.shape} where ({self.dim},) was declared"
                )
        return mean_embedding(embeddings, name)


def open_describer(bundle: BundleSource = None, threads: int = 1) -> Describer:
    """The describer of a bundle, with its embedder and its segmenter.

    Raises:
        FormatError: the bundle is damaged.
        ModelContractError: it has no embedder, or networks and manifest disagree.
    """
    opened = open_bundle(bundle)
    return Describer(Embedder(opened, threads), Segmenter(opened, threads))


def description_digest(bundle: Bundle) -> str:
    """Names all that a picture's vector depends on beside the picture, for vectors that are kept.

    Raises:
        ModelContractError: the bundle has no embedder.
    """
    if bundle.embedder_digest is None:
        raise ModelContractError(
            "the bundle has no embedder: convert one in with `edgeseg convert --embedder`"
        )
    parts = {
        "version": DESCRIPTION_VERSION,
        "embedder": bundle.embedder_digest,
        "segmenter": sha256_hex(bundle.segmenter_model),
        "preprocessing": bundle.manifest.segmenter.preprocessing.to_dict(),
        "options": asdict(SegmenterOptions()),
    }
    return sha256_hex(canonical_json(parts))
