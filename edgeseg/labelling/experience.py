"""What workers met with photos like one that has no label, as their confirmations tell.

A confirmation says of a photo whether its cutout had to be put right, and how far the match was
wrong. Of a photo that nobody has confirmed, both are estimated by the confirmations nearest to it:
a kernel regression (Nadaraya, "On estimating regression", 1964) that is drawn to what is usual by
one confirmation's weight, so that one that is hardly alike says hardly anything. Cutouts and
matches that were right count, too: one fault among many photos that went well is a small one. No
photo is in less doubt than is usual, for what went well says little of what there is to learn.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from edgeseg.sync.confirmations import Confirmation

CORRECTED, MISTAKEN = "corrected", "mistaken"
# How much is taken to go wrong where nobody confirmed anything alike.
USUAL = 0.1
_NEIGHBOURS = 16
# The cosine from which two cutouts are alike at all. Of pairs of cutouts of 135 snapshots of other
# garments 95% are below 0.45; a snapshot's likest other has 0.71 in the median, a second snapshot
# of the same item 0.69.
_UNLIKE = 0.5
_LEAST_NORM = 1e-6


class Experience:
    """Estimates how photos would fare with workers.

    Args:
        confirmations: of any embedder; those of others than the one named are left out.
        embedder_digest: names the embedder whose embeddings will be asked about.
        dim: their length.

    Attributes:
        used: confirmations that count.
        left_out: those of another embedder.
    """

    def __init__(
        self, confirmations: Iterable[Confirmation], embedder_digest: str, dim: int
    ) -> None:
        self.left_out = 0
        vectors: list[NDArray[np.float32]] = []
        wrong: list[tuple[float, float]] = []
        self._photos: dict[str, list[int]] = {}
        for each in confirmations:
            # In float32, the length of what a device may send would be infinite.
            embedding = each.embedding.astype(np.float64)
            norm = float(np.linalg.norm(embedding))
            fits = each.embedder_digest == embedder_digest and len(each.embedding) == dim
            if not fits or norm < _LEAST_NORM:
                self.left_out += 1
                continue
            self._photos.setdefault(each.photo_sha256, []).append(len(vectors))
            vectors.append((embedding / norm).astype(np.float32))
            wrong.append(went_wrong(each))
        self.used = len(vectors)
        self._vectors = np.stack(vectors) if vectors else np.zeros((0, dim), np.float32)
        self._wrong = np.array(wrong, np.float64).reshape(-1, 2)

    def signals(
        self, embeddings: NDArray[np.float32], photo_sha256s: Collection[str] = ()
    ) -> dict[str, float]:
        """What to expect of a photo.

        Args:
            embeddings: ``(n, dim)`` float32, L2-normalised: of the photo's cutout, and of the photo
                as a whole; the likest counts.
            photo_sha256s: by which a worker may have confirmed this very photo, which is then not
                estimated: the worst that was said of it holds.

        Returns:
            In [0, 1] by name: ``corrected``, how likely its cutout is to be put right by hand, and
            ``mistaken``, how wrong its match is likely to be. 0.1 is what is usual, and the least.
        """
        own = [index for name in photo_sha256s for index in self._photos.get(name, ())]
        if own:
            corrected, mistaken = self._wrong[own].max(axis=0)
        else:
            corrected, mistaken = self._estimated(embeddings)
        return {CORRECTED: max(float(corrected), USUAL), MISTAKEN: max(float(mistaken), USUAL)}

    def _estimated(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        cosines = (self._vectors @ embeddings.T).max(axis=1).astype(np.float64)
        near = np.argsort(-cosines, kind="stable")[:_NEIGHBOURS]
        weights = np.clip((cosines[near] - _UNLIKE) / (1.0 - _UNLIKE), 0.0, 1.0)
        estimated: NDArray[np.float64] = (USUAL + weights @ self._wrong[near]) / (
            1.0 + weights.sum()
        )
        return estimated


def went_wrong(confirmation: Confirmation) -> tuple[float, float]:
    """How wrong a cutout and a match were, by the worker's word; each in [0, 1].

    A photo that was matched whole had no cutout that was any good. A match is as wrong as its
    reciprocal rank is below 1: by a half where the second item shown was the right one, and wholly
    where none was.
    """
    ranks = (
        rank for rank, (sku, _) in enumerate(confirmation.shown, start=1) if sku == confirmation.sku
    )
    rank = next(ranks, None)
    reciprocal_rank = 0.0 if rank is None else 1.0 / rank
    return float(confirmation.cutout != "model"), 1.0 - reciprocal_rank
