"""The embedder on a decoded picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from device_bench.target import Step
from edgeseg import runtime
from edgeseg.embedder import Embedder
from edgeseg.imaging import read_photo


class EmbedTarget:
    """Times ``Embedder.embed``: resizing, the network and normalisation, on a whole picture.

    Loading covers the bundle and its interpreter. The pictures are decoded beforehand, not timed,
    and used in turn.

    Args:
        bundle: A bundle file with an embedder.
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
            EdgesegError: The bundle is damaged, has no embedder, or its model does not fit.
        """
        self._embedder = Embedder(self._bundle, threads=self._threads)

    def prepare(self, index: int) -> None:
        """Decode the next picture."""
        self._picture = read_photo(self._paths[index % len(self._paths)])

    def steps(self) -> Sequence[Step]:
        """One step: ``embed``."""
        return [Step("embed", lambda: self._embedder.embed(self._picture))]

    def facts(self) -> Mapping[str, Any]:
        """The embedding's length, and how many pictures take turns."""
        return {"dim": self._embedder.dim, "photos": len(self._paths), "runtime": self._runtime}
