"""The segmenter on a decoded photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from device_bench.target import Step
from edgeseg import runtime
from edgeseg.imaging import read_photo
from edgeseg.segmenter import Segmenter


class SegmentTarget:
    """Times ``Segmenter.segment``: resizing, the network, and the mask's clean-up at photo size.

    Loading covers the bundle and its interpreter. The photos are decoded beforehand, not timed, and
    used in turn.

    Args:
        bundle: A bundle file.
        photos: Picture files, one or more.
        threads: Threads of the interpreter.
    """

    def __init__(self, bundle: str, photos: list[str], threads: int) -> None:
        # Imports the native runtime here, so that loading a model is not charged with it.
        self._runtime = runtime.runtime_name()
        self._bundle = bundle
        self._paths = photos
        self._threads = threads

    def load(self) -> None:
        """Open the bundle.

        Raises:
            EdgesegError: The bundle is damaged or its model does not fit.
        """
        self._segmenter = Segmenter(self._bundle, threads=self._threads)

    def prepare(self, index: int) -> None:
        """Decode the next photo."""
        self._photo = read_photo(self._paths[index % len(self._paths)])

    def steps(self) -> Sequence[Step]:
        """One step: ``segment``."""
        return [Step("segment", lambda: self._segmenter.segment(self._photo))]

    def facts(self) -> Mapping[str, Any]:
        """How many photos take turns."""
        return {"photos": len(self._paths), "runtime": self._runtime}
