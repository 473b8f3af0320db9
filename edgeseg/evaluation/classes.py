"""How well category masks of several classes agree with the true ones.

A folder of such labels holds ``<split>/`` with photos and ``<split>annot/`` with category masks of
the same file stems, as the CamVid copy of SegNet's authors does. A category mask is a grey picture
of class ids: with C classes 0 to C - 1 are theirs, and both C and 255 are void, which counts in no
loss and in no figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.errors import DatasetError
from edgeseg.evaluation.labelled import LabelledPhoto, Pairing, pair_by_stem
from edgeseg.montage import montage

VOID = 255

Photo = NDArray[np.uint8]
CategoryMask = NDArray[np.uint8]
Labelled = tuple[LabelledPhoto, Photo, CategoryMask]
# Photos of one size in, their category masks out.
PredictClasses = Callable[[Sequence[Photo]], Iterable[CategoryMask]]

_ANNOTATIONS = "annot"
_SHEET_TILE_PX = 300
_SHEET_PHOTOS = 10


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Figures over all photos, from one confusion matrix.

    Attributes:
        names: of the classes, by id.
        confusion: ``(C, C)`` int64: pixels by true class (row) and predicted class (column); void
            pixels are in none.
        per_image: every photo and its share of pixels that agree, in the order evaluated.
    """

    names: tuple[str, ...]
    confusion: NDArray[np.int64]
    per_image: tuple[tuple[LabelledPhoto, float], ...]

    @property
    def class_iou(self) -> NDArray[np.float64]:
        """Each class's IoU: diagonal / (row + column - diagonal); NaN where it never occurs."""
        hits = np.diag(self.confusion).astype(np.float64)
        union = self.confusion.sum(axis=0) + self.confusion.sum(axis=1) - hits
        each: NDArray[np.float64] = np.full_like(hits, np.nan)
        np.divide(hits, union, out=each, where=union > 0)
        return each

    @property
    def mean_iou(self) -> float:
        """Mean of the classes' IoU, of those that occur in the truth or in a prediction."""
        known = self.class_iou[~np.isnan(self.class_iou)]
        return float(known.mean()) if known.size else 0.0

    @property
    def accuracy(self) -> float:
        """Share of the pixels that are not void whose class is right."""
        total = int(self.confusion.sum())
        return int(np.trace(self.confusion)) / total if total else 0.0

    def to_dict(self) -> dict[str, Any]:
        """For JSON; a class that never occurs has null."""
        each = zip(self.names, self.class_iou, strict=True)
        return {
            "images": len(self.per_image),
            "mean_iou": self.mean_iou,
            "accuracy": self.accuracy,
            "class_iou": {name: None if np.isnan(iou) else float(iou) for name, iou in each},
        }


def confusion_matrix(pred: CategoryMask, true: CategoryMask, classes: int) -> NDArray[np.int64]:
    """Pixels by true class (row) and predicted class (column).

    Args:
        pred: class ids below ``classes``, any shape.
        true: the same shape, also with ``VOID``.
        classes: how many there are.

    Returns:
        ``(classes, classes)`` int64.

    Raises:
        ValueError: the shapes differ, or an id is out of range.
    """
    if pred.shape != true.shape:
        raise ValueError(f"category masks of two shapes: {pred.shape} and {true.shape}")
    counted = true != VOID
    rows, columns = true[counted].astype(np.int64), pred[counted].astype(np.int64)
    if rows.size and (rows.max() >= classes or columns.max() >= classes):
        raise ValueError(f"a class id of {max(rows.max(), columns.max())} among {classes} classes")
    counts = np.bincount(rows * classes + columns, minlength=classes * classes)
    return counts.astype(np.int64).reshape(classes, classes)


def has_category_masks(folder: Path, split: str = "train") -> bool:
    """Whether a folder is laid out as the module's docstring says."""
    folder = Path(folder)
    return (folder / split).is_dir() and (folder / f"{split}{_ANNOTATIONS}").is_dir()


def pairs_of_classes(folder: Path, split: str) -> Pairing:
    """The photos of a split and their category masks.

    Raises:
        DatasetError: there is no such split, or nothing in it pairs up.
    """
    folder = Path(folder)
    if not has_category_masks(folder, split):
        raise DatasetError(f"{folder}: needs {split}/ and {split}{_ANNOTATIONS}/")
    return pair_by_stem(folder / split, folder / f"{split}{_ANNOTATIONS}")


