"""Two ways of segmenting on the same labelled photos: who gains where, and is it more than noise.

Both are scored on each photo, and the photos' differences are resampled, not the two means: what
makes a photo hard makes it hard for both, and falls out of its difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import DatasetError
from edgeseg.evaluation import metrics
from edgeseg.evaluation.bootstrap import mean_interval
from edgeseg.evaluation.labelled import LabelledPhoto
from edgeseg.evaluation.segmentation import read_pair

# From a labelled photo and its pixels, (H, W, 3) uint8 RGB, to a mask, (H, W) bool.
MaskOf = Callable[[LabelledPhoto, NDArray[np.uint8]], NDArray[np.bool_]]
Verdict = Literal["better", "worse", "no difference beyond noise"]

RESAMPLES = 4000
# Were all of five groups to gain by chance, that would be seen in one of sixteen comparisons (two
# sides of a sign test): fewer than six can show nothing at 95%, whatever their interval.
MIN_GROUPS = 6


@dataclass(frozen=True)
class JudgedPhoto:
    """A labelled photo with what its figures are reported and resampled by.

    Attributes:
        photo: the photo and its true mask.
        group: photos of one group are drawn together, see :mod:`edgeseg.evaluation.bootstrap`.
        part: the data folder that it comes from.
    """

    photo: LabelledPhoto
    group: str
    part: str


@dataclass(frozen=True)
class Change:
    """One photo under both; IoU in [0, 1]."""

    judged: JudgedPhoto
    first_iou: float
    second_iou: float

    @property
    def iou_change(self) -> float:
        """What the second gains; negative where it loses."""
        return self.second_iou - self.first_iou


@dataclass(frozen=True)
class Difference:
    """Means over photos.

    Attributes:
        photos: how many.
        groups: how many groups they make.
        first_iou, second_iou: mean IoU.
        iou_change: of the second against the first.
        low, high: the interval of ``iou_change`` that holds 95% of the resamples.
    """

    photos: int
    groups: int
    first_iou: float
    second_iou: float
    iou_change: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """What is known of the second: only what an interval on one side of 0 says."""
        if self.groups >= MIN_GROUPS:
            if self.low > 0:
                return "better"
            if self.high < 0:
                return "worse"
        return "no difference beyond noise"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "verdict": self.verdict}


@dataclass(frozen=True)
class Comparison:
    """Every photo's change, in the order compared."""

    changes: tuple[Change, ...]

    @property
    def whole(self) -> Difference:
        """Over all photos."""
        return difference(self.changes)

    @property
    def parts(self) -> dict[str, Difference]:
        """Over each data folder's photos."""
        names = dict.fromkeys(change.judged.part for change in self.changes)
        return {
            name: difference([c for c in self.changes if c.judged.part == name]) for name in names
        }

    def named_parts(self) -> list[tuple[str, Difference]]:
        """Each data folder's, with its name; before them ``all``, where there are several."""
        parts = list(self.parts.items())
        return parts if len(parts) == 1 else [("all", self.whole), *parts]

    def worst_first(self) -> list[Change]:
        """The photos that the second loses most on come first, its largest gains last."""
        return sorted(self.changes, key=lambda change: change.iou_change)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **self.whole.to_dict(),
            "parts": {name: part.to_dict() for name, part in self.parts.items()},
            "per_photo": [
                {
                    "photo": str(change.judged.photo.image),
                    "group": change.judged.group,
                    "part": change.judged.part,
                    "first_iou": change.first_iou,
                    "second_iou": change.second_iou,
                    "iou_change": change.iou_change,
                }
                for change in self.worst_first()
            ],
        }


def compare(
    photos: Sequence[JudgedPhoto],
    first: MaskOf,
    second: MaskOf,
    on_progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Score two ways of segmenting at each photo's own resolution.

    Args:
        photos: what to judge by, one at least.
        first: the old way.
        second: the new way.
        on_progress: called with (done, total) after each photo.

    Raises:
        DatasetError: no photos, or a mask of another size than its photo.
        PhotoError: a photo or a mask cannot be read.
    """
    if not photos:
        raise DatasetError("there are no labelled photos to compare on")
    changes = []
    for done, judged in enumerate(photos, start=1):
        pixels, true = read_pair(judged.photo)
        scores = [metrics.iou(mask_of(judged.photo, pixels), true) for mask_of in (first, second)]
        changes.append(Change(judged, *scores))
        if on_progress is not None:
            on_progress(done, len(photos))
    return Comparison(tuple(changes))


def difference(changes: Sequence[Change]) -> Difference:
    """Reduce photos' changes, one at least, to their mean and its interval."""
    gains = np.array([change.iou_change for change in changes])
    groups = [(change.judged.part, change.judged.group) for change in changes]
    low, high = mean_interval(gains, groups, RESAMPLES)
    return Difference(
        photos=len(changes),
        groups=len(set(groups)),
        first_iou=float(np.mean([change.first_iou for change in changes])),
        second_iou=float(np.mean([change.second_iou for change in changes])),
        iou_change=float(gains.mean()),
        low=low,
        high=high,
    )
