"""Labels on disk under a second look: worst first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgeseg.errors import DatasetError
from edgeseg.evaluation.labelled import LabelledPhoto
from edgeseg.evaluation.segmentation import read_pair
from edgeseg.labelling.doubt import GivesConfidence
from edgeseg.labelling.second_look import Suspicion, opinion_of, second_look


@dataclass(frozen=True)
class Reviewed:
    """A label and how much of it is contradicted."""

    photo: LabelledPhoto
    suspicion: Suspicion

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "photo": str(self.photo.image),
            "mask": str(self.photo.mask),
            "score": self.suspicion.score,
            "missing": self.suspicion.missing,
            "surplus": self.suspicion.surplus,
            "iou": self.suspicion.iou,
            "reason": self.suspicion.reason,
        }


@dataclass(frozen=True)
class Review:
    """All labels, those to look at first coming first."""

    worst_first: tuple[Reviewed, ...]

    @property
    def suspected(self) -> int:
        """How many labels have any area that is contradicted with confidence."""
        return sum(each.suspicion.score > 0 for each in self.worst_first)


def review_labels(
    photos: Sequence[LabelledPhoto],
    network: GivesConfidence,
    on_progress: Callable[[int, int], None] | None = None,
) -> Review:
    """Have a network look at labels.

    Args:
        photos: labelled ones.
        network: gives confidence masks; best one that did not learn from these labels.
        on_progress: called with (done, total) after each photo.

    Raises:
        DatasetError: there are none, or a mask of another size than its photo.
        PhotoError: a photo or a mask cannot be read.
    """
    if not photos:
        raise DatasetError("there are no labels to look at")
    opinions = []
    for done, labelled in enumerate(photos, start=1):
        photo, label = read_pair(labelled)
        opinions.append(opinion_of(network.network_confidence(photo), label))
        if on_progress is not None:
            on_progress(done, len(photos))
    judged = zip(photos, second_look(opinions), strict=True)
    reviewed = [Reviewed(labelled, suspicion) for labelled, suspicion in judged]
    # Of equals, the one that agrees less: a strip too thin to count is still something.
    reviewed.sort(key=lambda each: (-each.suspicion.score, each.suspicion.iou))
    return Review(tuple(reviewed))
