"""Whom a scanner believes: The Update Framework, by python-tuf's own client.

Every rule about signatures, thresholds, versions and key rotation is python-tuf's; this file gives
it a folder to work in, keeps what it came to so that a kill or a power cut leaves a state that it
made, and adds one rule of its own: a floor below the device's clock.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tuf.api.exceptions import DownloadHTTPError, LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import Metadata, Root, TargetFile
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from edgeseg import limits
from edgeseg.errors import (
    DownloadError,
    EdgesegError,
    ExpiredError,
    MixedMetadataError,
    SignatureError,
    SyncError,
)
from edgeseg.files import made_folder, read_bounded, write_atomic
from edgeseg.sync.clock import ClockFloor, time_text
from edgeseg.sync.refusals import as_sync_errors
from edgeseg.sync.release import RELEASE_NAME, Blob, Release, published_name, refusal_of
from edgeseg.sync.report import one_line
from edgeseg.sync.subscription import Subscription
from edgeseg.sync.transfer.transport import Transport

METADATA_FOLDER, TARGETS_FOLDER = "metadata", "targets"
_ANCHOR, _HISTORY, _SCRATCH = "anchor.json", "root_history", "scratch"
_ROLES = ("timestamp", "snapshot", "targets")


@dataclass(frozen=True)
class Refreshed:
    """What the publisher was found to say.

    Attributes:
        release: to follow.
        release_digest: SHA-256 of its document.
        root_version: of the publisher's keys.
        expires: when the first part of what was said expires.
        targets: published files by their names.
    """

    release: Release
    release_digest: str
    root_version: int
    expires: datetime
    targets: dict[str, TargetFile]

    @property
    def refusal(self) -> str:
        """What is remembered of it where it is rolled back."""
        release = self.release
        return refusal_of(
            self.release_digest, release.shard_name, release.content, release.bundle.sha256
        )

    def target(self, blob: Blob) -> TargetFile:
        """A file of the release as the metadata lists it, or for a shard as the release names it.

        Raises:
            MixedMetadataError: the release names a file that the metadata does not list so.
        """
        if self.release.shard is not None:
            # Its digest, which is listed, is one of theirs too; listed as well, the files of a
            # thousand shards would be megabytes that every scanner has to fetch.
            return TargetFile(blob.length_bytes, {"sha256": blob.sha256}, blob.name)
        target = self.targets.get(blob.name)
        if target is None or (target.length, target.hashes.get("sha256")) != (
            blob.length_bytes,
            blob.sha256,
        ):
            raise MixedMetadataError("the release names a file that its publisher did not sign")
        return target


def enrol(trust: Path, root: bytes) -> None:
    """Believe a publisher from now on.

    Args:
        trust: a store's folder for it.
        root: the ``root.json`` that the publisher gave, by a way that is trusted.

    Raises:
        SignatureError: it is no root metadata that is signed by its own keys.
        SyncError: the store believes another publisher.
    """
    anchor = trust / _ANCHOR
    if anchor.exists():
        if read_bounded(anchor, limits.MAX_ROOT_BYTES, "trust anchor") != root:
            raise SyncError(
                "this store trusts another publisher's root.json; use another --store for this one"
            )
        return
    try:
        signed = Metadata[Root].from_bytes(root)
        if not isinstance(signed.signed, Root):
            raise SignatureError("the trust anchor is not a root.json")
        signed.signed.verify_delegate("root", signed.signed_bytes, signed.signatures)
    except (RepositoryError, ValueError) as error:
        raise SignatureError(f"the trust anchor is not a root.json: {one_line(error)}") from error
    write_atomic(anchor, root)


def refresh(
    trust: Path,
    transport: Transport,
    now: datetime,
    floor: ClockFloor,
    subscription: Subscription | None = None,
) -> Refreshed:
    """Ask the publisher what to follow.

    New keys are kept also when what they sign is refused; the rest is kept when all of it was
    believed, and makes an older answer recognisable next time.

    Args:
        trust: a store's folder for it.
        transport: to the publisher.
        now: by the device's clock.
        floor: below the device's clock.
        subscription: what is followed; None follows a catalogue that is no shard.

    Raises:
        SignatureError, RollbackError, ExpiredError, MixedMetadataError: what is wrong with the
            metadata.
        DownloadError: it cannot be fetched, or is none.
        SyncError: no publisher was ever believed here, or what is followed is not published.
    """
    subscription = subscription or Subscription()
    anchor = trust / _ANCHOR
    if not anchor.exists():
        raise SyncError(
            "this store trusts no publisher yet: name its root.json with --root, as "
            "`edgeseg keys init` made it"
        )
    root = read_bounded(anchor, limits.MAX_ROOT_BYTES, "trust anchor")
    scratch = trust / _SCRATCH
    _begin(trust, scratch)
    try:
        with as_sync_errors(now):
            updater = Updater(
                str(scratch),
                METADATA_FOLDER,
                fetcher=_Fetcher(transport),
                config=_config(trust),
                bootstrap=root,
            )
            try:
                updater.refresh()
            finally:
                _keep_roots(scratch, trust)
            target = updater.get_targetinfo(subscription.release_name)
        signed = {role: _believed(scratch, role) for role in ("root", *_ROLES)}
        expires = {role: each.expires for role, each in signed.items()}
        root_version = signed["root"].version
        if floor.moment is not None and root_version <= floor.root_version:
            _check_floor(expires, floor.moment)
        _keep_roles(scratch, trust)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if target is None:
        raise subscription.missing(signed["targets"].targets)
    if "sha256" not in target.hashes:
        raise MixedMetadataError("the release is listed without its SHA-256")
    release = Release.from_bytes(_release(trust, transport, target))
    subscription.check(release)
    return Refreshed(
        release,
        target.hashes["sha256"],
        root_version,
        min(expires.values()),
        signed["targets"].targets,
    )


def url_path(target: TargetFile) -> str:
    """Where a published file is, below the publisher's address."""
    return f"{TARGETS_FOLDER}/{published_name(target.path, target.hashes['sha256'])}"


