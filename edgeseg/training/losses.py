"""Losses, in operations that every Keras 3 backend has."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


class BceSoftIou(keras.losses.Loss):
    """Binary cross-entropy plus one minus the soft intersection over union, on logits.

    The second term is the differentiable Jaccard index of Rahman and Wang, "Optimizing
    Intersection-Over-Union in Deep Neural Networks for Image Segmentation" (ISVC 2016),
    equation 3, taken per photo so that a small garment counts as much as a large one.

    Args:
        iou_weight: weight of the second term; 0 leaves cross-entropy alone.
    """

    def __init__(self, iou_weight: float = 1.0, name: str = "bce_soft_iou") -> None:
        super().__init__(name=name)
        self.iou_weight = iou_weight

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss per photo.

        Args:
            y_true: ``(N, H, W, 1)`` masks in [0, 1]; soft labels are allowed.
            y_pred: ``(N, H, W, 1)`` logits.

        Returns:
            ``(N,)`` float32.
        """
        y_true = ops.cast(y_true, "float32")
        y_pred = ops.cast(y_pred, "float32")
        # max(z, 0) - z * t + log(1 + exp(-|z|)): cross-entropy that cannot overflow.
        bce = ops.relu(y_pred) - y_pred * y_true + ops.log1p(ops.exp(-ops.abs(y_pred)))
        loss = ops.mean(bce, axis=(1, 2, 3))
        if self.iou_weight:
            confidence = ops.sigmoid(y_pred)
            intersection = ops.sum(confidence * y_true, axis=(1, 2, 3))
            union = ops.sum(confidence + y_true - confidence * y_true, axis=(1, 2, 3))
            # One pixel's worth of smoothing: an empty mask met by an empty prediction scores 1.
            loss = loss + self.iou_weight * (1.0 - (intersection + 1.0) / (union + 1.0))
        return loss


class VoidCrossEntropy(keras.losses.Loss):
    """Categorical cross-entropy on logits, over the pixels that are not void.

    No class is weighted. All pixels of a step count alike, whichever photo they are of, as in the
    code published with Jégou et al., arXiv 1611.09326.
    """

    def __init__(self, name: str = "void_cross_entropy") -> None:
        super().__init__(name=name)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of a step.

        Args:
            y_true: ``(N, H, W)`` class ids; one that is no channel of ``y_pred`` is void.
            y_pred: ``(N, H, W, C)`` logits.

        Returns:
            ``()`` float32; 0 where every pixel is void.
        """
        classes = y_pred.shape[-1]
        ids = ops.cast(y_true, "int32")
        counted = ops.cast(ids < classes, "float32")
        # PyTorch refuses an id without a channel, and a void pixel is multiplied by 0 in any case.
        hot = ops.one_hot(ops.where(ids < classes, ids, 0), classes, dtype="float32")
        log_shares = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        each = -ops.sum(hot * log_shares, axis=-1)
        return ops.sum(each * counted) / ops.maximum(ops.sum(counted), 1.0)


class SoftTargetContrastive(keras.losses.Loss):
    """Cross-entropy of query-to-catalogue similarities against given targets, both ways.

    What the colours say of two pictures is added before the network is judged, so that it learns
    what they leave open.

    Args:
        temperature: divides the joint similarities.
        colour_share: of the colours in the joint similarity; the rest is the network's.
    """

    def __init__(
        self, temperature: float, colour_share: float, name: str = "soft_target_contrastive"
    ) -> None:
        super().__init__(name=name)
        self.temperature = temperature
        self.colour_share = colour_share

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss per row.

        Args:
            y_true: ``(2B, 2B)`` float32: on the left the targets of queries, then of catalogue
                pictures; on the right how alike the colours are, in the same order.
            y_pred: ``(2B, D)`` float32 unit vectors: B queries, then their catalogue pictures.

        Returns:
            ``(2B,)`` float32.
        """
        queries, pictures = ops.split(ops.cast(y_pred, "float32"), 2, axis=0)
        targets, colours = ops.split(ops.cast(y_true, "float32"), 2, axis=1)
        seen = ops.matmul(queries, ops.transpose(pictures))
        both = ops.concatenate([seen, ops.transpose(seen)], axis=0)
        joint = (1.0 - self.colour_share) * both + self.colour_share * colours
        return -ops.sum(targets * ops.log_softmax(joint / self.temperature, axis=-1), axis=-1)
