"""A network that tells classes apart, on whole photographs, with either kind of statistics.

Batch normalization (Ioffe and Szegedy, arXiv 1502.03167) has two: the averages that training has
gathered (``moving``, algorithm 2), which is what a converted network folds in, and the mean and
variance of what goes through the network just now (``batch``, algorithm 1). The code published with
Jégou et al., arXiv 1611.09326, validates and tests by the second, and so does its table: a
photograph's result then depends on those beside it. The two are never to be mixed in one table.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import ModelContractError
from edgeseg.evaluation.classes import CategoryMask, Photo
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.backend import jit_compile
from edgeseg.training.checkpoint import Checkpoint, Weights, set_weights
from edgeseg.training.classes_data import reflected, whole_strides
from edgeseg.training.classes_recipe import Statistics
from edgeseg.training.devices import shared
from edgeseg.training.networks.tiramisu import Tiramisu


class ClassPredictor:
    """Photographs in, category masks out, at the photographs' own size.

    Sides that are no multiple of the network's total stride are reflected beyond the frame, alike
    on both sides, and the logits there are cut off. (The published code crops the upsampled maps to
    the pooled ones' sizes instead; its transposed convolutions are of another size for it.)
    """

    def __init__(
        self, network: Tiramisu, preprocessing: Preprocessing, statistics: Statistics
    ) -> None:
        """Build the network, without weights as yet.

        Args:
            network: its architecture.
            preprocessing: its scaling of pixels; the size is the photographs' own.
            statistics: what batch normalization works with; dropout is off with either.
        """
        self.network = network
        self.preprocessing = preprocessing
        framework: Any = _batch_normalized_keras() if statistics == "batch" else keras
        self.model = network.build(framework, None)
        self.model.compile(jit_compile=jit_compile())

    @classmethod
    def of(cls, checkpoint: Checkpoint, statistics: Statistics) -> ClassPredictor:
        """The network of a checkpoint.

        Raises:
            ModelContractError: it is none that tells classes apart.
        """
        network = checkpoint.network
        if not isinstance(network, Tiramisu) or network.classes < 2:
            raise ModelContractError(
                "the checkpoint tells no classes apart: for a segmenter of garments use "
                "`edgeseg convert` and `edgeseg eval segmentation`"
            )
        predictor = cls(network, checkpoint.preprocessing, statistics)
        predictor.load(checkpoint.weights)
        return predictor

    def load(self, weights: Weights) -> None:
        """Set the weights, by name."""
        set_weights(self.model, weights)

    def __call__(self, photos: Sequence[Photo]) -> list[CategoryMask]:
        """Tell classes apart in photographs of one size, which go through the network together.

        Args:
            photos: each ``(H, W, 3)`` uint8 RGB.

        Returns:
            ``(H, W)`` uint8 class ids, one for each.
        """
        height, width = photos[0].shape[:2]
        whole = whole_strides(height, width, self.network.total_stride)
        top, left = (whole[0] - height) // 2, (whole[1] - width) // 2
        inputs = self.preprocessing.normalized(
            np.stack([reflected(photo, *whole) for photo in photos])
        )
        logits = np.asarray(self.model.predict_on_batch(shared(inputs)))
        ids: NDArray[np.uint8] = np.argmax(logits, axis=-1).astype(np.uint8)
        return list(ids[:, top : top + height, left : left + width])


class _BatchStatistics(keras.layers.BatchNormalization):
    """Batch normalization by what goes through it, in inference too."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """As in training, whatever ``training`` says."""
        del training
        return super().call(inputs, training=True, mask=mask)


class _Layers:
    """``keras.layers`` with another batch normalization."""

    @staticmethod
    def BatchNormalization(**options: Any) -> _BatchStatistics:  # noqa: N802 (Keras's name)
        """With a momentum of 1 the moving averages stay what they are."""
        return _BatchStatistics(**{**options, "momentum": 1.0})

    def __getattr__(self, name: str) -> Any:
        return getattr(keras.layers, name)


def _batch_normalized_keras() -> SimpleNamespace:
    """``keras`` as far as a network's ``build`` needs it."""
    return SimpleNamespace(
        layers=_Layers(),
        Input=keras.Input,
        Model=keras.Model,
        regularizers=keras.regularizers,
    )
