"""The releases that a repository lists, and the files that they name.

A catalogue that is no shard has one release, and its files are listed beside it. Of shards only the
releases are listed, each with its shard's name: what they name is covered by their digests.
"""

from __future__ import annotations

from collections.abc import Iterable

from tuf.api.metadata import Metadata, TargetFile, Targets

from edgeseg import limits
from edgeseg.errors import LimitExceededError, MixedMetadataError
from edgeseg.files import sha256_hex
from edgeseg.publishing.repository import Repository
from edgeseg.sync.release import RELEASE_NAME, Blob, Release, release_name

# What twenty keys' signatures take, and the metadata around what is listed.
_SPARE_METADATA_BYTES = 8 << 10


def read_releases(repository: Repository) -> dict[str | None, Release]:
    """The newest ones by their shards' names; a catalogue that is no shard has the name None.

    Raises:
        EdgesegError: one is missing or altered.
    """
    releases: dict[str | None, Release] = {}
    for path, target in repository.listed.items():
        if path == RELEASE_NAME or path.endswith(f".{RELEASE_NAME}"):
            release = Release.from_bytes(repository.read_target(target))
            if release_name(release.shard_name) != path:
                raise MixedMetadataError(f"{path} is the release of another shard")
            releases[release.shard_name] = release
    return releases


def put_release(repository: Repository, release: Release) -> TargetFile:
    """Write a release, unless it is there; nothing lists it yet."""
    target = repository.put(release_name(release.shard_name), release.to_bytes())
    return _named(target, release.shard_name)


def read_blob(repository: Repository, blob: Blob) -> bytes:
    """A file of a release, checked.

    Raises:
        SyncError: it is missing or altered.
    """
    return repository.read_target(as_target(blob))


def as_target(blob: Blob) -> TargetFile:
    """A file of a release as metadata lists it."""
    return TargetFile(blob.length_bytes, {"sha256": blob.sha256}, blob.name)


def blob_of(name: str, data: bytes) -> Blob:
    """What names these bytes."""
    return Blob(name, sha256_hex(data), len(data))


def names_on_host(releases: Iterable[Release]) -> set[str]:
    """Files of releases, themselves included: who is in the middle of fetching one goes on."""
    names = set()
    for release in releases:
        document = blob_of(release_name(release.shard_name), release.to_bytes())
        names |= {blob.published_name for blob in (*release.blobs, document)}
    return names


def check_listing(shards: Iterable[str]) -> None:
    """Refuse more shards than scanners would read of, before anything is written.

    Raises:
        LimitExceededError: their list would be too long.
    """
    listed = {}
    for shard in shards:
        longest = TargetFile(limits.MAX_RELEASE_BYTES, {"sha256": "0" * 64}, release_name(shard))
        listed[longest.path] = _named(longest, shard)
    size = len(Metadata(Targets(targets=listed)).to_bytes()) + _SPARE_METADATA_BYTES
    if size > limits.MAX_TARGETS_BYTES:
        raise LimitExceededError(
            f"the list of {len(listed)} shards with these names takes {size} bytes, and scanners "
            f"read at most {limits.MAX_TARGETS_BYTES}: make fewer shards, or name them shorter"
        )


def _named(target: TargetFile, shard: str | None) -> TargetFile:
    """With its shard's name, which a file's name may not have: scanners tell which shards are."""
    if shard is not None:
        target.unrecognized_fields["custom"] = {"shard": shard}
    return target
