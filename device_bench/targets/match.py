"""The whole way from a photo file to matches, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_bench.target import Step
from edgeseg import runtime
from edgeseg.catalogue import Catalogue, Match
from edgeseg.imaging import Photo
from edgeseg.matcher import Matcher, embedder_crop
from edgeseg.postprocess import Segmentation


class MatchTarget:
    """Times decode, segment, crop, embed and search, by the same calls as ``Matcher.match``.

    ``decode`` reads the photo's file (which the operating system holds in memory by then) and
    decodes it, a JPEG no larger than the networks need; ``segment`` includes the clean-up of the
    mask, at the decoded size; ``crop`` is the cutout on white; ``embed`` includes resizing. Loading
    covers bundle, both interpreters and catalogue. A photo without a garment is cropped as
    ``match --no-segment`` does, and is told of.

    Args:
        bundle: A bundle file with an embedder.
        catalogue: A catalogue file made with that embedder.
        photos: Picture files, one or more, used in turn.
        threads: Threads of each interpreter.
        k: Matches asked for.
    """

    def __init__(
        self, bundle: str, catalogue: str, photos: list[str], threads: int, k: int = 10
    ) -> None:
        # Imports the native runtime here, so that loading a model is not charged with it.
        self._runtime = runtime.runtime_name()
        self._bundle = bundle
        self._catalogue = catalogue
        self._paths = photos
        self._threads = threads
        self._k = k
        self._empty: set[str] = set()
        self._sizes: dict[str, list[int]] = {}

    def load(self) -> None:
        """Open catalogue and bundle.

        Raises:
            EdgesegError: One is damaged, or they don't belong together.
        """
        catalogue = Catalogue.open(self._catalogue)
        self._matcher = Matcher(catalogue, self._bundle, threads=self._threads)

    def prepare(self, index: int) -> None:
        """Turn to the next photo, and keep what the last one showed."""
        self._path = self._paths[index % len(self._paths)]

    def steps(self) -> Sequence[Step]:
        """Five steps, from a path to matches."""
        return [
            Step("decode", self._decode),
            Step("segment", self._segment),
            Step("crop", self._crop),
            Step("embed", self._embed),
            Step("search", self._search),
        ]

    def facts(self) -> Mapping[str, Any]:
        """Sizes of photos as decoded, catalogue size, runtime, and photos without a garment."""
        notes = []
        if self._empty:
            notes.append(
                f"no garment found in {len(self._empty)} of {len(self._sizes)} photos: their crop "
                "and embed stages worked on the whole photo"
            )
        return {
            "items": len(self._matcher.catalogue),
            "search": self._matcher.catalogue.info()["search"],
            "k": self._k,
            "decoded_sizes_px": sorted(self._sizes.values()),
            "runtime": self._runtime,
            "notes": notes,
        }

    def _decode(self) -> None:
        self._photo: Photo = self._matcher.read(self._path)

    def _segment(self) -> None:
        self._segmentation: Segmentation = self._matcher.segmenter.segment(self._photo)

    def _crop(self) -> None:
        found = self._segmentation.found
        self._query: Photo = embedder_crop(self._photo, self._segmentation if found else None)
        if not found:
            self._empty.add(self._path)
        height, width = self._photo.shape[:2]
        self._sizes[self._path] = [width, height]

    def _embed(self) -> None:
        self._embedding: NDArray[np.float32] = self._matcher.embedder.embed(self._query)

    def _search(self) -> None:
        self._matches: list[Match] = self._matcher.catalogue.search(self._embedding, self._k)
