"""How unsure networks are of a photo without a label, in figures and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.grabcut import grabcut_mask
from edgeseg.imaging import Photo
from edgeseg.labelling.experience import CORRECTED, MISTAKEN, USUAL
from edgeseg.labelling.order import Pick, disagreement, expected_loss, mask_entropy

_THRESHOLD = 0.5
# GrabCut sees the photo at the network's own size, and its frame is as thin there.
_MARGIN_RATIO = 0.015
_SHARE_WORTH_TELLING = 0.02

# What is told of each signal, in the order in which it is told.
_WORDS = {
    "loss": "the network expects {:.0%} of the mask to be wrong",
    "flip": "the mirrored photo gives a mask that differs by {:.0%}",
    "preset": "the other network's mask differs by {:.0%}",
    "grabcut": "a cut by colour alone differs by {:.0%}",
    CORRECTED: "of photos like it, workers put {:.0%} of the cutouts right by hand",
    MISTAKEN: "of photos like it, workers found {:.0%} of the matches wrong",
}
# The usual is no word of any worker's.
_WORTH_TELLING = {CORRECTED: 1.2 * USUAL, MISTAKEN: 1.2 * USUAL}


class GivesConfidence(Protocol):
    """A segmenter, such as :class:`edgeseg.segmenter.Segmenter`."""

    def network_confidence(self, photo: Photo) -> NDArray[np.float32]:
        """``(h, w)`` float32 in [0, 1] at the network's resolution."""


@dataclass(frozen=True, eq=False)
class Doubt:
    """What is in doubt about one photo.

    Attributes:
        signals: figures in [0, 1] by name: ``loss``, ``flip`` and, where asked for, ``preset`` and
            ``grabcut``, see :func:`doubt_about`; ``corrected`` and ``mistaken`` where workers'
            confirmations are known, see :class:`edgeseg.labelling.experience.Experience`.
        entropy: of the confidence mask, in bits a pixel.
        confidence: ``(h, w)`` float32 in [0, 1], the mean of the photo's and its mirror image's.
    """

    signals: Mapping[str, float]
    entropy: float
    confidence: NDArray[np.float32]


def doubt_about(
    photo: Photo,
    network: GivesConfidence,
    other: GivesConfidence | None = None,
    by_colour: bool = True,
) -> Doubt:
    """Ask networks and GrabCut about a photo.

    Args:
        photo: ``(H, W, 3)`` uint8 RGB.
        network: the one that is to learn from the labels.
        other: another network, trained otherwise: query by committee (Seung, Opper and Sompolinsky,
            COLT 1992).
        by_colour: ask GrabCut too.

    Returns:
        ``loss`` is the network's expected loss of IoU; the others are one minus the IoU of its mask
        with its own of the mirrored photo, the other network's, and GrabCut's.
    """
    plain = network.network_confidence(photo)
    mirrored = network.network_confidence(np.ascontiguousarray(photo[:, ::-1]))[:, ::-1]
    confidence = (plain + mirrored) * np.float32(0.5)
    height, width = confidence.shape
    mask = confidence >= _THRESHOLD
    signals = {
        "loss": expected_loss(confidence),
        "flip": disagreement(plain, mirrored),
    }
    if other is not None:
        theirs = imaging.resize(other.network_confidence(photo), width, height)
        signals["preset"] = disagreement(confidence, theirs)
    if by_colour:
        margin_px = max(1, round(_MARGIN_RATIO * max(height, width)))
        cut = grabcut_mask(imaging.resize(photo, width, height), margin_px)
        signals["grabcut"] = disagreement(mask, cut)
    return Doubt(signals, mask_entropy(confidence), confidence)


def reason(doubt: Doubt, pick: Pick, nearest: str | None) -> str:
    """Why a photo stands where it stands, in words.

    Args:
        doubt: what is in doubt about it.
        pick: its place.
        nearest: name of the photo nearest to it that has a label or comes earlier; None where there
            is none.
    """
    said = [
        words.format(doubt.signals[name])
        for name, words in _WORDS.items()
        if doubt.signals.get(name, 0.0) >= _WORTH_TELLING.get(name, _SHARE_WORTH_TELLING)
    ]
    if nearest is not None and pick.distance is not None:
        said.append(f"{pick.distance:.2f} from {nearest}, the nearest of those before it")
    return "; ".join(said) or "nothing is in doubt"
