"""How much the loss would rise without a filter: first-order Taylor importance on real pictures.

Molchanov et al., "Importance Estimation for Neural Network Pruning" (arXiv 1906.10771), eq. 8: the
square of the loss's derivative by a gate that stands at one. The gate stands behind the filter's
activation, so the derivative is the sum over all pixels of activation times gradient; it is taken
for each picture by itself, for over a batch the pictures' opposite wishes would cancel.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from converters.fine_tune import TuningData, bce_soft_iou
from converters.pruning.wiring import Wiring
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.checkpoint import Checkpoint
from edgeseg.training.dataset import Sample

# The gradient of every activation is in memory at once: some 60 MB a picture for a large network.
_BATCH = 8


def taylor_importance(
    checkpoint: Checkpoint,
    wiring: Wiring,
    pictures: NDArray[np.uint8],
    targets: NDArray[np.float32],
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Importance of each filter.

    Args:
        checkpoint: a segmenter's.
        wiring: of its network.
        pictures: ``(N, S, S, 3)`` uint8 RGB in the network's frame.
        targets: ``(N, S, S, 1)`` float32 in [0, 1].
        on_progress: called with (pictures done, pictures in all).

    Returns:
        By unit ``(filters,)``, the mean over the pictures of the squared derivative.
    """
    model = checkpoint.build(tf_keras, sigmoid=True)
    activations = [model.get_layer(wiring.output_of(unit)).output for unit in wiring.units]
    probe = tf_keras.Model(model.input, [*activations, model.output])

    def derivatives(inputs: tf.Tensor, target: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            *features, confidence = probe(inputs, training=False)
            # Pictures do not meet in the network, so the sum's gradient is each one's own.
            loss = tf.reduce_sum(bce_soft_iou(target, confidence))
        gradients = tape.gradient(loss, features)
        return [
            tf.reduce_sum(feature * gradient, axis=(1, 2))
            for feature, gradient in zip(features, gradients, strict=True)
        ]

    totals = {unit: np.zeros(wiring.widths[unit]) for unit in wiring.units}
    for start in range(0, len(pictures), _BATCH):
        inputs = checkpoint.preprocessing.normalized(pictures[start : start + _BATCH])
        found = derivatives(tf.constant(inputs), tf.constant(targets[start : start + _BATCH]))
        for unit, values in zip(wiring.units, found, strict=True):
            totals[unit] += np.square(values.numpy().astype(np.float64)).sum(axis=0)
        if on_progress is not None:
            on_progress(min(start + _BATCH, len(pictures)), len(pictures))
    return {unit: total / len(pictures) for unit, total in totals.items()}


def frames(
    data: TuningData, preprocessing: Preprocessing, count: int, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Up to ``count`` pictures of the tuning data in the network's frame, not varied.

    Returns:
        ``(N, S, S, 3)`` uint8 RGB and ``(N, S, S, 1)`` float32 targets in [0, 1].
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(data))[:count])
    if data.pictures is not None and data.targets is not None:
        return data.pictures[chosen], data.targets[chosen]
    samples = [data.samples[i] for i in chosen]
    pictures = np.stack([preprocessing.resized(sample.image) for sample in samples])
    return pictures, np.stack([_target(sample, preprocessing) for sample in samples])


def _target(sample: Sample, preprocessing: Preprocessing) -> NDArray[np.float32]:
    foreground = sample.mask * np.uint8(255) if sample.target is None else sample.target
    # Inverted, so that the white of a padded border counts as background.
    background = np.repeat(255 - foreground[..., None], 3, axis=2)
    resized = preprocessing.resized(background)[..., :1]
    return (255 - resized).astype(np.float32) / np.float32(255)