def _config(trust: Path) -> UpdaterConfig:
    """python-tuf counts rotations from the anchor on, those that are known included."""
    history = trust / _HISTORY
    known = len(list(history.iterdir())) - 1 if history.exists() else 0
    return UpdaterConfig(
        max_root_rotations=known + limits.MAX_ROOT_ROTATIONS,
        max_delegations=0,
        root_max_length=limits.MAX_ROOT_BYTES,
        timestamp_max_length=limits.MAX_TIMESTAMP_BYTES,
        snapshot_max_length=limits.MAX_SNAPSHOT_BYTES,
        targets_max_length=limits.MAX_TARGETS_BYTES,
    )


class _Fetcher(FetcherInterface):
    """Gives python-tuf what it asks for through a transport, which has the bounds."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def download_bytes(self, url: str, max_length: int) -> bytes:
        data = self._transport.read(url, max_length)
        if data is None:
            raise DownloadHTTPError(f"{url} is not there", 404)
        return data

    def _fetch(self, url: str) -> Iterator[bytes]:
        """python-tuf's other ways to read are built on it; none of them is used here."""
        yield self.download_bytes(url, limits.MAX_TARGETS_BYTES)


def _begin(trust: Path, scratch: Path) -> None:
    """A copy to work in: python-tuf writes without making sure that it outlives a power cut."""
    shutil.rmtree(scratch, ignore_errors=True)
    made_folder(scratch / _HISTORY)
    for name in (f"{role}.json" for role in _ROLES):
        if (trust / name).exists():
            shutil.copyfile(trust / name, scratch / name)
    if (trust / _HISTORY).exists():
        for path in (trust / _HISTORY).iterdir():
            shutil.copyfile(path, scratch / _HISTORY / path.name)


def _keep_roots(scratch: Path, trust: Path) -> None:
    """A key that was taken from the publisher must not be believed again, whatever came after."""
    history = made_folder(trust / _HISTORY)
    for path in (scratch / _HISTORY).iterdir():
        _keep(path, history / path.name)


def _keep_roles(scratch: Path, trust: Path) -> None:
    """In this order python-tuf itself writes them, and takes up from wherever it ended."""
    for role in _ROLES:
        _keep(scratch / f"{role}.json", trust / f"{role}.json")


def _keep(source: Path, target: Path) -> None:
    data = source.read_bytes()
    if not target.exists() or target.read_bytes() != data:
        write_atomic(target, data)


def _believed(scratch: Path, role: str) -> Any:
    """What python-tuf has just believed and written."""
    return Metadata.from_file(str(scratch / f"{role}.json")).signed


def _check_floor(expires: dict[str, datetime], clock_floor: datetime) -> None:
    for role, moment in expires.items():
        if moment <= clock_floor:
            raise ExpiredError(
                f"the publisher's {role} metadata expired {time_text(moment)}, and a release of "
                f"{time_text(clock_floor)} was seen: this server is no longer kept, or hides what "
                "is newer; the device's clock is behind"
            )


def _release(trust: Path, transport: Transport, target: TargetFile) -> bytes:
    """From the last time, where it is still the same."""
    if target.length > limits.MAX_RELEASE_BYTES:
        raise MixedMetadataError("the release is larger than any release is")
    kept = trust / RELEASE_NAME
    if kept.exists():
        with contextlib.suppress(EdgesegError, LengthOrHashMismatchError):
            before = read_bounded(kept, limits.MAX_RELEASE_BYTES, "release")
            target.verify_length_and_hashes(before)
            return before
    data = transport.read(url_path(target), target.length)
    if data is None:
        raise DownloadError("the server has no release; is it being published just now?")
    try:
        target.verify_length_and_hashes(data)
    except LengthOrHashMismatchError as error:
        raise MixedMetadataError(f"the release is not the signed one: {one_line(error)}") from error
    write_atomic(kept, data)
    return data
