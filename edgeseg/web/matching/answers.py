"""Answers to photos: each from one opened catalogue, and kept until the worker has decided."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging, limits
from edgeseg.catalogue import Match
from edgeseg.errors import NoGarmentError
from edgeseg.files import sha256_hex
from edgeseg.imaging import Photo, bounding_box
from edgeseg.labelling.correction import Corrector
from edgeseg.labelling.strokes import Stroke
from edgeseg.matcher import MatchResult, Query
from edgeseg.postprocess import Segmentation
from edgeseg.web.matching.source import Opened, Source

_CUTOUT_QUALITY = 88


@dataclass(frozen=True, eq=False)
class Answer:
    """What one photo matched, as the page shows it, all of it from one opened catalogue.

    It holds what is needed of that catalogue and not the catalogue: answers of many generations may
    be kept at once.

    Attributes:
        id: by which the page asks for its parts; nobody guesses it.
        generation: of the catalogue.
        catalogue_digest: of it.
        embedder_digest: names the embedder.
        photo: `(H, W, 3)` uint8 RGB, at most `MAX_KEPT_PHOTO_PX` a side: cutouts are corrected on
            it.
        photo_sha256: of the photo's file.
        confidence: `(H, W)` uint8, the network's confidence of that photo times 255.
        mask: `(H, W)` bool, the garment; None for a photo that was matched whole.
        cutout: "model", "corrected" or "whole".
        query: `(dim,)` float32, what was searched for; None where no garment was found.
        cutout_jpeg: the crop that was given to the embedder; empty where no garment was found.
        matches: nearest first; empty where no garment was found.
        pictures: where the matches' pictures are, by SKU, as far as they are at hand.
        probability: that the first match is right; None where the bundle cannot tell.
        accepted: whether it is believed; None where the bundle cannot tell.
        timings_ms: of the matcher's stages.
    """

    id: str
    generation: int
    catalogue_digest: str
    embedder_digest: str
    photo: Photo
    photo_sha256: str
    confidence: NDArray[np.uint8]
    mask: NDArray[np.bool_] | None
    cutout: str
    query: NDArray[np.float32] | None = None
    cutout_jpeg: bytes = b""
    matches: tuple[Match, ...] = ()
    pictures: Mapping[str, Path] = field(default_factory=dict)
    probability: float | None = None
    accepted: bool | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For the page."""
        height, width = self.photo.shape[:2]
        return {
            "id": self.id,
            "generation": self.generation,
            "garment": self.query is not None,
            "cutout": self.cutout,
            "width_px": width,
            "height_px": height,
            "probability": None if self.probability is None else round(self.probability, 4),
            "accepted": self.accepted,
            "matches": [
                {
                    "rank": match.rank,
                    "sku": match.sku,
                    "distance": round(match.distance, 6),
                    "attributes": match.attributes,
                    "picture": match.sku in self.pictures,
                }
                for match in self.matches
            ],
            "timings_ms": {name: round(ms, 3) for name, ms in self.timings_ms.items()},
        }


