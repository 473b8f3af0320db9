"""What two devices got from one job, beside each other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.devices.errors import CannotRunError

# The networks are int8, and two kernels that round alike give the same bytes; what may differ by a
# step is what float arithmetic surrounds them with: JPEG decoding, resizing, the last
# normalisation. One step (1/256) of confidence moves a garment's edge by less than a tenth of one
# of the network's pixels, which is 0.1% of a garment's area: 0.995 allows five such steps all along
# the edge. An embedding's cosine falls to 0.9999 by being stored in 10 bits a number, and two items
# that look alike are 0.99 apart: 0.999 is where another item could begin to come first.
MIN_COSINE = 0.999
MIN_IOU = 0.995


@dataclass(frozen=True)
class Difference:
    """How far one run's results are from the reference's.

    Attributes:
        photos: how many were matched.
        same_top_10: in how many the same SKUs came, in the same order.
        same_first: in how many the first match was the same.
        least_shared: how many of the ten SKUs were the same whatever their order, the fewest.
        min_cosine: of the embeddings, the least over the photos.
        min_iou: of the masks, likewise; 1 where neither run found a garment, 0 where one did.
        max_distance_difference: of the matches' distances, where the same SKUs came.
        same_confidence: in how many the segmenter's raw output was equal, bit for bit.
        segmenter_equal: whether it is on an input that nothing had to prepare.
        embedder_equal: the same of the embedder.
    """

    photos: int
    same_top_10: int
    same_first: int
    least_shared: int
    min_cosine: float
    min_iou: float
    max_distance_difference: float
    same_confidence: int
    segmenter_equal: bool
    embedder_equal: bool

    def shortcomings(self, same_kernels: bool = True) -> list[str]:
        """What is not within tolerance, for people; empty if all is.

        Args:
            same_kernels: whether the networks must give the same bytes on the same input, as one
                runtime's do on every processor. Of another generation of kernels only the first
                match must be the same: of the ten, those that are as near as makes no difference
                may come in another order.
        """
        told = []
        if not same_kernels and self.same_first < self.photos:
            told.append(f"first match differs in {self.photos - self.same_first} of {self.photos}")
        if same_kernels and self.same_top_10 < self.photos:
            told.append(f"top 10 differ in {self.photos - self.same_top_10} of {self.photos}")
        # Written so that a NaN is short.
        if not self.min_cosine >= MIN_COSINE:
            told.append(f"embedding cosine {self.min_cosine:.6f} < {MIN_COSINE}")
        if not self.min_iou >= MIN_IOU:
            told.append(f"mask IoU {self.min_iou:.5f} < {MIN_IOU}")
        return told

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def compare(reference: Path, other: Path) -> Difference:
    """Compare what ``on_device.py match`` left in two folders.

    Raises:
        CannotRunError: a folder is not whole, or the other did not match the first of the
            reference's photos, or all of them.
    """
    (wanted, wanted_arrays), (got, got_arrays) = _outcome(reference), _outcome(other)
    names = [photo["name"] for photo in got["photos"]]
    if not names or names != [photo["name"] for photo in wanted["photos"]][: len(names)]:
        raise CannotRunError(f"{other.name} and {reference.name} did not match the same photos")
    same, first, equal, shared, furthest = 0, 0, 0, [], 0.0
    for mine, theirs in zip(wanted["photos"], got["photos"], strict=False):
        first += mine["skus"][0] == theirs["skus"][0]
        shared.append(len(set(mine["skus"]) & set(theirs["skus"])))
        equal += mine["confidence_sha256"] == theirs["confidence_sha256"]
        if mine["skus"] == theirs["skus"]:
            same += 1
            gaps = np.subtract(mine["distances"], theirs["distances"])
            furthest = max(furthest, float(np.abs(gaps).max(initial=0.0)))
    cosines = [
        cosine(wanted_arrays[f"embedding/{name}"], got_arrays[f"embedding/{name}"])
        for name in names
    ]
    ious = [iou(wanted_arrays[f"mask/{name}"], got_arrays[f"mask/{name}"]) for name in names]
    return Difference(
        photos=len(names),
        same_top_10=same,
        same_first=first,
        least_shared=min(shared),
        min_cosine=float(np.min(cosines)),
        min_iou=float(np.min(ious)),
        max_distance_difference=furthest,
        same_confidence=equal,
        segmenter_equal=wanted["networks"]["segmenter"] == got["networks"]["segmenter"],
        embedder_equal=wanted["networks"]["embedder"] == got["networks"]["embedder"],
    )


def compare_catalogues(reference: Path, other: Path) -> float:
    """The least cosine between the embeddings of two catalogues that ``on_device.py build`` left.

    Raises:
        CannotRunError: they do not hold the same number of items.
    """
    mine, theirs = (np.load(folder / "built.npz")["codes"] for folder in (reference, other))
    if mine.shape != theirs.shape:
        raise CannotRunError(f"catalogues of {mine.shape} and {theirs.shape} embeddings")
    return min(cosine(a, b) for a, b in zip(mine, theirs, strict=True))


def cosine(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Of the angle between two vectors; NaN if one is zero."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return float(np.divide(a @ b, np.linalg.norm(a) * np.linalg.norm(b)))


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Intersection over union; 1 of two empty masks, 0 of two that are not alike in shape."""
    if first.shape != second.shape:
        return 0.0
    union = int(np.count_nonzero(first | second))
    return 1.0 if not union else int(np.count_nonzero(first & second)) / union


def table_of(runs: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[Any]]:
    """Columns and rows for people, of runs as their JSON has them."""
    columns = [
        "run", "runtime", "NumPy", "OpenCV", "top 10", "first", "shared", "cosine", "IoU",
        "networks", "raw", "",
    ]  # fmt: skip
    lines = []
    for each in runs:
        difference = Difference(**{name: each[name] for name in Difference.__dataclass_fields__})
        versions = each["versions"]
        equal = difference.segmenter_equal and difference.embedder_equal
        lines.append(
            (
                each["name"],
                versions["runtime"],
                versions["numpy"],
                versions["opencv-python-headless"],
                f"{difference.same_top_10}/{difference.photos}",
                f"{difference.same_first}/{difference.photos}",
                f"{difference.least_shared}/10",
                f"{difference.min_cosine:.6f}",
                f"{difference.min_iou:.5f}",
                "same bytes" if equal else "differ",
                f"{difference.same_confidence}/{difference.photos}",
                "; ".join(each["shortcomings"]) or "held",
            )
        )
    return columns, lines


def _outcome(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    try:
        outcome: dict[str, Any] = json.loads((folder / "match.json").read_text())
        with np.load(folder / "arrays.npz") as arrays:
            return outcome, dict(arrays)
    except (OSError, ValueError) as error:
        raise CannotRunError(f"{folder.name} has no results: {error}") from error
