"""Publishing: a catalogue or a bundle becomes the next release of a repository."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from edgeseg import limits
from edgeseg.catalogue import Catalogue
from edgeseg.errors import ModelContractError, ProbeError, SyncError
from edgeseg.files import PathLike, read_bounded, sha256_hex, shown_path
from edgeseg.formats import bundle, catalogue_file
from edgeseg.formats.bundle import Bundle
from edgeseg.formats.catalogue_file import (
    CatalogueData,
    content_digest,
    decode_catalogue,
    encode_catalogue,
)
from edgeseg.formats.delta_file import encode_delta
from edgeseg.index.generations import Step, next_generation
from edgeseg.presets import preset_path
from edgeseg.publishing.keys import Keys
from edgeseg.publishing.repository import Expiry, Repository, open_repository
from edgeseg.sync.release import RELEASE_NAME, Blob, DeltaLink, Needs, Release


@dataclass(frozen=True)
class Published:
    """What a publishing came to.

    Attributes:
        release: the newest one.
        root_expires: until when scanners believe any of it; `edgeseg keys rotate root` renews that.
        step: what changed in the catalogue; None where nothing was published, only signed anew.
    """

    release: Release
    root_expires: datetime
    step: Step | None = None

    @property
    def signed_only(self) -> bool:
        """Nothing was published, only signed anew."""
        return self.step is None


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
        files: a catalogue, a bundle, or one of each; nothing signs what is published anew.
        to: a folder that a web server serves, or an address that fsspec knows.
        keys: of the publisher.
        now: by its clock.
        expiry: how long it holds.
        memory_bytes: that a device must have; 0 asks for none.
        machines: processor families that it is for; none for any.

    Raises:
        SyncError: there is nothing to publish, or the clock is behind the last release.
        ModelContractError: the catalogue was made with another bundle.
        ProbeError: its golden queries are answered too rarely.
        SignatureError: keys are missing, or what is there was signed by others.
        EdgesegError: a file cannot be read or written.
    """
    expiry = expiry or Expiry()
    with keys.lock:
        repository = open_repository(to, keys)
        root_expires = repository.root.signed.expires
        before = repository.release()
        if before is not None and now < before.published:
            raise SyncError(
                "this machine's clock is behind the last release, of "
                f"{before.published:%Y-%m-%d %H:%M} UTC: set it before publishing"
            )
        given = _Given.of(files)
        if before is not None and given.catalogue is None and given.bundle is None:
            repository.publish(None, keys, expiry, now)
            return Published(before, root_expires)
        base = None if before is None else _catalogue(repository, before)
        carried = _bundle(repository, before, given)
        step = _step(base, given)
        data = step.data
        if data.embedder_digest != Bundle.from_bytes(carried).embedder_digest:
            raise ModelContractError(
                "the catalogue was made with another embedder than the bundle's: publish the "
                "bundle that it was built with beside it"
            )
        needs = Needs(
            bundle_format_version=Bundle.from_bytes(carried).manifest.format_version,
            memory_bytes=memory_bytes,
            machines=tuple(machines),
        )
        _check_golden(data)
        release, blobs = _next(before, base, step, carried, needs, now)
        if before is not None and _same(before, release):
            repository.publish(None, keys, expiry, now)
            return Published(before, root_expires)
        targets = [repository.put(name, blob) for name, blob in blobs.items()]
        listed = {target.path for target in targets}
        for link in release.deltas:
            if link.blob.name not in listed:
                kept = repository.target(link.blob.name)
                assert kept is not None
                targets.append(kept)
        repository.publish(targets, keys, expiry, now)
        repository.tidy(_names_on_host(before))
        return Published(release, root_expires, step)


@dataclass(frozen=True)
class _Given:
    """The files to publish, read."""

    catalogue: CatalogueData | None = None
    bundle: bytes | None = None

    @classmethod
    def of(cls, files: Sequence[PathLike]) -> _Given:
        given = cls()
        for path in files:
            data = read_bounded(path, catalogue_file.KIND.max_bytes, "file")
            if data.startswith(catalogue_file.KIND.magic) and given.catalogue is None:
                given = replace(given, catalogue=decode_catalogue(data))
            elif data.startswith(bundle.KIND.magic) and given.bundle is None:
                given = replace(given, bundle=data)
            else:
                raise SyncError(
                    f"{shown_path(path)} is neither a catalogue nor a bundle, or is the second one"
                )
        return given