class Answers:
    """Answers photos, one at a time, and keeps the latest answers. Safe between threads.

    Args:
        source: of catalogues.
        k: how many matches.
    """

    def __init__(self, source: Source, k: int) -> None:
        self.source = source
        self._k = k
        # Two networks at once would want twice the memory, and be no faster on a handheld.
        self._one_at_a_time = threading.Lock()
        self._kept: OrderedDict[str, Answer] = OrderedDict()
        self._keeping = threading.Lock()

    def find(self, answer_id: str) -> Answer | None:
        """An answer that is still kept."""
        with self._keeping:
            return self._kept.get(answer_id)

    def answer(self, data: bytes, whole: bool) -> Answer:
        """Match a photo.

        Args:
            data: its file.
            whole: match it as it is, without cutting the garment out.

        Raises:
            PhotoError: it is none that can be read.
        """
        with self._one_at_a_time:
            return self._kept_answer(self._matched(self.source.current(), data, whole))

    def corrected(self, answer: Answer, strokes: Sequence[Stroke]) -> Answer:
        """Match an answer's photo again, with its cutout corrected.

        Args:
            answer: with the photo.
            strokes: all that hold, on the photo as the answer keeps it; none is the network's own
                cutout again.
        """
        with self._one_at_a_time:
            opened = self.source.current()
            return self._kept_answer(self._matched_again(opened, answer, strokes))

    def _kept_answer(self, answer: Answer) -> Answer:
        with self._keeping:
            self._kept[answer.id] = answer
            while len(self._kept) > limits.MAX_KEPT_ANSWERS:
                self._kept.popitem(last=False)
        return answer

    def _matched(self, opened: Opened, data: bytes, whole: bool) -> Answer:
        matcher = opened.matcher
        start_s = time.perf_counter()
        photo = imaging.read_photo(data, "the photo", enough_px=matcher.enough_px)
        decoded_s = time.perf_counter()
        segmentation = matcher.segmenter.segment(photo)
        segmented_s = time.perf_counter()
        kept = _at_most(photo, limits.MAX_KEPT_PHOTO_PX)
        height, width = kept.shape[:2]
        seen = imaging.resize_bilinear(segmentation.confidence_mask, width, height)
        confidence = np.rint(seen * 255.0).astype(np.uint8)
        mask = None if whole else imaging.resize(segmentation.category_mask, width, height) > 0
        unanswered = Answer(
            id=secrets.token_hex(16),
            photo=kept,
            photo_sha256=sha256_hex(data),
            confidence=confidence,
            mask=mask,
            cutout="whole" if whole else "model",
            timings_ms={
                "decode": (decoded_s - start_s) * 1000.0,
                "segment": (segmented_s - decoded_s) * 1000.0,
            },
            **_told_of(opened),
        )
        if whole:
            return self._searched(opened, unanswered, matcher.query_of(photo, None))
        if not segmentation.found:
            return unanswered
        return self._searched(opened, unanswered, matcher.query_of(photo, segmentation))

    def _matched_again(self, opened: Opened, answer: Answer, strokes: Sequence[Stroke]) -> Answer:
        confidence = answer.confidence.astype(np.float32) / np.float32(255.0)
        corrector = Corrector(answer.photo, confidence)
        corrector.replay(strokes)
        mask = (corrector.full_mask() > 0).view(np.uint8)
        unanswered = Answer(
            id=secrets.token_hex(16),
            photo=answer.photo,
            photo_sha256=answer.photo_sha256,
            confidence=answer.confidence,
            mask=mask > 0,
            cutout="corrected" if strokes else "model",
            **_told_of(opened),
        )
        segmentation = Segmentation(confidence, mask, bounding_box(mask))
        try:
            query = opened.matcher.query_of(answer.photo, segmentation)
        except NoGarmentError:
            return unanswered
        return self._searched(opened, unanswered, query)

    def _searched(self, opened: Opened, answer: Answer, query: Query) -> Answer:
        result: MatchResult = opened.matcher.search(query, self._k)
        acceptance, probability = opened.matcher.acceptance, result.probability
        accepted = None
        if acceptance is not None and probability is not None:
            accepted = probability >= acceptance.threshold
        shown = [match.sku for match in result.matches]
        return replace(
            answer,
            query=query.embedding,
            cutout_jpeg=imaging.encode_jpeg(
                _at_most(query.picture, limits.MAX_SHOWN_CUTOUT_PX), _CUTOUT_QUALITY
            ),
            matches=tuple(result.matches),
            pictures={sku: opened.pictures[sku] for sku in shown if sku in opened.pictures},
            probability=probability,
            accepted=accepted,
            timings_ms={**result.timings_ms, **answer.timings_ms},
        )


def _told_of(opened: Opened) -> dict[str, Any]:
    """What an answer says of its catalogue."""
    catalogue = opened.matcher.catalogue
    return {
        "generation": opened.generation,
        "catalogue_digest": catalogue.data.digest,
        "embedder_digest": catalogue.embedder_digest,
    }


def _at_most(picture: Photo, side_px: int) -> Photo:
    """A picture whose longer side is at most this, `(h, w, 3)` uint8 RGB."""
    height, width = picture.shape[:2]
    scale = side_px / max(height, width)
    if scale >= 1.0:
        return picture
    shrunk: Photo = imaging.resize(
        picture, max(1, round(width * scale)), max(1, round(height * scale))
    )
    return shrunk
