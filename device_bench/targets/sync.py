"""A whole sync into an empty store."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from device_bench.target import Step
from edgeseg import limits
from edgeseg.files import read_bounded


class SyncTarget:
    """Times ``edgeseg.sync.client.sync`` as on a device's first day: nothing is there yet.

    All is fetched, verified, decoded, probed with its golden queries and activated. That is the
    most that a sync can cost; most of them fetch a small delta.

    Args:
        url: Where it is published: ``https://...``, or a folder.
        root: The publisher's ``root.json``.
    """

    def __init__(self, url: str, root: str) -> None:
        # Imports python-tuf here, so that the first sync is not charged with it.
        from edgeseg.sync.client import SyncOptions, sync

        self._sync = sync
        self._options = SyncOptions(root=read_bounded(root, limits.MAX_ROOT_BYTES, "root metadata"))
        self._url = url
        self._received_bytes = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def load(self) -> None:
        """Nothing to load."""

    def prepare(self, index: int) -> None:  # noqa: ARG002 - every sync is a first one
        """Have an empty store."""
        from edgeseg.sync.store import Store

        if self._folder is not None:
            self._folder.cleanup()
        self._folder = tempfile.TemporaryDirectory(prefix="edgeseg-bench-store-")
        self._store = Store(Path(self._folder.name) / "store")

    def steps(self) -> Sequence[Step]:
        """One step: ``sync``."""
        return [Step("sync", self._run)]

    def facts(self) -> Mapping[str, Any]:
        """What a sync brings."""
        if self._folder is not None:
            self._folder.cleanup()
        return {"received_bytes": self._received_bytes}

    def _run(self) -> None:
        report = self._sync(self._store, self._url, self._options)
        self._received_bytes = report.received_bytes
