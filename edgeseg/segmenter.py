"""Photo in, garment out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.contract import InputTable, open_network
from edgeseg.errors import ModelContractError
from edgeseg.imaging import Photo
from edgeseg.postprocess import (
    Segmentation,
    SegmenterOptions,
    cutout_on_white,
    cutout_rgba,
    segmentation_from,
)
from edgeseg.presets import BundleSource, open_bundle

__all__ = ["Segmentation", "Segmenter", "SegmenterOptions", "cutout_on_white", "cutout_rgba"]


class Segmenter:
    """Finds the garment in a photo with a bundle's segmentation network.

    Thread-safe. Opening loads the model once; keep the object.
    """

    def __init__(
        self,
        bundle: BundleSource = None,
        threads: int = 1,
        options: SegmenterOptions | None = None,
    ) -> None:
        """Open a bundle's segmenter.

        Args:
            bundle: A bundle or a path to one; None takes the default that edgeseg carries.
            threads: Threads for the network.
            options: What counts as a garment.

        Raises:
            FormatError: If the bundle is damaged.
            ModelContractError: If its network and manifest disagree.
        """
        opened = open_bundle(bundle)
        if opened.manifest.segmenter.outputs != "confidence_mask":
            raise ModelContractError(
                f"the bundle's segmenter tells {len(opened.manifest.segmenter.classes)} classes "
                "apart, and a garment is wanted here: use another bundle (CategorySegmenter and "
                "`edgeseg eval classes` take this one)"
            )
        self.options = options or SegmenterOptions()
        self.preprocessing = opened.manifest.segmenter.preprocessing
        self.interpreter = open_network(opened.segmenter_model, opened.manifest.segmenter, threads)
        self._input = InputTable(self.preprocessing, self.interpreter)

    def network_confidence(self, photo: Photo) -> NDArray[np.float32]:
        """Run the network alone; twice, and averaged, where the options flip.

        Args:
            photo: `(H, W, 3)` uint8 RGB.

        Returns:
            `(h, w)` float32 in [0, 1] at the network's resolution.
        """
        resized = self.preprocessing.resized(photo)
        confidence = self._run(resized)
        if self.options.flip:
            confidence = (confidence + self._run(resized[:, ::-1])[:, ::-1]) * np.float32(0.5)
        return confidence

    def _run(self, resized: Photo) -> NDArray[np.float32]:
        return confidence_from(self.interpreter.run(self._input.batch(resized))[0, :, :, 0])

    def confidence(self, photo: Photo) -> NDArray[np.float32]:
        """Give the confidence mask alone: `(H, W)` float32 in [0, 1] at the photo's resolution."""
        return self.segment(photo).confidence_mask

    def segment(self, photo: Photo) -> Segmentation:
        """Find the garment.

        Args:
            photo: `(H, W, 3)` uint8 RGB, any size.

        Returns:
            Masks at the photo's resolution; `found` is False if there is no garment.

        Raises:
            ValueError: If the array is no `(H, W, 3)` uint8 picture.
        """
        height, width = photo.shape[:2]
        return segmentation_from(self.network_confidence(photo), width, height, self.options, photo)


def confidence_from(output: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn a network's output into confidence: of any shape, in [0, 1]."""
    # Dequantized int8 can overshoot 1 by a step; NaN from a broken model counts as background: of
    # NaN and 0, `fmax` gives 0.
    confidence: NDArray[np.float32] = np.minimum(np.fmax(output, 0.0), 1.0)
    return confidence
