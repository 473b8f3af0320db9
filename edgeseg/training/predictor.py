"""A float checkpoint on photographs, as the bundle that is made of it would be used."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import ModelContractError
from edgeseg.postprocess import SegmenterOptions, segmentation_from
from edgeseg.training.checkpoint import Checkpoint
from edgeseg.training.networks.embedder import MobileEmbedder

_DEFAULTS = SegmenterOptions()


class CheckpointSegmenter:
    """Finds the garment in a photograph with a checkpoint's network.

    Args:
        checkpoint: of a segmenter.
        framework: ``keras`` or ``tf_keras``.

    Raises:
        ModelContractError: it is no segmenter's, or one that tells several classes apart.
    """

    def __init__(self, checkpoint: Checkpoint, framework: ModuleType) -> None:
        if isinstance(checkpoint.network, MobileEmbedder):
            raise ModelContractError("an embedder's checkpoint finds no garment")
        if checkpoint.classes:
            raise ModelContractError("the checkpoint tells several classes apart, not a garment")
        self.preprocessing = checkpoint.preprocessing
        self.model: Any = checkpoint.build(framework, sigmoid=True)

    def network_confidence(self, photo: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network alone.

        Args:
            photo: ``(H, W, 3)`` uint8 RGB.

        Returns:
            ``(h, w)`` float32 in [0, 1] at the network's resolution.
        """
        inputs = self.preprocessing.normalized(self.preprocessing.resized(photo))
        output = np.asarray(self.model.predict_on_batch(inputs[None]), dtype=np.float32)
        confidence: NDArray[np.float32] = np.ascontiguousarray(output[0, ..., 0])
        return confidence

    def mask(
        self, photo: NDArray[np.uint8], options: SegmenterOptions = _DEFAULTS
    ) -> NDArray[np.bool_]:
        """The garment, cleaned as a bundle's segmenter cleans it: ``(H, W)`` bool."""
        height, width = photo.shape[:2]
        found = segmentation_from(self.network_confidence(photo), width, height, options, photo)
        mask: NDArray[np.bool_] = found.category_mask != 0
        return mask
