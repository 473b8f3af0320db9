"""Brings the files of a release onto the device: fetched, or made of what is there by deltas."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tuf.api.exceptions import LengthOrHashMismatchError

from edgeseg.errors import DeltaError, DigestMismatchError, EdgesegError, FormatError
from edgeseg.files import map_bounded, sha256_hex, write_atomic
from edgeseg.formats.bundle import Bundle
from edgeseg.formats.catalogue_file import (
    KIND,
    CatalogueData,
    content_digest,
    encode_catalogue,
    read_catalogue,
)
from edgeseg.formats.delta_file import read_delta
from edgeseg.index.delta import apply_delta
from edgeseg.sync.clock import now
from edgeseg.sync.plan import Plan, check_room, make_plan
from edgeseg.sync.release import Blob, Release
from edgeseg.sync.state import Installed, State
from edgeseg.sync.store import Store
from edgeseg.sync.transfer.transport import Transport
from edgeseg.sync.trust import Refreshed, url_path

OnProgress = Callable[[int, int], None]


def install(
    store: Store,
    transport: Transport,
    refreshed: Refreshed,
    state: State,
    active: Installed | None,
    on_progress: OnProgress,
) -> tuple[Installed, int]:
    """The files of a release on the device, complete and checked; nothing is put into use.

    Args:
        store: of this device.
        transport: to the publisher.
        refreshed: which release, and what was signed.
        state: of the store; no file that it names is removed.
        active: what is in use, where its files are whole.
        on_progress: told the bytes that have come, and all that are to come.

    Returns:
        What could be activated, and how many deltas were applied.

    Raises:
        DownloadError: a file cannot be fetched; what has come of it is kept.
        DigestMismatchError: a file is not the one that was signed.
        EdgesegError: there is no room, or a file cannot be written.
    """
    release = refreshed.release
    fetching = _Fetching(store, transport, refreshed, state, on_progress)

    def has(sha256: str) -> bool:
        return any(
            _is(path, sha256) for path in (store.catalogue_path(sha256), store.bundle_path(sha256))
        )

    plan = make_plan(release, active, has)
    fetching.fetch(plan)
    deltas = len(plan.deltas)
    same = active is not None and active.content == release.content
    if plan.deltas and active is not None:
        try:
            sha256 = _apply(store, plan, active, release)
        except (DeltaError, FormatError):
            # The whole leads there too.
            fetching.fetch(make_plan(release, active, has, whole=True))
            sha256, deltas = release.catalogue.sha256, 0
    elif same and active is not None:
        sha256 = active.catalogue
    else:
        sha256 = release.catalogue.sha256
    data = read_catalogue(store.catalogue_path(sha256))
    if content_digest(data) != release.content or data.generation != release.catalogue_generation:
        raise DigestMismatchError(
            f"the catalogue of generation {release.generation} is not the one that its publisher "
            "signed"
        )
    installed = Installed(
        generation=release.generation,
        release=refreshed.release_digest,
        root_version=refreshed.root_version,
        content=release.content,
        catalogue=sha256,
        catalogue_digest=data.digest,
        bundle=release.bundle.sha256,
        bundle_digest=Bundle.open(store.bundle_path(release.bundle.sha256)).digest,
        published=release.published,
        activated=now(),
        shard=release.shard_name,
    )
    return installed, deltas


@dataclass(frozen=True)
class _Fetching:
    """Fetches what plans ask for."""

    store: Store
    transport: Transport
    refreshed: Refreshed
    state: State
    on_progress: OnProgress

    def fetch(self, plan: Plan) -> None:
        """All files of a plan, each under its own name once it is the one that was signed."""
        store, release = self.store, self.refreshed.release
        wanted = {blob.sha256 for blob in (*plan.blobs, release.bundle, release.catalogue)}
        store.sweep(self.state, frozenset(wanted))
        caps = self.transport.caps
        left_bytes = caps.max_bytes - caps.received_bytes
        missing = check_room(plan, release, store.fetched_bytes, store.free_bytes(), left_bytes)
        done = 0
        for blob, path in _named(store, plan):
            if _is(path, blob.sha256):
                continue
            before = done - store.fetched_bytes(blob)
            self._fetch_one(blob, path, partial(self._tell, before, missing))
            done = before + blob.length_bytes

    def _tell(self, before: int, missing: int, size_bytes: int) -> None:
        self.on_progress(before + size_bytes, missing)

    def _fetch_one(self, blob: Blob, path: Path, on_bytes: Callable[[int], None]) -> None:
        target = self.refreshed.target(blob)
        with self.store.partial(blob) as part:
            self.transport.fetch(url_path(target), blob.length_bytes, part, on_bytes)
            try:
                with part.path.open("rb") as file:
                    target.verify_length_and_hashes(file)
            except LengthOrHashMismatchError as error:
                part.restart()
                raise DigestMismatchError(
                    f"{blob.name} is not the file that its publisher signed; it was dropped, and "
                    "the next sync fetches it anew"
                ) from error
            part.settle(path)


def _named(store: Store, plan: Plan) -> list[tuple[Blob, Path]]:
    """A plan's files and where they belong; the bundle first, for nothing is of use without it."""
    named = [(plan.bundle, store.bundle_path(plan.bundle.sha256))] if plan.bundle else []
    named += [(link.blob, store.download_path(link.blob)) for link in plan.deltas]
    if plan.catalogue is not None:
        named.append((plan.catalogue, store.catalogue_path(plan.catalogue.sha256)))
    return named


def _apply(store: Store, plan: Plan, active: Installed, release: Release) -> str:
    """The catalogue after the deltas, written; returns its SHA-256."""
    data: CatalogueData = read_catalogue(store.catalogue_path(active.catalogue))
    for link in plan.deltas:
        path = store.download_path(link.blob)
        if not _is(path, link.blob.sha256):
            path.unlink(missing_ok=True)
            raise DigestMismatchError("a delta that was fetched before is damaged")
        data = apply_delta(data, read_delta(path))
    if content_digest(data) != release.content:
        raise DeltaError("the deltas lead to another catalogue than the release's")
    pieces = encode_catalogue(data)
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    sha256 = digest.hexdigest()
    write_atomic(store.catalogue_path(sha256), pieces)
    return sha256


def _is(path: Path, sha256: str) -> bool:
    """Whether a file is there, and whole."""
    try:
        return sha256_hex(map_bounded(path, KIND.max_bytes, "file")) == sha256
    except EdgesegError:
        return False
