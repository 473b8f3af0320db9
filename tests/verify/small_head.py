"""A small head on frozen features: a network that learns garments from few labels in seconds."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.evaluation.metrics import iou
from tests.verify.frozen_features import INPUT_PX, Features

# Filters from the finest to the coarsest resolution.
_FILTERS = (16, 32, 48, 48)
_BATCH = 16
_RATE, _DECAY, _WARM_UP = 8e-3, 0.02, 20
_PREDICT_BATCH = 64


class SmallHead:
    """Trains anew for each set of labels, within one compiled graph.

    Args:
        like: features of the shapes to come.
        steps: of a training, whatever the number of labels.
    """

    def __init__(self, like: Features, steps: int) -> None:
        self.steps = steps
        shapes = [level.shape[2:] for level in like.maps]
        self.model = _build(shapes)
        self.optimizer = keras.optimizers.AdamW(_RATE, weight_decay=_DECAY)
        self.optimizer.build(self.model.trainable_variables)
        self._step = tf.function(self._stepped)
        self._predict = tf.function(
            lambda *maps: tf.sigmoid(self.model(list(maps), training=False)), reduce_retracing=True
        )

    def train(
        self, features: Features, targets: NDArray[np.float32], chosen: NDArray[Any], seed: int
    ) -> None:
        """Start from fresh weights and learn.

        Args:
            features: of all photographs.
            targets: ``(N, 40, 40)``, what to learn.
            chosen: indices of the photographs to learn from.
            seed: of the weights and of every draw.
        """
        keras.utils.set_random_seed(seed)
        shapes = [level.shape[2:] for level in features.maps]
        self.model.set_weights(_build(shapes).get_weights())
        for variable in self.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        rng = np.random.default_rng(seed)
        deck: list[int] = []
        for step in range(self.steps):
            while len(deck) < _BATCH:
                deck += [int(index) for index in rng.permutation(chosen)]
            photos, deck = np.array(deck[:_BATCH]), deck[_BATCH:]
            views = rng.integers(0, 2, _BATCH)
            wanted = np.where(views[:, None, None], targets[photos][:, :, ::-1], targets[photos])
            warm = min(1.0, (step + 1) / _WARM_UP)
            cosine = 0.5 * (1 + np.cos(np.pi * step / self.steps))
            self.optimizer.learning_rate.assign(_RATE * warm * cosine)
            inputs = [level[views, photos].astype(np.float32) for level in features.maps]
            self._step(inputs, wanted[..., None].astype(np.float32))

    def predict(
        self, features: Features, chosen: NDArray[Any]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Confidence of photographs as they are, and of their mirror images turned back.

        Returns:
            Two of ``(len(chosen), 40, 40)`` float32 in [0, 1].
        """
        seen = []
        for view in (0, 1):
            parts = [
                self._predict(*(level[view, rows].astype(np.float32) for level in features.maps))
                for rows in np.array_split(chosen, -(-len(chosen) // _PREDICT_BATCH))
            ]
            seen.append(np.concatenate([np.asarray(part)[..., 0] for part in parts]))
        return seen[0], seen[1][:, :, ::-1]

    def iou(self, features: Features, chosen: NDArray[Any]) -> float:
        """Mean IoU against the true masks, at the encoder's input size, both views averaged."""
        plain, mirrored = self.predict(features, chosen)
        scores = []
        for confidence, index in zip((plain + mirrored) / 2, chosen, strict=True):
            large = imaging.resize_bilinear(np.ascontiguousarray(confidence), INPUT_PX, INPUT_PX)
            scores.append(iou(large >= 0.5, features.masks[index]))
        return float(np.mean(scores))

    def _stepped(self, inputs: list[Any], wanted: Any) -> None:
        with tf.GradientTape() as tape:
            loss = _loss(wanted, self.model(inputs, training=True))
        gradients = tape.gradient(loss, self.model.trainable_variables)
        self.optimizer.apply(gradients, self.model.trainable_variables)


def _build(shapes: list[tuple[int, ...]]) -> Any:
    inputs = [keras.Input(shape) for shape in shapes]
    *finer, x = inputs
    x = layers.SpatialDropout2D(0.2)(_unit(x, _FILTERS[-1], 1))
    whole = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Add()([x, layers.Conv2D(_FILTERS[-1], 1)(whole)])
    for level in reversed(range(len(finer))):
        x = layers.UpSampling2D(2, interpolation="bilinear")(x)
        x = _unit(layers.Concatenate()([x, finer[level]]), _FILTERS[level], 3)
    return keras.Model(inputs, layers.Conv2D(1, 1)(x))


def _unit(x: Any, filters: int, kernel: int) -> Any:
    x = layers.Conv2D(
        filters, kernel, padding="same", use_bias=False, kernel_initializer="he_uniform"
    )(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def _loss(wanted: Any, logits: Any) -> Any:
    """Cross-entropy and soft IoU, as in training."""
    confidence = tf.sigmoid(logits)
    entropy = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=wanted, logits=logits))
    overlap = tf.reduce_sum(tf.minimum(confidence, wanted), [1, 2, 3])
    union = tf.reduce_sum(tf.maximum(confidence, wanted), [1, 2, 3])
    return entropy + 1 - tf.reduce_mean((overlap + 1) / (union + 1))
