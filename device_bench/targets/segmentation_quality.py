"""How well a bundle's segmenter does, one labelled photo a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from device_bench.target import Step
from edgeseg.evaluation.bootstrap import mean_interval
from edgeseg.evaluation.labelled import LabelledPhoto
from edgeseg.evaluation.segmentation import PhotoScore, evaluate_segmentation, summarize
from edgeseg.segmenter import Segmenter


class SegmentationQualityTarget:
    """Scores ``Segmenter.segment`` against true masks, as ``edgeseg eval segmentation`` does.

    A target like the timed ones, because what crashes the interpreter must not take the run with
    it, and because threads and delegates decide on the last bits too. Its times mean nothing.

    Args:
        bundle: A bundle file.
        photos: The photo and its mask, each a pair of files; sample ``index`` scores one.
        threads: Threads of the interpreter.
    """

    def __init__(self, bundle: str, photos: list[list[str]], threads: int) -> None:
        self._bundle = bundle
        self._pairs = [LabelledPhoto(Path(p).stem, Path(p), Path(mask)) for p, mask in photos]
        self._threads = threads
        self._scores: list[PhotoScore] = []

    def load(self) -> None:
        """Open the bundle.

        Raises:
            EdgesegError: The bundle is damaged or its model does not fit.
        """
        self._segmenter = Segmenter(self._bundle, threads=self._threads)

    def prepare(self, index: int) -> None:
        """Turn to the next photo."""
        self._pair = self._pairs[index % len(self._pairs)]

    def steps(self) -> Sequence[Step]:
        """One step: ``score``."""
        return [Step("score", self._score)]

    def facts(self) -> Mapping[str, Any]:
        """The figures over all photos scored, and the mean IoU's 95% interval."""
        ious = np.array([score.iou for score in self._scores])
        interval = mean_interval(ious, [score.photo.image for score in self._scores])
        return {**summarize(self._scores).to_dict(), "iou_mean_interval": list(interval)}

    def _score(self) -> None:
        scores = evaluate_segmentation(
            [self._pair], lambda photo: self._segmenter.segment(photo).category_mask != 0
        )
        self._scores += scores.per_image
