"""Photo in, catalogue items out: the whole pipeline."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edgeseg import imaging
from edgeseg.catalogue import Catalogue, Match
from edgeseg.embedder import Embedder, studio_crop
from edgeseg.errors import ModelContractError, NoGarmentError
from edgeseg.imaging import Photo
from edgeseg.postprocess import Segmentation, SegmenterOptions, cutout_on_white
from edgeseg.presets import BundleSource, open_bundle
from edgeseg.segmenter import Segmenter

STAGES = ("decode", "segment", "crop", "embed", "search")


@dataclass(frozen=True, eq=False)
class MatchResult:
    """What one photo matched.

    Attributes:
        matches: Nearest first.
        segmentation: Of the photo, None if it was matched whole.
        query: `(h, w, 3)` uint8 RGB: the crop that was given to the embedder.
        timings_ms: Milliseconds for each of `STAGES`; `decode` is 0 for an array, `segment` is 0
            for a photo matched whole.
    """

    matches: list[Match]
    segmentation: Segmentation | None
    query: Photo
    timings_ms: dict[str, float] = field(default_factory=dict)


class Matcher:
    """Finds a photo's garment in a catalogue."""

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

    def match(
        self, photo: Photo | str | os.PathLike[str], k: int = 10, segment: bool = True
    ) -> MatchResult:
        """Find the items nearest to a photo's garment.

        Args:
            photo: A path, or `(H, W, 3)` uint8 RGB.
            k: How many matches; all items if there are fewer.
            segment: False matches the photo as it is, for pictures on white or when no garment is
                found.

        Raises:
            PhotoError: If the photo can't be read.
            NoGarmentError: If no garment is found in it.
        """
        timings = dict.fromkeys(STAGES, 0.0)
        name = "the photo"
        if isinstance(photo, str | os.PathLike):
            name = str(Path(photo))
            with _timed(timings, "decode"):
                photo = imaging.read_photo(photo)
        segmentation = None
        if segment:
            with _timed(timings, "segment"):
                segmentation = self.segmenter.segment(photo)
            if not segmentation.found:
                raise NoGarmentError(
                    f"no garment found in {name}; match the whole photo with --no-segment "
                    "(segment=False)"
                )
        with _timed(timings, "crop"):
            query = (
                studio_crop(photo) if segmentation is None else cutout_on_white(photo, segmentation)
            )
        with _timed(timings, "embed"):
            embedding = self.embedder.embed(query)
        with _timed(timings, "search"):
            matches = self.catalogue.search(embedding, k)
        return MatchResult(matches, segmentation, query, timings)


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    finally:
        timings[stage] = (time.perf_counter() - start) * 1000.0
