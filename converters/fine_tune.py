"""The short training that follows a change to a network: pruning, or simulated quantization."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from converters.photographs import resized_mask
from converters.recipe import FineTuning
from converters.representative import RepresentativeSet
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.augment import Augmentation, augment
from edgeseg.training.dataset import Sample

# Mild: a trained network is nudged, not taught.
_AUGMENTATION = Augmentation(
    flip=0.5,
    rotation_deg=10,
    scale=(0.85, 1.2),
    shift=0.08,
    brightness=0.1,
    contrast=0.2,
    saturation=0.3,
    gamma=0.2,
    p_blur=0.1,
    p_noise=0.1,
    p_jpeg=0.1,
)


@dataclass(frozen=True)
class TuningData:
    """What a changed segmenter learns from.

    Attributes:
        samples: photographs with masks, varied anew in each epoch; or
        pictures: ``(N, S, S, 3)`` uint8 RGB and
        targets: ``(N, S, S, 1)`` float32, the unchanged network's own confidence for each.
        source: told in the report.
    """

    source: str
    samples: tuple[Sample, ...] = ()
    pictures: NDArray[np.uint8] | None = None
    targets: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.samples) if self.pictures is None else len(self.pictures)


def self_taught(
    model: Any, representative: RepresentativeSet, preprocessing: Preprocessing
) -> TuningData:
    """Pictures labelled by the unchanged network, where there is no labelled data.

    A changed network is to agree with the one it came from, so that one's confidence is a target
    on any picture, photographed or drawn.
    """
    pictures = np.stack([preprocessing.resized(p.image) for p in representative.photographs])
    targets = model.predict(preprocessing.normalized(pictures), batch_size=16, verbose=0)
    return TuningData(
        f"{representative.source}, labelled by the float network",
        pictures=pictures,
        targets=np.asarray(targets, dtype=np.float32),
    )


def fine_tune(
    model: Any,
    data: TuningData,
    preprocessing: Preprocessing,
    options: FineTuning,
    seed: int,
    callbacks: Sequence[Any] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Trains ``model`` in place.

    Args:
        model: a ``tf_keras`` model from scaled RGB to a confidence mask.
        data: what it learns from.
        preprocessing: the network's.
        options: epochs, batch and learning rate.
        seed: of the order and of the augmentation.
        callbacks: of ``model.fit``.
        on_progress: called with (steps done, steps in all).
    """
    batches = Batches(data, preprocessing, options, seed)
    steps = len(batches) * options.epochs
    rate = tf_keras.optimizers.schedules.CosineDecay(options.learning_rate, steps, alpha=0.01)
    # "legacy": on tf_keras the pruning wrappers' masks need an optimizer that assigns in place.
    model.compile(tf_keras.optimizers.legacy.Adam(rate), loss=bce_soft_iou)
    watchers = list(callbacks)
    if on_progress is not None:
        watchers.append(_progress_callback(on_progress, steps))
    model.fit(batches, epochs=options.epochs, verbose=0, shuffle=False, callbacks=watchers)


def bce_soft_iou(target: Any, confidence: Any) -> Any:
    """Binary cross-entropy plus one minus soft IoU, on confidences, per picture.

    The loss that the training has (see :mod:`edgeseg.training.losses`), in TensorFlow's operations
    because a network under simulated quantization ends in a quantized sigmoid, not in logits.

    Args:
        target: ``(N, H, W, 1)`` in [0, 1].
        confidence: ``(N, H, W, 1)`` in [0, 1].

    Returns:
        ``(N,)`` float32.
    """
    target = tf.cast(target, tf.float32)
    # A quantized sigmoid reaches 0 and 1 exactly: half an int8 step keeps the logarithm finite.
    confidence = tf.clip_by_value(confidence, 1 / 512, 1 - 1 / 512)
    bce = tf_keras.backend.binary_crossentropy(target, confidence)
    intersection = tf.reduce_sum(target * confidence, axis=(1, 2, 3))
    union = tf.reduce_sum(target + confidence - target * confidence, axis=(1, 2, 3))
    return tf.reduce_mean(bce, axis=(1, 2, 3)) + 1.0 - (intersection + 1.0) / (union + 1.0)


class Batches(tf_keras.utils.Sequence):
    """Shuffled batches of scaled pictures and their targets; each epoch has other variants."""

    def __init__(
        self, data: TuningData, preprocessing: Preprocessing, options: FineTuning, seed: int
    ) -> None:
        self.data = data
        self.preprocessing = preprocessing
        self.batch = min(options.batch, len(data))
        self.steps = math.ceil(len(data) / self.batch)
        if options.steps_per_epoch is not None:
            self.steps = min(self.steps, options.steps_per_epoch)
        self.seed = seed
        self.epoch = 0
        self.order = self._shuffled()

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rng = np.random.default_rng((self.seed, self.epoch, step))
        chosen = np.take(self.order, range(step * self.batch, (step + 1) * self.batch), mode="wrap")
        pictures, targets = zip(*(self._variant(i, rng) for i in chosen), strict=True)
        return self.preprocessing.normalized(np.stack(pictures)), np.stack(targets)

    def on_epoch_end(self) -> None:
        """Another order and other variants for the next epoch."""
        self.epoch += 1
        self.order = self._shuffled()

    def _shuffled(self) -> NDArray[np.int64]:
        return np.random.default_rng((self.seed, self.epoch)).permutation(len(self.data))

    def _variant(
        self, index: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        if self.data.pictures is not None and self.data.targets is not None:
            picture, target = self.data.pictures[index], self.data.targets[index]
            if rng.random() < 0.5:
                return picture[:, ::-1], target[:, ::-1]
            return picture, target
        sample = self.data.samples[index]
        if self.preprocessing.resize == "stretch":
            picture, soft = augment(
                sample.image,
                sample.mask,
                self.preprocessing.input_px,
                _AUGMENTATION,
                (),
                rng,
                sample.target,
            )
            return picture, (soft[..., None] / 255).astype(np.float32)
        picture = self.preprocessing.resized(sample.image)
        if sample.target is None:
            mask = resized_mask(sample.mask.astype(bool), self.preprocessing)
            return picture, mask[..., None].astype(np.float32)
        # As in `resized_mask`: a border is white in the picture and background here.
        rest = np.repeat(255 - sample.target[..., None], 3, axis=2)
        share = self.preprocessing.resized(rest)[..., :1].astype(np.float32) / np.float32(255)
        return picture, np.float32(1) - share


def _progress_callback(on_progress: Callable[[int, int], None], steps: int) -> Any:
    done = 0

    def count(_batch: int, **_logs: Any) -> None:
        nonlocal done
        done += 1
        on_progress(done, steps)

    return tf_keras.callbacks.LambdaCallback(on_batch_end=count)
