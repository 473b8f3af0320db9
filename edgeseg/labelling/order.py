"""Which photo to label next: those that teach most, and no two that teach the same.

Uncertainty sampling (Settles, "Active learning literature survey", 2009, section 3.1) takes the
photos that the network is least sure of. Alone it takes the same kind of photo again and again, so
that a batch must also be spread out: each photo's doubt is multiplied by its distance to the
nearest photo that has a label or comes earlier in the order. With equal doubts that is the greedy
k-center of Sener and Savarese (arXiv 1708.00489, algorithm 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Confidence = NDArray[np.float32]
Vectors = NDArray[np.float32]
_THRESHOLD = 0.5


@dataclass(frozen=True)
class Pick:
    """A photo in its place of the order.

    Attributes:
        index: which photo, in the order they were given in.
        score: what it was chosen by; the largest of those that were left.
        doubt: how unsure the network is of it, as a multiple of the average photo's.
        distance: to the nearest photo that has a label or comes earlier, in [0, 2]; None for the
            first where nothing has a label yet.
        nearest: that photo: its index below the number of photos, or that number plus its place
            among the labelled ones; None as above.
    """

    index: int
    score: float
    doubt: float
    distance: float | None
    nearest: int | None


def expected_loss(confidence: Confidence) -> float:
    """How much IoU the thresholded mask must be expected to lose, by the network's own word.

    With the confidence p_i taken for the probability that pixel i is garment, and the mask m_i of
    those above a half: 1 - sum(p m) / sum(max(p, m)). A blurred edge costs a large garment little
    and a small one much, as it does IoU itself.

    Args:
        confidence: ``(H, W)`` float32 in [0, 1].

    Returns:
        In [0, 1]: 0 where every pixel is 0 or 1, 1 where no pixel reaches a half but some are
        above 0.
    """
    mask = confidence >= _THRESHOLD
    union = float(np.where(mask, 1.0, confidence).sum(dtype=np.float64))
    return 1.0 - float(confidence[mask].sum(dtype=np.float64)) / union if union else 0.0


def mask_entropy(confidence: Confidence) -> float:
    """Mean entropy of the pixels in bits, in [0, 1] (Settles, section 3.1, equation 3).

    Args:
        confidence: ``(H, W)`` float32 in [0, 1].
    """
    p = np.clip(confidence.astype(np.float64), 1e-7, 1 - 1e-7)
    return float(np.mean(-p * np.log2(p) - (1 - p) * np.log2(1 - p)))


def disagreement(first: NDArray[np.generic], second: NDArray[np.generic]) -> float:
    """How far two masks are from saying the same: 1 - sum(min) / sum(max), which is 1 - IoU.

    Args:
        first: ``(H, W)``, bool or confidence in [0, 1].
        second: the same shape.

    Returns:
        In [0, 1]; two empty masks agree.

    Raises:
        ValueError: the shapes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"masks of two shapes: {first.shape} and {second.shape}")
    a, b = first.astype(np.float64), second.astype(np.float64)
    union = float(np.maximum(a, b).sum())
    return 1.0 - float(np.minimum(a, b).sum()) / union if union else 0.0


def combined_doubts(signals: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
    """One figure of several doubts about each photo.

    The signals are of several scales: two networks that learnt from the same labels differ by a few
    per cent, a cut by colour by a third. So each is taken as a multiple of its mean over the photos
    before their mean is taken, and none outvotes the others.

    Args:
        signals: figures from 0 up by name, the same names for each photo.

    Returns:
        ``(N,)`` from 0 up; 1 is as much doubt as there is about the average photo.

    Raises:
        ValueError: a photo has no signals, or others than the first has.
    """
    names = list(signals[0]) if signals else []
    if (signals and not names) or any(photo.keys() != signals[0].keys() for photo in signals):
        raise ValueError("each photo needs the same signals, one at least")
    table = np.array([[photo[name] for name in names] for photo in signals], dtype=np.float64)
    if not signals:
        return np.zeros(0)
    means = table.mean(axis=0)
    doubts: NDArray[np.float64] = (table / np.where(means > 0, means, 1.0)).mean(axis=1)
    return doubts


def label_order(
    doubts: NDArray[np.floating],
    embeddings: Vectors,
    count: int,
    labelled: Vectors | None = None,
) -> list[Pick]:
    """Put photos into the order in which to label them.

    Args:
        doubts: ``(N,)`` from 0 up, see :func:`combined_doubts`.
        embeddings: ``(N, D)`` float32, L2-normalised, of the whole photos.
        count: how many at most.
        labelled: ``(M, D)`` float32, L2-normalised: photos that have a label already.

    Returns:
        The first ``count``, best first; the same for the same input.

    Raises:
        ValueError: the shapes do not fit one another.
    """
    total = len(doubts)
    if doubts.ndim != 1 or embeddings.ndim != 2 or len(embeddings) != total:
        raise ValueError(f"{doubts.shape} doubts with {embeddings.shape} embeddings")
    distances = np.full(total, np.inf)
    nearest = np.full(total, -1, np.int64)
    if labelled is not None and len(labelled):
        squared = 2.0 - 2.0 * (embeddings @ labelled.T).astype(np.float64)
        nearest = total + squared.argmin(axis=1)
        distances = np.sqrt(np.maximum(squared.min(axis=1), 0.0))
    left = np.ones(total, np.bool_)
    order: list[Pick] = []
    while len(order) < min(count, total):
        # The first of all is far from everything alike: its doubt alone decides.
        scores = np.where(np.isfinite(distances), distances, 1.0) * doubts
        # Copies of labelled photos come last, by their doubt.
        index = int(np.lexsort((-doubts, -scores, ~left))[0])
        known = bool(np.isfinite(distances[index]))
        order.append(
            Pick(
                index,
                float(scores[index]),
                float(doubts[index]),
                float(distances[index]) if known else None,
                int(nearest[index]) if known else None,
            )
        )
        left[index] = False
        step = 2.0 - 2.0 * (embeddings @ embeddings[index]).astype(np.float64)
        step = np.sqrt(np.maximum(step, 0.0))
        nearest = np.where(step < distances, index, nearest)
        distances = np.minimum(distances, step)
    return order
