"""The store: a scanner's folder of generations, of which one is in use at any moment.

    active.json    which generation is in use, and which was before it
    blobs/         catalogues and bundles, each named by its SHA-256
    downloads/     what is not complete yet
    trust/         the publisher's signed metadata, as far as it was believed
    reports/       what each sync came to; `outbox/` those that are still to be sent
    confirmations.jsonl  what workers said of matches, until a sync takes it to the outbox
    lock           held by a sync

A blob never changes, and ``active.json`` takes its place in one rename: whoever reads sees the old
generation or the new one. Matching only reads, so it works where the folder is read-only.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from edgeseg import limits
from edgeseg.catalogue import Catalogue
from edgeseg.errors import DigestMismatchError, EdgesegError, FormatError, SyncError
from edgeseg.files import (
    PathLike,
    made_folder,
    read_bounded,
    shown_path,
    write_atomic,
)
from edgeseg.formats import bundle, catalogue_file
from edgeseg.formats.bundle import Bundle
from edgeseg.formats.catalogue_file import CatalogueData, read_catalogue
from edgeseg.lock import Lock
from edgeseg.partial_file import PartialFile
from edgeseg.sync.release import Blob
from edgeseg.sync.state import Installed, State

_STATE = "active.json"
_PART_SUFFIX = ".part"
# A matcher that opens while syncs go on meets a new state at most as often as they end.
_OPENING_ATTEMPTS = 5


@dataclass(frozen=True, eq=False)
class OpenGeneration:
    """A generation that is open for matching.

    Attributes:
        installed: which.
        catalogue: its items.
        bundle: what makes queries for it.
        instead_of: why the active one was not opened but the one before it; empty where it was.
    """

    installed: Installed
    catalogue: Catalogue
    bundle: Bundle
    instead_of: str = ""


class Store:
    """A folder of generations.

    Attributes:
        folder: where it is.
    """

    def __init__(self, folder: PathLike) -> None:
        """Name a store; nothing is read or made yet."""
        self.folder = Path(folder)

    @property
    def state_path(self) -> Path:
        """The file whose replacement is an activation."""
        return self.folder / _STATE

    @property
    def trust(self) -> Path:
        """Where the publisher's metadata is."""
        return self.folder / "trust"

    @property
    def reports(self) -> Path:
        """Where reports are."""
        return self.folder / "reports"

    @property
    def outbox(self) -> Path:
        """Where reports are that are still to be sent."""
        return self.folder / "outbox"

    @property
    def confirmations(self) -> Path:
        """Where it is kept what workers said of matches."""
        return self.folder / "confirmations.jsonl"

    def prepare(self) -> Lock:
        """Make the folders; returns the lock that a sync has to hold.

        Raises:
            EdgesegError: they cannot be made.
        """
        for folder in (self.trust, self.reports, self.outbox, self._blobs, self._downloads):
            made_folder(folder)
        return Lock(self.folder / "lock")

    def state(self) -> State:
        """What it remembers; nothing where there was no sync yet.

        Raises:
            EdgesegError: it cannot be read, or is damaged.
        """
        if not self.state_path.exists():
            return State()
        data = read_bounded(self.state_path, limits.MAX_STATE_BYTES, "store")
        try:
            return State.from_bytes(data)
        except FormatError as error:
            raise FormatError(
                f"{shown_path(self.state_path)}: {error}; remove it and sync again"
            ) from error

    def save(self, state: State) -> None:
        """Replace what it remembers; this is what activates a generation.

        Raises:
            EdgesegError: it cannot be written; all is as before.
        """
        write_atomic(self.state_path, state.to_bytes())

    def catalogue_path(self, sha256: str) -> Path:
        """Where a catalogue file of that SHA-256 is, or would be."""
        return self._blobs / f"{sha256}{catalogue_file.SUFFIX}"

    def bundle_path(self, sha256: str) -> Path:
        """Where a bundle of that SHA-256 is, or would be."""
        return self._blobs / f"{sha256}{bundle.SUFFIX}"

    def download_path(self, blob: Blob) -> Path:
        """Where a delta is until it was applied."""
        return self._downloads / blob.sha256

    def partial(self, blob: Blob) -> PartialFile:
        """What there is of a file that is being fetched.

        Raises:
            EdgesegError: it cannot be opened for writing.
        """
        return PartialFile(self._part_path(blob))

    def fetched_bytes(self, blob: Blob) -> int:
        """How much of a file that is being fetched is there."""
        try:
            return self._part_path(blob).stat().st_size
        except OSError:
            return 0

    def free_bytes(self) -> int:
        """What the file system has room for.

        Raises:
            OSError: it does not tell.
        """
        return shutil.disk_usage(self.folder).free

    def open_installed(self, installed: Installed) -> OpenGeneration:
        """Open a generation.

        Raises:
            EdgesegError: as :meth:`read_installed`.
        """
        data, carried = self.read_installed(installed)
        return OpenGeneration(installed, Catalogue(data), carried)

    def read_installed(self, installed: Installed) -> tuple[CatalogueData, Bundle]:
        """Read and check a generation's files; its search is not made ready.

        Raises:
            FormatError: a file is damaged, or another one.
            EdgesegError: one cannot be read.
        """
        data = read_catalogue(self.catalogue_path(installed.catalogue))
        carried = Bundle.open(self.bundle_path(installed.bundle))
        told = (data.digest, carried.digest)
        if told != (installed.catalogue_digest, installed.bundle_digest):
            raise DigestMismatchError(
                f"generation {installed.generation} in {shown_path(self.folder)} has other files "
                "than were activated"
            )
        return data, carried

    def open_active(self) -> OpenGeneration:
        """Open the active generation, or where it does not open the one before it.

        Raises:
            SyncError: there is none yet.
            EdgesegError: neither opens.
        """
        for attempt in range(1, _OPENING_ATTEMPTS + 1):
            state = self.state()
            if state.active is None:
                raise SyncError(
                    f"{shown_path(self.folder)} holds no catalogue yet: run `edgeseg sync` first"
                )
            try:
                return self.open_installed(state.active)
            except EdgesegError as error:
                # A sync may have ended meanwhile, and removed what was no longer needed.
                if attempt < _OPENING_ATTEMPTS and self.state() != state:
                    continue
                if state.previous is None:
                    raise
                opened = self.open_installed(state.previous)
                return OpenGeneration(opened.installed, opened.catalogue, opened.bundle, str(error))
        raise SyncError(f"{shown_path(self.folder)} changes too often to be opened")

    def sweep(self, state: State, wanted: frozenset[str] = frozenset()) -> None:
        """Remove files that the state does not need, except those of a SHA-256 in ``wanted``."""
        with contextlib.suppress(OSError):
            for path in (*self._blobs.iterdir(), *self._downloads.iterdir()):
                if path.name.partition(".")[0] not in state.files | wanted:
                    path.unlink()

    @property
    def _blobs(self) -> Path:
        return self.folder / "blobs"

    @property
    def _downloads(self) -> Path:
        return self.folder / "downloads"

    def _part_path(self, blob: Blob) -> Path:
        return self._downloads / f"{blob.sha256}{_PART_SUFFIX}"


def default_store() -> Path:
    """Where a store is unless another folder is named: ``EDGESEG_STORE``, or the user's data."""
    named = os.environ.get("EDGESEG_STORE")
    if named:
        return Path(named)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "edgeseg"