def read_classes(pair: LabelledPhoto, classes: int) -> tuple[Photo, CategoryMask]:
    """Read a photo ``(H, W, 3)`` uint8 RGB and its category mask ``(H, W)`` uint8.

    Args:
        pair: where they are.
        classes: how many there are; void becomes ``VOID``.

    Raises:
        DatasetError: the two differ in size, or the mask has ids of other classes.
        PhotoError: one of them cannot be read.
    """
    photo = imaging.read_photo(pair.image)
    mask = imaging.read_category_mask(pair.mask)
    if mask.shape != photo.shape[:2]:
        raise DatasetError(
            f"{pair.mask} is {mask.shape[1]} x {mask.shape[0]} pixels and its photo "
            f"{photo.shape[1]} x {photo.shape[0]}: a category mask must be as large as its photo"
        )
    odd = mask[(mask > classes) & (mask != VOID)]
    if odd.size:
        raise DatasetError(
            f"{pair.mask} has the class id {odd.max()}: with {classes} classes ids are 0 to "
            f"{classes - 1}, and {classes} or {VOID} for void"
        )
    return photo, np.where(mask == classes, np.uint8(VOID), mask)


def evaluate_classes(
    pairs: Sequence[LabelledPhoto],
    predict: PredictClasses,
    names: Sequence[str],
    batch: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> ClassScores:
    """Score category masks at each photo's own resolution.

    Args:
        pairs: photos and their category masks, one at least.
        predict: gives ``(H, W)`` uint8 class ids for each of ``(H, W, 3)`` uint8 RGB photos.
        names: of the classes, by id.
        batch: the most photos to predict at once; photos of two sizes never go together.
        on_progress: called with (done, total).

    Raises:
        DatasetError: no photos, or a mask that cannot be used.
        PhotoError: a photo or mask cannot be read.
    """
    labelled = ((pair, *read_classes(pair, len(names))) for pair in pairs)

    def tell(done: int) -> None:
        if on_progress is not None:
            on_progress(done, len(pairs))

    return evaluate_samples(labelled, predict, names, batch, tell)


def evaluate_samples(
    labelled: Iterable[Labelled],
    predict: PredictClasses,
    names: Sequence[str],
    batch: int = 1,
    on_progress: Callable[[int], None] | None = None,
) -> ClassScores:
    """As :func:`evaluate_classes`, for photos that have been read.

    Args:
        labelled: photos with their places and their category masks, one at least.
        predict: as there.
        names: as there.
        batch: as there.
        on_progress: called with the number done.

    Raises:
        DatasetError: no photos.
    """
    confusion = np.zeros((len(names), len(names)), np.int64)
    per_image: list[tuple[LabelledPhoto, float]] = []
    for group in _batches(labelled, batch):
        predicted = predict([photo for _, photo, _ in group])
        for (pair, _, true), pred in zip(group, predicted, strict=True):
            counts = confusion_matrix(pred, true, len(names))
            confusion += counts
            per_image.append((pair, int(np.trace(counts)) / max(1, int(counts.sum()))))
        if on_progress is not None:
            on_progress(len(per_image))
    if not per_image:
        raise DatasetError("there are no labelled photos to evaluate on")
    return ClassScores(tuple(names), confusion, tuple(per_image))


def class_sheet(
    scores: ClassScores, predict: PredictClasses, count: int = _SHEET_PHOTOS
) -> NDArray[np.uint8]:
    """A contact sheet of the photos with the lowest accuracy: photo, predicted and true classes.

    The photos are read and predicted again, one by one: normalised by statistics of a batch, they
    can differ a little from what was scored.

    Returns:
        ``(H, W, 3)`` uint8 RGB; void is black.
    """
    colours = palette(len(scores.names))
    tiles = []
    for pair, accuracy in sorted(scores.per_image, key=lambda entry: entry[1])[:count]:
        photo, true = read_classes(pair, len(scores.names))
        (pred,) = predict([photo])
        tiles += [
            (photo, pair.name[:36]),
            (colours[pred], f"predicted, accuracy {accuracy:.3f}"),
            (colours[true], "true"),
        ]
    return montage(tiles, columns=3, tile_px=_SHEET_TILE_PX)


def palette(classes: int) -> NDArray[np.uint8]:
    """``(256, 3)`` uint8 RGB colours by class id, black from ``classes`` on.

    The colours are those of Pascal VOC's masks, from the second on: the bits of an id dealt out to
    red, green and blue in turn, the lowest becoming the highest, so that neighbours differ much.
    """
    colours = np.zeros((256, 3), np.uint8)
    for identifier in range(classes):
        bits = identifier + 1
        for place in range(7, -1, -1):
            for channel in range(3):
                colours[identifier, channel] |= ((bits >> channel) & 1) << place
            bits >>= 3
    return colours


def _batches(labelled: Iterable[Labelled], batch: int) -> Iterator[list[Labelled]]:
    """Neighbours of one size, at most ``batch`` together."""
    group: list[Labelled] = []
    for entry in labelled:
        if group and (len(group) == batch or group[0][1].shape != entry[1].shape):
            yield group
            group = []
        group.append(entry)
    if group:
        yield group
