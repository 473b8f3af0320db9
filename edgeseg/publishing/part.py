"""What becomes of one catalogue: it is as before, a delta leads to it, or it is sent whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from edgeseg import limits
from edgeseg.catalogue import Catalogue
from edgeseg.errors import ModelContractError, ProbeError
from edgeseg.formats import catalogue_file
from edgeseg.formats.catalogue_file import (
    CatalogueData,
    content_digest,
    decode_catalogue,
    encode_catalogue,
)
from edgeseg.formats.delta_file import encode_delta
from edgeseg.formats.shard_list import shard_slug
from edgeseg.index.delta import same_items
from edgeseg.index.generations import Step, next_generation
from edgeseg.publishing.releases import blob_of, read_blob
from edgeseg.publishing.repository import Repository
from edgeseg.sync.release import Blob, DeltaLink, Needs, Release, ShardPart

_AS_BEFORE = "the catalogue is as before"


@dataclass(frozen=True)
class Part:
    """One catalogue of a publishing. Its files are on the host, and nothing lists them yet.

    Attributes:
        shard: its name; None for a catalogue that is no shard.
        generation: that the catalogue is of: this publishing's, or an earlier one's.
        content: its content digest.
        items: how many it has.
        catalogue: the whole of it.
        deltas: the chain that leads to it.
        delta: the newest of them, where it was made now.
        reason: why there is none; empty where there is.
    """

    shard: str | None
    generation: int
    content: str
    items: int
    catalogue: Blob
    deltas: tuple[DeltaLink, ...]
    delta: Blob | None = None
    reason: str = ""

    @property
    def as_before(self) -> bool:
        """Scanners have it already."""
        return self.reason == _AS_BEFORE

    def released(self, generation: int, bundle: Blob, needs: Needs, now: datetime) -> Release:
        """Its release.

        Args:
            generation: of this publishing; a catalogue that is no shard has its own.
            bundle: that goes with it.
            needs: what a device must have.
            now: by the publisher's clock.
        """
        shard = None if self.shard is None else ShardPart(self.shard, self.generation)
        return Release(
            generation=self.generation if shard is None else generation,
            published=now.replace(microsecond=0),
            content=self.content,
            catalogue=self.catalogue,
            bundle=bundle,
            deltas=self.deltas,
            needs=needs,
            shard=shard,
        )


@dataclass(frozen=True)
class Wanted:
    """A catalogue to publish.

    Attributes:
        shard: its name; None for a catalogue that is no shard.
        read: gives its items; None keeps those that are published.
    """

    shard: str | None
    read: Callable[[], CatalogueData] | None = None


def prepared(
    repository: Repository,
    before: Release | None,
    wanted: Wanted,
    generation: int,
    embedder_digest: str | None,
) -> Part:
    """Find out what becomes of a catalogue, and write the files that it needs.

    Args:
        repository: to publish in.
        before: its release; None where there was none.
        wanted: the catalogue.
        generation: of what changed.
        embedder_digest: of the bundle that goes with it.

    Raises:
        ModelContractError: it was made with another embedder.
        ProbeError: its golden queries are answered too rarely.
        EdgesegError: it cannot be read, or nothing can be written.
    """
    assert before is not None or wanted.read is not None
    data = None if wanted.read is None else wanted.read()
    if data is not None:
        _check_embedder(data, embedder_digest, wanted.shard)
    base = None
    if before is not None:
        if data is not None and _content_at(data, before.catalogue_generation) == before.content:
            return _kept(before, data.items)
        base = decode_catalogue(read_blob(repository, before.catalogue))
        if data is None or same_items(base, data):
            _check_embedder(base, embedder_digest, wanted.shard)
            return _kept(before, base.items)
    assert data is not None
    if base is None:
        first = replace(data, generation=generation, digest="")
        reason = "the first generation" if wanted.shard is None else "the shard is new"
        step = Step(first, None, reason)
    else:
        step = next_generation(base, data, generation)
    _check_golden(step.data, wanted.shard)
    return _put(repository, before, step, wanted.shard)


def _content_at(data: CatalogueData, generation: int) -> str:
    return content_digest(replace(data, generation=generation))


def _kept(before: Release, items: int) -> Part:
    return Part(
        shard=before.shard_name,
        generation=before.catalogue_generation,
        content=before.content,
        items=items,
        catalogue=before.catalogue,
        deltas=before.deltas,
        reason=_AS_BEFORE,
    )


def _put(repository: Repository, before: Release | None, step: Step, shard: str | None) -> Part:
    """Write the whole, and the delta where there is one."""
    data = step.data
    slug = "" if shard is None else f"{shard_slug(shard)}."
    whole = b"".join(encode_catalogue(data))
    catalogue = blob_of(f"{slug}generation-{data.generation}{catalogue_file.SUFFIX}", whole)
    repository.put(catalogue.name, whole)
    deltas: tuple[DeltaLink, ...] = ()
    delta = None
    if step.delta is not None and before is not None:
        written = b"".join(encode_delta(step.delta))
        start = before.catalogue_generation
        delta = blob_of(f"{slug}generation-{start}-to-{data.generation}.delta", written)
        repository.put(delta.name, written)
        link = DeltaLink(delta, start, before.content, data.generation)
        deltas = _bounded((*before.deltas, link), catalogue.length_bytes)
    return Part(
        shard=shard,
        generation=data.generation,
        content=content_digest(data),
        items=data.items,
        catalogue=catalogue,
        deltas=deltas,
        delta=delta,
        reason=step.reason,
    )


def _called(shard: str | None) -> str:
    return "the catalogue" if shard is None else f"the catalogue of shard {shard!r}"


def _check_embedder(data: CatalogueData, embedder_digest: str | None, shard: str | None) -> None:
    if data.embedder_digest != embedder_digest:
        raise ModelContractError(
            f"{_called(shard)} was made with another embedder than the bundle's: publish the "
            "bundle that it was built with beside it"
        )


def _check_golden(data: CatalogueData, shard: str | None) -> None:
    """What scanners would refuse is not published."""
    recall, golden = Catalogue(data).golden_recall(), data.golden
    if golden is not None and recall < golden.recall_floor:
        raise ProbeError(
            f"golden queries are found in {recall:.3f}, and {golden.recall_floor:.3f} is the least "
            f"that {_called(shard)} allows: scanners would refuse it"
        )


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