def _catalogue(repository: Repository, release: Release) -> CatalogueData:
    return decode_catalogue(_file(repository, release.catalogue))


def _file(repository: Repository, blob: Blob) -> bytes:
    target = repository.target(blob.name)
    if target is None:
        raise SyncError(f"{blob.name} is in the release and is not published")
    return repository.read_target(target)


def _bundle(repository: Repository, before: Release | None, given: _Given) -> bytes:
    """The one to publish: that which was given, else that of before, else the default one."""
    if given.bundle is not None:
        return given.bundle
    if before is not None:
        return _file(repository, before.bundle)
    return read_bounded(preset_path(), bundle.KIND.max_bytes, "bundle")


def _step(base: CatalogueData | None, given: _Given) -> Step:
    wanted = given.catalogue
    if base is None:
        if wanted is None:
            raise SyncError("nothing is published there yet: publish a catalogue first")
        return Step(replace(wanted, generation=1, digest=""), None, "the first generation")
    if wanted is None:
        return Step(base, None, "the catalogue is as before")
    if content_digest(replace(wanted, generation=base.generation)) == content_digest(base):
        return Step(base, None, "the catalogue is as before")
    return next_generation(base, wanted)


def _check_golden(data: CatalogueData) -> None:
    """What scanners would refuse is not published."""
    recall, golden = Catalogue(data).golden_recall(), data.golden
    if golden is not None and recall < golden.recall_floor:
        raise ProbeError(
            f"golden queries are found in {recall:.3f}, and {golden.recall_floor:.3f} is the least "
            "that the catalogue allows: scanners would refuse it"
        )


def _next(
    before: Release | None,
    base: CatalogueData | None,
    step: Step,
    carried: bytes,
    needs: Needs,
    now: datetime,
) -> tuple[Release, dict[str, bytes]]:
    """The release, and its files by name."""
    data = step.data
    generation = data.generation
    whole = b"".join(encode_catalogue(data))
    catalogue = _blob(f"generation-{generation}{catalogue_file.SUFFIX}", whole)
    files = {catalogue.name: whole}
    if before is not None and before.bundle.sha256 == sha256_hex(carried):
        model = before.bundle
    else:
        model = _blob(f"{sha256_hex(carried)[:16]}{bundle.SUFFIX}", carried)
    files[model.name] = carried
    deltas: tuple[DeltaLink, ...] = ()
    if step.delta is not None and base is not None and before is not None:
        written = b"".join(encode_delta(step.delta))
        name = f"generation-{base.generation}-to-{generation}.delta"
        link = DeltaLink(_blob(name, written), base.generation, before.content, generation)
        files[name] = written
        deltas = _bounded((*before.deltas, link), catalogue.length_bytes)
    elif before is not None and base is data:
        deltas = before.deltas
    release = Release(
        generation=generation,
        published=now.replace(microsecond=0),
        content=content_digest(data),
        catalogue=catalogue,
        bundle=model,
        deltas=deltas,
        needs=needs,
    )
    files[RELEASE_NAME] = release.to_bytes()
    return release, files


def _bounded(chain: tuple[DeltaLink, ...], whole_bytes: int) -> tuple[DeltaLink, ...]:
    """The newest deltas, as far as they are cheaper than the whole."""
    kept: list[DeltaLink] = []
    total = 0
    for link in reversed(chain[-limits.MAX_DELTAS :]):
        total += link.blob.length_bytes
        if total >= whole_bytes:
            break
        kept.append(link)
    return tuple(reversed(kept))


def _same(before: Release, after: Release) -> bool:
    return replace(after, published=before.published) == before


def _blob(name: str, data: bytes) -> Blob:
    return Blob(name, sha256_hex(data), len(data))


def _names_on_host(release: Release | None) -> set[str]:
    """Files of a release: who is in the middle of fetching it goes on."""
    if release is None:
        return set()
    blobs = [release.catalogue, release.bundle, *(link.blob for link in release.deltas)]
    document = release.to_bytes()
    blobs.append(Blob(RELEASE_NAME, sha256_hex(document), len(document)))
    return {blob.published_name for blob in blobs}
