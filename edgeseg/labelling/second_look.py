"""Labels that the network confidently contradicts: where to look a second time.

After confident learning (Northcutt, Jiang and Chuang, arXiv 1911.00068, section 3.1): a pixel
counts against its label only when the network is at least as sure of the other class as it is on
average of pixels that carry that class. So neither a network that is timid throughout nor one that
boasts changes what counts, and a photo that the network itself is unsure of accuses nobody.

Outlines are never drawn alike twice. What differs in a strip thinner than two hands' outlines would
differ by is no contradiction, and is taken away by a morphological opening.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.filters import opened

Confidence = NDArray[np.float32]
BoolMask = NDArray[np.bool_]

# Half the width of a strip along an outline that is nobody's fault, as a share of the mask's side.
_EDGE_RATIO = 0.01
_THRESHOLD = 0.5


@dataclass(frozen=True)
class Opinion:
    """What a network says of one labelled photo, at the network's own resolution.

    Attributes:
        confidence: ``(h, w)`` float32 in [0, 1].
        label: ``(h, w)`` bool, the label brought to the same size.
    """

    confidence: Confidence
    label: BoolMask


@dataclass(frozen=True)
class SureFrom:
    """From which confidence on a pixel counts as surely of a class (eq. 2 of the paper).

    Attributes:
        garment: mean confidence of pixels that are labelled garment, in [0, 1].
        background: mean of one minus the confidence of the others, in [0, 1].
    """

    garment: float
    background: float


@dataclass(frozen=True)
class Suspicion:
    """How much of a label the network contradicts; shares of what label and network cover together.

    Attributes:
        score: ``missing`` and ``surplus`` together, in [0, 1]; the larger, the sooner to look.
        missing: surely garment to the network, and not labelled.
        surplus: surely background to the network, and labelled garment.
        iou: of the label and the network's thresholded mask.
    """

    score: float
    missing: float
    surplus: float
    iou: float

    @property
    def reason(self) -> str:
        """What seems wrong, in words."""
        if self.score == 0:
            return "nothing is contradicted with confidence"
        parts = [
            f"{share:.0%} {words}"
            for share, words in (
                (self.missing, "looks like garment and is not labelled"),
                (self.surplus, "is labelled and does not look like garment"),
            )
            if share >= 0.005
        ]
        return "; ".join(parts) or "less than 1% is contradicted"


def opinion_of(confidence: Confidence, label: BoolMask) -> Opinion:
    """Bring a label to the size of the network's confidence.

    Args:
        confidence: ``(h, w)`` float32 in [0, 1].
        label: ``(H, W)`` bool.
    """
    height, width = confidence.shape
    small = imaging.resize(label.astype(np.float32), width, height)
    return Opinion(confidence, small >= _THRESHOLD)


def sure_from(opinions: Sequence[Opinion]) -> SureFrom:
    """What this network's sureness is on these labels; a few wrong labels hardly move it."""
    sums, counts = np.zeros(2), np.zeros(2)
    for each in opinions:
        for index, (pixels, values) in enumerate(
            ((each.label, each.confidence), (~each.label, 1.0 - each.confidence))
        ):
            sums[index] += float(values[pixels].sum(dtype=np.float64))
            counts[index] += int(np.count_nonzero(pixels))
    # Where a class has no pixel at all, half is what a mask is thresholded at.
    means = np.where(counts > 0, sums / np.maximum(counts, 1), _THRESHOLD)
    # A network that is wrong more often than not must not be sure of both at once.
    garment, background = (max(float(mean), _THRESHOLD) for mean in means)
    return SureFrom(garment, background)


def suspect(each: Opinion, sure: SureFrom) -> Suspicion:
    """Judge one label.

    Args:
        each: what the network says of the photo.
        sure: from :func:`sure_from`, over all labels.
    """
    mask = each.confidence >= _THRESHOLD
    union = int(np.count_nonzero(mask | each.label))
    missing = _wide(~each.label & (each.confidence >= sure.garment))
    surplus = _wide(each.label & (1.0 - each.confidence >= sure.background))
    shares = [int(np.count_nonzero(region)) / max(union, 1) for region in (missing, surplus)]
    overlap = int(np.count_nonzero(mask & each.label)) / union if union else 1.0
    return Suspicion(min(1.0, sum(shares)), shares[0], shares[1], overlap)


def second_look(opinions: Sequence[Opinion]) -> list[Suspicion]:
    """Judge labels together; in the order given.

    Sort by ``score``, largest first, to get the list to go through.
    """
    sure = sure_from(opinions)
    return [suspect(each, sure) for each in opinions]


def _wide(region: BoolMask) -> BoolMask:
    """What is left of a region without strips that are as thin as an outline is uncertain."""
    return opened(region, max(1, round(_EDGE_RATIO * max(region.shape))))
