"""Which photos of many to label next, and why: photos on disk in, an order out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import DatasetError, EdgesegError
from edgeseg.files import read_bounded, sha256_hex
from edgeseg.imaging import Photo, read_photo
from edgeseg.labelling.doubt import Doubt, reason
from edgeseg.labelling.experience import Experience
from edgeseg.labelling.order import Pick, combined_doubts, label_order
from edgeseg.limits import MAX_PHOTO_BYTES
from edgeseg.postprocess import SegmenterOptions, cutout_on_white, segmentation_from

# What the embedder and the network see at their inputs' sizes, a larger photo does not say better.
_ENOUGH_PX = 448


class EmbedsPhotos(Protocol):
    """An embedder, such as :class:`edgeseg.embedder.Embedder`."""

    def embed(self, picture: Photo) -> NDArray[np.float32]:
        """``(D,)`` float32, L2-normalised."""


@dataclass(frozen=True)
class Advised:
    """A photo in its place of the order.

    Attributes:
        photo: where it is.
        pick: its place, and what it was chosen by.
        doubt: what is in doubt about it.
        nearest: the photo like it that has a label or comes earlier; None where there is none.
        reason: why it stands there, in words.
    """

    photo: Path
    pick: Pick
    doubt: Doubt
    nearest: Path | None
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "photo": str(self.photo),
            "score": self.pick.score,
            "doubt": self.pick.doubt,
            "signals": dict(self.doubt.signals),
            "entropy": self.doubt.entropy,
            "distance": self.pick.distance,
            "nearest": None if self.nearest is None else str(self.nearest),
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Advice:
    """The order, best first, and what could not be read, in words."""

    order: tuple[Advised, ...]
    problems: tuple[str, ...]


def advise(
    waiting: Sequence[Path],
    labelled: Sequence[Path],
    ask: Callable[[Photo], Doubt],
    embedder: EmbedsPhotos,
    on_progress: Callable[[int, int], None] | None = None,
    experience: Experience | None = None,
) -> Advice:
    """Order all photos that wait for a label.

    Photos that cannot be read are left out, and told.

    Args:
        waiting: photos without a label.
        labelled: photos that have one.
        ask: gives the doubt about a photo, see :func:`edgeseg.labelling.doubt.doubt_about`.
        embedder: describes whole photos: the background, too, is what a label teaches.
        on_progress: called with (done, total) after each photo.
        experience: what workers met with photos like these, by this embedder; a further doubt.

    Raises:
        DatasetError: none of the waiting photos can be read.
    """
    total = len(waiting) + len(labelled)
    doubts: list[Doubt] = []
    vectors: list[NDArray[np.float32]] = []
    read: list[Path] = []
    problems: list[str] = []
    for done, path in enumerate((*waiting, *labelled), start=1):
        try:
            photo = read_photo(path, enough_px=_ENOUGH_PX)
            vector = embedder.embed(photo)
            if done <= len(waiting):
                doubt = ask(photo)
                if experience is not None:
                    doubt = _with_experience(doubt, path, photo, vector, embedder, experience)
                doubts.append(doubt)
        except EdgesegError as error:
            problems.append(f"{path}: {error}" if str(path) not in str(error) else str(error))
        else:
            read.append(path)
            vectors.append(vector)
        if on_progress is not None:
            on_progress(done, total)
    if not doubts:
        raise DatasetError(f"none of {len(waiting)} photos can be read; the first: {problems[0]}")
    embeddings = np.stack(vectors)
    order = label_order(
        combined_doubts([doubt.signals for doubt in doubts]),
        embeddings[: len(doubts)],
        len(doubts),
        embeddings[len(doubts) :],
    )
    advised = []
    for pick in order:
        nearest = None if pick.nearest is None else read[pick.nearest]
        doubt = doubts[pick.index]
        why = reason(doubt, pick, None if nearest is None else nearest.name)
        advised.append(Advised(read[pick.index], pick, doubt, nearest, why))
    return Advice(tuple(advised), tuple(problems))


def _with_experience(
    doubt: Doubt,
    path: Path,
    photo: Photo,
    whole: NDArray[np.float32],
    embedder: EmbedsPhotos,
    experience: Experience,
) -> Doubt:
    """A doubt with what workers met with photos like this one, or with itself.

    What they confirmed is of cutouts; where none was found, of photos as they are.
    """
    vectors = [whole]
    height, width = photo.shape[:2]
    cut = segmentation_from(doubt.confidence, width, height, SegmenterOptions())
    if cut.found:
        vectors.append(embedder.embed(cutout_on_white(photo, cut)))
    # A photo that the handheld page kept was encoded anew, and is named by what it was.
    names = {path.stem, sha256_hex(read_bounded(path, MAX_PHOTO_BYTES, "photo"))}
    told = experience.signals(np.stack(vectors), names)
    return replace(doubt, signals={**doubt.signals, **told})
