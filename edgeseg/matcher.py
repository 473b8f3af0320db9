"""Photo in, catalogue items out: the whole pipeline."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.catalogue import Catalogue, Match, Where
from edgeseg.embedder import Embedder, studio_crop
from edgeseg.errors import ModelContractError, NoGarmentError
from edgeseg.imaging import Photo
from edgeseg.postprocess import Segmentation, SegmenterOptions, cutout_on_white
from edgeseg.presets import BundleSource, open_bundle
from edgeseg.segmenter import Segmenter

STAGES = ("decode", "segment", "crop", "embed", "search")


@dataclass(frozen=True, eq=False)
class Query:
    """What a catalogue is searched for on behalf of one photo.

    Attributes:
        embedding: `(dim,)` float32, L2-normalised.
        segmentation: Of the photo as it was decoded, None if it's taken whole.
        picture: `(h, w, 3)` uint8 RGB: the crop that was given to the embedder.
        timings_ms: Milliseconds for each of `STAGES` but the last; `decode` is 0 for an array,
            `segment` is 0 for a photo taken whole.
    """

    embedding: NDArray[np.float32]
    segmentation: Segmentation | None
    picture: Photo
    timings_ms: dict[str, float]


@dataclass(frozen=True, eq=False)
class MatchResult:
    """What one photo matched.

    Attributes:
        matches: Nearest first.
        segmentation: Of the photo as it was decoded, None if it was matched whole.
        query: `(h, w, 3)` uint8 RGB: the crop that was given to the embedder.
        timings_ms: Milliseconds for each of `STAGES`; `decode` is 0 for an array, `segment` is 0
            for a photo matched whole.
        probability: That the first match is right, see `Acceptance`; None where the bundle can't
            tell. Below `Matcher.acceptance.threshold` the garment counts as not in the catalogue.
    """

    matches: list[Match]
    segmentation: Segmentation | None
    query: Photo
    timings_ms: dict[str, float] = field(default_factory=dict)
    probability: float | None = None


class Matcher:
    """Finds a photo's garment in a catalogue.

    Attributes:
        acceptance: From which distances on a match is believed; None in a bundle that wasn't told
            by `edgeseg calibrate`.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        bundle: BundleSource = None,
        threads: int = 1,
        options: SegmenterOptions | None = None,
    ) -> None:
        """Pair a catalogue with the bundle whose embedder made it.

        Args:
            catalogue: The items to search.
            bundle: A bundle or a path to one; None takes the default that edgeseg carries.
            threads: Threads for the networks.
            options: What counts as a garment, and how finely it is cut out.

        Raises:
            ModelContractError: If another embedder made the catalogue: their vectors would compare
                without an error and mean nothing.
            FormatError: If the bundle is damaged.
        """
        opened = open_bundle(bundle)
        self.catalogue = catalogue
        self.embedder = Embedder(opened, threads)
        if catalogue.dim != self.embedder.dim:
            raise ModelContractError(
                f"the catalogue holds {catalogue.dim}-d embeddings and the bundle's embedder gives "
                f"{self.embedder.dim}-d ones: rebuild the catalogue with `edgeseg index build` and "
                "this bundle, or name the bundle it was built with"
            )
        if catalogue.embedder_digest != self.embedder.digest:
            raise ModelContractError(
                f"the catalogue was built with another embedder "
                f"({catalogue.embedder_digest[:12]}, the bundle has {self.embedder.digest[:12]}): "
                "rebuild the catalogue with `edgeseg index build` and this bundle, or name the "
                "bundle it was built with"
            )
        self.segmenter = Segmenter(opened, threads, options)
        network = opened.manifest.embedder
        self.acceptance = None if network is None else network.acceptance

    @property
    def enough_px(self) -> int:
        """A photo's shorter side that is enough, see `edgeseg.imaging.read_photo`."""
        return self.segmenter.preprocessing.input_px

    def read(self, path: str | os.PathLike[str]) -> Photo:
        """Decode a photo no larger than the networks need: the first stage of a match.

        Raises:
            PhotoError: If it can't be read.
        """
        return imaging.read_photo(path, enough_px=self.enough_px)

    def match(
        self,
        photo: Photo | str | os.PathLike[str],
        k: int = 10,
        segment: bool = True,
        *,
        where: Where | None = None,
        group_by: str | None = None,
    ) -> MatchResult:
        """Find the items nearest to a photo's garment.

        Args:
            photo: A path, or `(H, W, 3)` uint8 RGB.
            k: How many matches; all items if there are fewer.
            segment: False matches the photo as it is, for pictures on white or when no garment is
                found.
            where: Only items with these attributes, see `Catalogue.search`.
            group_by: Only the nearest item of each value of an attribute, see `Catalogue.search`.

        Raises:
            PhotoError: If the photo can't be read.
            NoGarmentError: If no garment is found in it.
            DatasetError: If the catalogue has no such attribute, or no item with it.
        """
        return self.search(self.query(photo, segment), k, where=where, group_by=group_by)

    def search(
        self,
        query: Query,
        k: int = 10,
        *,
        where: Where | None = None,
        group_by: str | None = None,
    ) -> MatchResult:
        """Find the items nearest to a query: the last stage of a match.

        Args:
            query: Of `query` or `query_of`.
            k: How many matches; all items if there are fewer.
            where: Only items with these attributes, see `Catalogue.search`.
            group_by: Only the nearest item of each value of an attribute, see `Catalogue.search`.

        Raises:
            DatasetError: If the catalogue has no such attribute, or no item with it.
        """
        timings = dict.fromkeys(STAGES, 0.0) | query.timings_ms
        with _timed(timings, "search"):
            matches = self.catalogue.search(query.embedding, k, where=where, group_by=group_by)
            probability = self._probability(query, matches, where, grouped=group_by is not None)
        return MatchResult(matches, query.segmentation, query.picture, timings, probability)

    def _probability(
        self, query: Query, matches: Sequence[Match], where: Where | None, grouped: bool
    ) -> float | None:
        """That the first match is right; it takes the two nearest items, of whatever group."""
        if self.acceptance is None:
            return None
        nearest = matches
        if grouped or len(matches) < 2:
            nearest = self.catalogue.search(query.embedding, 2, where=where)
        return self.acceptance.probability([match.distance for match in nearest[:2]])

    def match_same_item(
        self,
        queries: Sequence[Query],
        k: int = 10,
        *,
        where: Where | None = None,
        group_by: str | None = None,
    ) -> list[Match]:
        """Find the items nearest to several photos of one garment taken together.

        The mean of the embeddings is searched for, so an item's distance is the mean over the
        photos but for a common factor, and what one photo hides another can show.

        Args:
            queries: One at least, of `query`.
            k: How many matches; all items if there are fewer.
            where: Only items with these attributes, see `Catalogue.search`.
            group_by: Only the nearest item of each value of an attribute, see `Catalogue.search`.

        Raises:
            DatasetError: If the catalogue has no such attribute, or no item with it.
            ValueError: If there is no query.
        """
        if not queries:
            raise ValueError("several photos of one item need one photo at least")
        mean: NDArray[np.float32] = np.mean([query.embedding for query in queries], axis=0)
        return self.catalogue.search(mean, k, where=where, group_by=group_by)

    def query(self, photo: Photo | str | os.PathLike[str], segment: bool = True) -> Query:
        """What to search for on behalf of a photo: all of `match` but the search.

        A file is decoded no larger than the networks need, see `read`.

        Args:
            photo: A path, or `(H, W, 3)` uint8 RGB.
            segment: False takes the photo as it is.

        Raises:
            PhotoError: If the photo can't be read.
            NoGarmentError: If no garment is found in it.
        """
        timings = dict.fromkeys(STAGES[:-1], 0.0)
        name = "the photo"
        if isinstance(photo, str | os.PathLike):
            name = str(Path(photo))
            with _timed(timings, "decode"):
                photo = self.read(photo)
        segmentation = None
        if segment:
            with _timed(timings, "segment"):
                segmentation = self.segmenter.segment(photo)
            if not segmentation.found:
                raise NoGarmentError(
                    f"no garment found in {name}; match the whole photo with --no-segment "
                    "(segment=False)"
                )
        query = self.query_of(photo, segmentation)
        return replace(query, timings_ms=timings | query.timings_ms)

    def query_of(self, photo: Photo, segmentation: Segmentation | None) -> Query:
        """What to search for on behalf of a photo whose garment is known: crop and embed alone.

        Args:
            photo: `(H, W, 3)` uint8 RGB.
            segmentation: Of this photo, corrected by hand perhaps; None takes the photo whole.

        Returns:
            With the timings of those two stages.

        Raises:
            NoGarmentError: If the segmentation has no garment.
        """
        timings: dict[str, float] = {}
        with _timed(timings, "crop"):
            picture = embedder_crop(photo, segmentation)
        with _timed(timings, "embed"):
            embedding = self.embedder.embed(picture)
        return Query(embedding, segmentation, picture, timings)


def embedder_crop(photo: Photo, segmentation: Segmentation | None) -> Photo:
    """Cut out what the embedder is given: the third stage of a match.

    Args:
        photo: `(H, W, 3)` uint8 RGB.
        segmentation: Of this photo, with a garment; None takes the photo whole.

    Returns:
        `(h, w, 3)` uint8 RGB on white.
    """
    return studio_crop(photo) if segmentation is None else cutout_on_white(photo, segmentation)


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    finally:
        timings[stage] = (time.perf_counter() - start) * 1000.0
