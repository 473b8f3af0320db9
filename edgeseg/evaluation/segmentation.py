"""How well a way of cutting garments out does on labelled photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.errors import DatasetError
from edgeseg.evaluation import metrics
from edgeseg.evaluation.labelled import LabelledPhoto
from edgeseg.montage import montage

Predict = Callable[[NDArray[np.uint8]], NDArray[np.bool_]]

_SHEET_TILE_PX = 240


@dataclass(frozen=True)
class PhotoScore:
    """The figures of one photo, each in [0, 1]; see :mod:`edgeseg.evaluation.metrics`."""

    photo: LabelledPhoto
    iou: float
    pixel_accuracy: float
    boundary_f: float


@dataclass(frozen=True)
class SegmentationScores:
    """Figures over all photos, each in [0, 1].

    Attributes:
        images: how many photos.
        iou_mean: mean IoU.
        iou_p10: the 10th percentile of IoU (linear interpolation): the best of the worst tenth.
        pixel_accuracy: mean pixel accuracy.
        boundary_f: mean contour F-score.
        per_image: every photo's own, in the order evaluated.
    """

    images: int
    iou_mean: float
    iou_p10: float
    pixel_accuracy: float
    boundary_f: float
    per_image: tuple[PhotoScore, ...]

    def to_dict(self) -> dict[str, int | float]:
        """The figures over all photos, for JSON."""
        return {
            "images": self.images,
            "iou_mean": self.iou_mean,
            "iou_p10": self.iou_p10,
            "pixel_accuracy": self.pixel_accuracy,
            "boundary_f": self.boundary_f,
        }


def evaluate_segmentation(
    pairs: Sequence[LabelledPhoto],
    predict: Predict,
    on_progress: Callable[[int, int], None] | None = None,
) -> SegmentationScores:
    """Score a way of segmenting at each photo's own resolution.

    Args:
        pairs: labelled photos, one at least.
        predict: takes ``(H, W, 3)`` uint8 RGB, gives ``(H, W)`` bool, True on the garment.
        on_progress: called with (done, total) after each photo.

    Raises:
        DatasetError: no photos, or a mask of another size than its photo.
        PhotoError: a photo or mask cannot be read. A figure over the others would be another
            figure, so there is none.
    """
    if not pairs:
        raise DatasetError("there are no labelled photos to evaluate on")
    scores = []
    for done, pair in enumerate(pairs, start=1):
        photo, true = read_pair(pair)
        pred = predict(photo)
        scores.append(
            PhotoScore(
                pair,
                metrics.iou(pred, true),
                metrics.pixel_accuracy(pred, true),
                metrics.boundary_f(pred, true),
            )
        )
        if on_progress is not None:
            on_progress(done, len(pairs))
    return summarize(scores)


def summarize(scores: Sequence[PhotoScore]) -> SegmentationScores:
    """Reduce photos' figures, one at least, to those over all."""
    ious = [score.iou for score in scores]
    return SegmentationScores(
        images=len(scores),
        iou_mean=float(np.mean(ious)),
        iou_p10=float(np.percentile(ious, 10)),
        pixel_accuracy=float(np.mean([score.pixel_accuracy for score in scores])),
        boundary_f=float(np.mean([score.boundary_f for score in scores])),
        per_image=tuple(scores),
    )


def read_pair(pair: LabelledPhoto) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Read a photo ``(H, W, 3)`` uint8 RGB and its mask ``(H, W)`` bool.

    Raises:
        DatasetError: the two differ in size.
        PhotoError: one of them cannot be read.
    """
    photo, true = imaging.read_photo(pair.image), imaging.read_mask(pair.mask)
    if true.shape != photo.shape[:2]:
        raise DatasetError(
            f"{pair.mask} is {true.shape[1]} x {true.shape[0]} pixels and its photo "
            f"{photo.shape[1]} x {photo.shape[0]}: a mask must be as large as its photo"
        )
    return photo, true


def worst_sheet(scores: SegmentationScores, predict: Predict, count: int = 10) -> NDArray[np.uint8]:
    """A contact sheet of the photos with the lowest IoU: photo, predicted mask, cutout, true mask.

    The photos are read and segmented again, so that an evaluation of thousands holds none.

    Args:
        scores: what :func:`evaluate_segmentation` gave.
        predict: the same way of segmenting.
        count: how many photos at most.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    tiles = []
    for score in sorted(scores.per_image, key=lambda score: score.iou)[:count]:
        photo, true = read_pair(score.photo)
        pred = predict(photo)
        cutout = photo.copy()
        cutout[~pred] = 255
        tiles += [
            (photo, score.photo.name[:36]),
            (_grey(pred), f"predicted, IoU {score.iou:.3f}"),
            (cutout, f"cutout, boundary F {score.boundary_f:.3f}"),
            (_grey(true), "true"),
        ]
    return montage(tiles, columns=4, tile_px=_SHEET_TILE_PX)


def _grey(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A mask as a picture: mid-grey on light, so that its edge shows on a white sheet."""
    shades = np.where(mask, np.uint8(60), np.uint8(220)).astype(np.uint8)
    return np.repeat(shades[:, :, None], 3, axis=2)
