"""Parity: how far a converted network is from its float original, and the gate it must pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.layers import LayerError
from converters.photographs import Photograph, resized_mask
from converters.recipe import Floor
from edgeseg.errors import ParityError
from edgeseg.evaluation.metrics import iou
from edgeseg.interpreter import Interpreter
from edgeseg.preprocessing import Preprocessing

_THRESHOLD = 0.5


@dataclass(frozen=True)
class MaskParity:
    """Agreement of two segmenters, in the network's own frame.

    Attributes:
        source: the pictures, in words.
        pictures: how many there were.
        labelled: how many of them have a mask.
        iou_float: mean IoU of the float network against labels; None without labels.
        iou_converted: that of the converted network.
        iou_drop: the fall between the two; negative where the converted network is better.
        iou_agreement: mean IoU between the two networks' category masks.
        mask_error_mean: mean absolute difference of the confidence masks, in [0, 1].
        mask_error_max: the largest difference of any pixel.
        worst_layer: which adds the most error.
    """

    source: str
    pictures: int
    labelled: int
    iou_float: float | None
    iou_converted: float | None
    iou_drop: float | None
    iou_agreement: float
    mask_error_mean: float
    mask_error_max: float
    worst_layer: LayerError | None = None

    def failure(self, floor: Floor) -> str | None:
        """What is below the floor, in words; None if nothing is."""
        if self.iou_drop is not None:
            # A comparison with NaN is False: it must count as a failure too.
            if not self.iou_drop <= floor.iou_drop:
                return f"IoU drops by {self.iou_drop:.4f}, more than {floor.iou_drop:.4f}"
        elif not self.iou_agreement >= floor.iou_agreement:
            return f"mean IoU agreement is {self.iou_agreement:.4f}, below {floor.iou_agreement}"
        return None

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, for the report."""
        return asdict(self)


@dataclass(frozen=True)
class EmbeddingParity:
    """Agreement of two embedders.

    Attributes:
        source: the pictures, in words.
        pictures: how many there were.
        cosine_mean: mean cosine between the two embeddings of a picture.
        cosine_min: the smallest.
        worst_layer: which adds the most error.
    """

    source: str
    pictures: int
    cosine_mean: float
    cosine_min: float
    worst_layer: LayerError | None = None

    def failure(self, floor: Floor) -> str | None:
        """What is below the floor, in words; None if nothing is."""
        if not self.cosine_mean >= floor.embedding_cosine:
            return f"mean cosine is {self.cosine_mean:.4f}, below {floor.embedding_cosine}"
        return None

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, for the report."""
        return asdict(self)


def check(kind: str, parity: MaskParity | EmbeddingParity, floor: Floor) -> None:
    """The gate.

    Raises:
        ParityError: the agreement is below the floor.
    """
    failure = parity.failure(floor)
    if failure is None:
        return
    worst = parity.worst_layer
    where = (
        ""
        if worst is None
        else f"; worst layer: {worst.layer} ({worst.snr_db:.1f} dB signal to noise)"
    )
    raise ParityError(
        f"the converted {kind} is too far from the float one on {parity.source}: {failure}{where}. "
        "Nothing was written. More representative photographs, qat_wi8_ai8 or float16 may help"
    )


def compare_masks(
    float_model: bytes,
    converted_model: bytes,
    photographs: Sequence[Photograph],
    preprocessing: Preprocessing,
    source: str,
) -> MaskParity:
    """Runs two segmenters over the same photographs.

    Args:
        float_model: TFLite bytes of the reference.
        converted_model: TFLite bytes.
        photographs: at least one.
        preprocessing: of both.
        source: the pictures, in words.
    """
    reference, converted = Interpreter(float_model), Interpreter(converted_model)
    agreements, errors_mean, errors_max = [], [], []
    ious_float, ious_converted = [], []
    for photograph in photographs:
        batch = preprocessing.normalized(preprocessing.resized(photograph.image))[None]
        expected, actual = reference.run(batch)[0, ..., 0], converted.run(batch)[0, ..., 0]
        error = np.abs(expected - actual)
        errors_mean.append(float(error.mean()))
        errors_max.append(float(error.max()))
        expected_mask, actual_mask = expected >= _THRESHOLD, actual >= _THRESHOLD
        agreements.append(iou(actual_mask, expected_mask))
        if photograph.mask is not None:
            label = resized_mask(photograph.mask, preprocessing)
            ious_float.append(iou(expected_mask, label))
            ious_converted.append(iou(actual_mask, label))
    labelled = len(ious_float)
    iou_float = float(np.mean(ious_float)) if labelled else None
    iou_converted = float(np.mean(ious_converted)) if labelled else None
    drop = None
    if iou_float is not None and iou_converted is not None:
        drop = iou_float - iou_converted
    return MaskParity(
        source=source,
        pictures=len(photographs),
        labelled=labelled,
        iou_float=iou_float,
        iou_converted=iou_converted,
        iou_drop=drop,
        iou_agreement=float(np.mean(agreements)),
        mask_error_mean=float(np.mean(errors_mean)),
        mask_error_max=float(np.max(errors_max)),
    )


def compare_embeddings(
    float_model: bytes,
    converted_model: bytes,
    pictures: NDArray[np.uint8],
    preprocessing: Preprocessing,
    source: str,
) -> EmbeddingParity:
    """Runs two embedders over the same ``(N, S, S, 3)`` uint8 pictures."""
    reference, converted = Interpreter(float_model), Interpreter(converted_model)
    cosines = []
    for picture in pictures:
        batch = preprocessing.normalized(picture)[None]
        expected, actual = reference.run(batch)[0], converted.run(batch)[0]
        # The runtime normalizes whatever comes out, so the comparison does too.
        norms = float(np.linalg.norm(expected) * np.linalg.norm(actual))
        cosines.append(float(expected @ actual) / norms if norms > 0 else 0.0)
    return EmbeddingParity(source, len(pictures), float(np.mean(cosines)), float(np.min(cosines)))
