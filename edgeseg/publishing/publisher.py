"""Publishing: a catalogue, a folder of shards, or a bundle becomes the next release.

Shards are published together: one signing makes all of their releases current, and all of these are
of one generation, also where a shard's catalogue is as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from tuf.api.metadata import TargetFile

from edgeseg.errors import SyncError
from edgeseg.files import PathLike, read_bounded, sha256_hex
from edgeseg.formats import bundle
from edgeseg.formats.bundle import Bundle
from edgeseg.presets import preset_path
from edgeseg.publishing.given import Given
from edgeseg.publishing.keys import Keys
from edgeseg.publishing.part import Part, Wanted, prepared
from edgeseg.publishing.releases import (
    as_target,
    blob_of,
    check_listing,
    names_on_host,
    put_release,
    read_blob,
    read_releases,
)
from edgeseg.publishing.repository import Expiry, Repository, open_repository
from edgeseg.sync.release import Blob, Needs, Release

_Releases = Mapping[str | None, Release]


@dataclass(frozen=True)
class Published:
    """What a publishing came to.

    Attributes:
        releases: the newest ones: one, or one a shard by name.
        root_expires: until when scanners believe any of it; `edgeseg keys rotate root` renews that.
        signed_only: nothing was published, only signed anew.
        parts: what became of each release's catalogue; none where no file was given.
        dropped: shards that were published before, and no longer are.
    """

    releases: tuple[Release, ...]
    root_expires: datetime
    signed_only: bool
    parts: tuple[Part, ...] = ()
    dropped: tuple[str, ...] = ()

    @property
    def release(self) -> Release:
        """The only one, or the first shard's."""
        return self.releases[0]


def publish(
    files: Sequence[PathLike],
    to: str,
    keys: Keys,
    now: datetime,
    expiry: Expiry | None = None,
    memory_bytes: int = 0,
    machines: Sequence[str] = (),
) -> Published:
    """Publish files as the next release; scanners take it at their next sync.

    Args:
        files: a catalogue or a folder of shards, a bundle, or one of each; nothing signs what is
            published anew.
        to: a folder that a web server serves, or an address that fsspec knows.
        keys: of the publisher.
        now: by its clock.
        expiry: how long it holds.
        memory_bytes: that a device must have; 0 asks for none.
        machines: processor families that it is for; none for any.

    Raises:
        SyncError: there is nothing to publish, the clock is behind the last release, or shards
            would take the place of a catalogue, or a catalogue that of shards.
        LimitExceededError: there are more shards than scanners would read of.
        ModelContractError: a catalogue was made with another bundle.
        ProbeError: its golden queries are answered too rarely.
        SignatureError: keys are missing, or what is there was signed by others.
        EdgesegError: a file cannot be read or written.
    """
    expiry = expiry or Expiry()
    with keys.lock:
        repository = open_repository(to, keys)
        root_expires = repository.root.signed.expires
        before = read_releases(repository)
        _check_clock(before, now)
        given = Given.of(files)
        if before and not files:
            repository.publish(None, keys, expiry, now)
            return Published(tuple(before.values()), root_expires, signed_only=True)
        wanted = _wanted(given, before)
        check_listing(each.shard for each in wanted if each.shard is not None)
        carried = _bundle(repository, before, given)
        opened = Bundle.from_bytes(carried)
        generation = max((each.generation for each in before.values()), default=0) + 1
        parts = tuple(
            prepared(repository, before.get(each.shard), each, generation, opened.embedder_digest)
            for each in wanted
        )
        needs = Needs(
            bundle_format_version=opened.manifest.format_version,
            memory_bytes=memory_bytes,
            machines=tuple(machines),
        )
        model = _model(before, carried)
        releases = tuple(part.released(generation, model, needs, now) for part in parts)
        kept = {release.shard_name for release in releases}
        dropped = tuple(name for name in before if name is not None and name not in kept)
        if not dropped and all(_same(before, release) for release in releases):
            repository.publish(None, keys, expiry, now)
            current = tuple(before[part.shard] for part in parts)
            return Published(current, root_expires, signed_only=True, parts=parts)
        repository.put(model.name, carried)
        targets = [target for release in releases for target in _targets(repository, release)]
        repository.publish(targets, keys, expiry, now)
        repository.tidy(names_on_host([*before.values(), *releases]))
        return Published(releases, root_expires, False, parts, dropped)


def _check_clock(before: _Releases, now: datetime) -> None:
    latest = max((release.published for release in before.values()), default=now)
    if now < latest:
        raise SyncError(
            "this machine's clock is behind the last release, of "
            f"{latest:%Y-%m-%d %H:%M} UTC: set it before publishing"
        )


def _wanted(given: Given, before: _Releases) -> list[Wanted]:
    """The catalogues that are published from now on."""
    catalogue, shards = given.catalogue, given.shards
    if shards is not None:
        if None in before:
            raise SyncError(
                "a catalogue without shards is published there, and its scanners would no longer "
                "find it: publish shards to another place"
            )
        return [Wanted(each.name, partial(shards.read, each)) for each in shards.listed.shards]
    if catalogue is not None:
        if before and None not in before:
            raise SyncError(
                f"{len(before)} shards are published there, and their scanners would no longer "
                "find them: publish the folder of shards, or a catalogue to another place"
            )
        return [Wanted(None, lambda: catalogue)]
    if not before:
        raise SyncError("nothing is published there yet: publish a catalogue first")
    return [Wanted(name) for name in before]


def _bundle(repository: Repository, before: _Releases, given: Given) -> bytes:
    """The one to publish: that which was given, else that of before, else the default one."""
    if given.bundle is not None:
        return given.bundle
    for release in before.values():
        # All shards have the same.
        return read_blob(repository, release.bundle)
    return read_bounded(preset_path(), bundle.KIND.max_bytes, "bundle")


def _model(before: _Releases, carried: bytes) -> Blob:
    """What names the bundle, as it was named before."""
    digest = sha256_hex(carried)
    for release in before.values():
        if release.bundle.sha256 == digest:
            return release.bundle
    return blob_of(f"{digest[:16]}{bundle.SUFFIX}", carried)


def _same(before: _Releases, after: Release) -> bool:
    """Whether a release says nothing new, but when it was made."""
    earlier = before.get(after.shard_name)
    if earlier is None:
        return False
    return replace(after, published=earlier.published, generation=earlier.generation) == earlier


def _targets(repository: Repository, release: Release) -> list[TargetFile]:
    """What is listed of a release: it alone where it is a shard's, else its files too."""
    listed = [put_release(repository, release)]
    if release.shard is None:
        listed += [as_target(blob) for blob in release.blobs]
    return listed
