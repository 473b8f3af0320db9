"""Parity of segmenters that tell several classes apart: their category masks, class by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from converters.evaluation.parity import FolderParity, MaskParity, pooled
from converters.photographs import Photograph
from edgeseg.categories import categories_from
from edgeseg.evaluation.classes import ClassScores, confusion_matrix
from edgeseg.interpreter import Interpreter
from edgeseg.preprocessing import Preprocessing

Scores = NDArray[np.float32]


class ClassReference:
    """What converted segmenters are held against: as ``MaskReference``, for category scores.

    The float one runs anew for each of them, since scores of many classes fill the memory. Every
    IoU is a mean over the classes, from one
    confusion matrix over all the pixels of a folder, or of all pictures for the agreement: a mean
    over photographs would count a class that is in few of them too much.

    Attributes:
        source: the pictures, in words.
        labelled: how many of them have class ids.
    """

    def __init__(
        self,
        float_model: bytes,
        photographs: Sequence[Photograph],
        preprocessing: Preprocessing,
        source: str,
        classes: Sequence[str],
    ) -> None:
        """Loads the reference.

        Args:
            float_model: TFLite bytes.
            photographs: at least one; their labels are ``ids``.
            preprocessing: of this network and of those to compare.
            source: the pictures, in words.
            classes: names, by id.
        """
        self.source = source
        self._classes = tuple(classes)
        self._preprocessing = preprocessing
        self._photographs = [
            (preprocessing.resized(photograph.image), photograph.ids, photograph.folder)
            for photograph in photographs
        ]
        self._float = Interpreter(float_model)
        self.labelled = sum(ids is not None for _, ids, _ in self._photographs)

    def compare(self, converted_model: bytes) -> MaskParity:
        """Holds a converted segmenter against the reference.

        Args:
            converted_model: TFLite bytes.
        """
        count = len(self._classes)
        agreement = np.zeros((count, count), np.int64)
        folders: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        labelled: dict[str, int] = {}
        errors_mean, errors_max = [], []
        converted = Interpreter(converted_model)
        for picture, ids, folder in self._photographs:
            batch = self._preprocessing.normalized(picture)[None]
            expected, actual = self._float.run(batch)[0], converted.run(batch)[0]
            error = np.abs(expected - actual)
            errors_mean.append(float(error.mean()))
            errors_max.append(float(error.max()))
            agreement += confusion_matrix(_ids(actual), _ids(expected), count)
            if ids is not None:
                empty = np.zeros_like(agreement), np.zeros_like(agreement)
                for matrix, scores in zip(
                    folders.setdefault(folder, empty), (expected, actual), strict=True
                ):
                    matrix += confusion_matrix(_ids(scores, ids.shape), ids, count)
                labelled[folder] = labelled.get(folder, 0) + 1
        found = {
            name: FolderParity(labelled[name], *(self._mean_iou(matrix) for matrix in pair))
            for name, pair in folders.items()
        }
        overall = pooled(found)
        return MaskParity(
            source=self.source,
            pictures=len(self._photographs),
            labelled=self.labelled,
            iou_float=None if overall is None else overall.iou_float,
            iou_converted=None if overall is None else overall.iou_converted,
            iou_drop=None if overall is None else overall.iou_drop,
            iou_agreement=self._mean_iou(agreement),
            mask_error_mean=float(np.mean(errors_mean)),
            mask_error_max=float(np.max(errors_max)),
            folders=found,
        )

    def _mean_iou(self, confusion: NDArray[np.int64]) -> float:
        return ClassScores(self._classes, confusion, ()).mean_iou


def _ids(scores: Scores, size: tuple[int, ...] | None = None) -> NDArray[np.uint8]:
    """The category mask in the network's own frame, or at a label's size."""
    height, width = scores.shape[:2] if size is None else size
    return categories_from(scores, width, height)
