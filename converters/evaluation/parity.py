"""Parity: how far a converted network is from its float original, and the gate it must pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.evaluation.layers import LayerError
from converters.photographs import Photograph, resized_mask
from converters.recipe import Floor
from edgeseg.errors import ParityError
from edgeseg.evaluation.metrics import iou
from edgeseg.interpreter import Interpreter
from edgeseg.preprocessing import Preprocessing

_THRESHOLD = 0.5


@dataclass(frozen=True)
class FolderParity:
    """Two segmenters against one folder's labels.

    Attributes:
        labelled: photographs with a mask.
        iou_float, iou_converted: mean IoU against the labels.
    """

    labelled: int
    iou_float: float
    iou_converted: float

    @property
    def iou_drop(self) -> float:
        """The fall between the two; negative where the converted network is better."""
        return self.iou_float - self.iou_converted


@dataclass(frozen=True)
class MaskParity:
    """Agreement of two segmenters, in the network's own frame.

    Attributes:
        source: the pictures, in words.
        pictures: how many there were.
        labelled: how many of them have a mask.
        iou_float: mean IoU of the float network against labels; None without labels. Of several
            classes: the mean over these.
        iou_converted: that of the converted network.
        iou_drop: the fall between the two; negative where the converted network is better.
        iou_agreement: mean IoU between the two networks' category masks.
        mask_error_mean: mean absolute difference of the confidence masks, in [0, 1]; of several
            classes: of the category scores.
        mask_error_max: the largest difference of any pixel.
        folders: against labels, by folder.
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
    folders: dict[str, FolderParity] = field(default_factory=dict)
    worst_layer: LayerError | None = None

    def failure(self, floor: Floor) -> str | None:
        """What is below the floor, in words; None if nothing is.

        Each folder counts by itself: one that got better pays for no other.
        """
        if self.iou_drop is not None:
            drops = {"": self.iou_drop}
            if len(self.folders) > 1:
                drops = {f" on {name}": folder.iou_drop for name, folder in self.folders.items()}
            for where, drop in drops.items():
                # A comparison with NaN is False: it must count as a failure too.
                if not drop <= floor.iou_drop:
                    return f"IoU{where} drops by {drop:.4f}, more than {floor.iou_drop:.4f}"
        elif not self.iou_agreement >= floor.iou_agreement:
            return f"mean IoU agreement is {self.iou_agreement:.4f}, below {floor.iou_agreement}"
        return None

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, for the report."""
        folders = {
            name: {**asdict(folder), "iou_drop": folder.iou_drop}
            for name, folder in self.folders.items()
        }
        return {**asdict(self), "folders": folders}


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


class MaskReference:
    """The float segmenter's answers, kept so that many converted ones can be held against them.

    Attributes:
        source: the pictures, in words.
        labelled: how many of them have a mask.
    """

    def __init__(
        self,
        float_model: bytes,
        photographs: Sequence[Photograph],
        preprocessing: Preprocessing,
        source: str,
    ) -> None:
        """Runs the reference.

        Args:
            float_model: TFLite bytes.
            photographs: at least one.
            preprocessing: of this network and of those to compare.
            source: the pictures, in words.
        """
        self.source = source
        self._preprocessing = preprocessing
        self._folders = [photograph.folder for photograph in photographs]
        self._pictures = [preprocessing.resized(photograph.image) for photograph in photographs]
        self._labels = [
            None if photograph.mask is None else resized_mask(photograph.mask, preprocessing)
            for photograph in photographs
        ]
        self._confidences = self._run(float_model)
        self.labelled = sum(label is not None for label in self._labels)

    def compare(self, converted_model: bytes) -> MaskParity:
        """Holds a converted segmenter against the reference.

        Args:
            converted_model: TFLite bytes.
        """
        agreements, errors_mean, errors_max = [], [], []
        ious: dict[str, list[tuple[float, float]]] = {}
        answers = zip(self._confidences, self._run(converted_model), strict=True)
        for index, (expected, actual) in enumerate(answers):
            error = np.abs(expected - actual)
            errors_mean.append(float(error.mean()))
            errors_max.append(float(error.max()))
            expected_mask, actual_mask = expected >= _THRESHOLD, actual >= _THRESHOLD
            agreements.append(iou(actual_mask, expected_mask))
            label = self._labels[index]
            if label is not None:
                pair = iou(expected_mask, label), iou(actual_mask, label)
                ious.setdefault(self._folders[index], []).append(pair)
        folders = {
            name: FolderParity(len(pairs), *(float(mean) for mean in np.mean(pairs, axis=0)))
            for name, pairs in ious.items()
        }
        overall = pooled(folders)
        return MaskParity(
            source=self.source,
            pictures=len(self._pictures),
            labelled=self.labelled,
            iou_float=None if overall is None else overall.iou_float,
            iou_converted=None if overall is None else overall.iou_converted,
            iou_drop=None if overall is None else overall.iou_drop,
            iou_agreement=float(np.mean(agreements)),
            mask_error_mean=float(np.mean(errors_mean)),
            mask_error_max=float(np.max(errors_max)),
            folders=folders,
        )

    def _run(self, model: bytes) -> list[NDArray[np.float32]]:
        """One ``(S, S)`` confidence mask a picture."""
        interpreter = Interpreter(model)
        return [
            interpreter.run(self._preprocessing.normalized(picture)[None])[0, ..., 0]
            for picture in self._pictures
        ]


def pooled(folders: dict[str, FolderParity]) -> FolderParity | None:
    """The mean over all labelled photographs, whatever their folder."""
    if not folders:
        return None
    counts = [folder.labelled for folder in folders.values()]
    return FolderParity(
        sum(counts),
        float(np.average([folder.iou_float for folder in folders.values()], weights=counts)),
        float(np.average([folder.iou_converted for folder in folders.values()], weights=counts)),
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
