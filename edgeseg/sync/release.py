"""The release: which bundle and catalogue belong together, and the ways to get there.

One small JSON document, ``release.json`` or one a shard, is what a publisher signs and a scanner
follows; the format's page ("Release") has its fields. Reading and judging it touches neither
network nor disk.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from edgeseg import limits
from edgeseg.errors import FormatError, IncompatibleError, ManifestError
from edgeseg.files import sha256_hex
from edgeseg.formats import bundle, catalogue_file, delta_file
from edgeseg.formats.document import Fields, canonical_json, parse_object
from edgeseg.formats.shard_list import shard_slug
from edgeseg.sync.clock import time_of, time_text

# A shard's release names its shard; any other is as it was before there were shards.
FORMAT_VERSION, SHARD_FORMAT_VERSION = 1, 2
RELEASE_NAME = "release.json"
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")


@dataclass(frozen=True)
class Blob:
    """A published file.

    Attributes:
        name: for people; its host puts the file's SHA-256 before it.
        sha256: of its bytes.
        length_bytes: how many.
    """

    name: str
    sha256: str
    length_bytes: int

    @property
    def published_name(self) -> str:
        """What the file is called on its host."""
        return published_name(self.name, self.sha256)


@dataclass(frozen=True)
class DeltaLink:
    """A published delta.

    Attributes:
        blob: its file.
        base_generation: where it starts.
        base: that generation's content digest.
        generation: where it leads.
    """

    blob: Blob
    base_generation: int
    base: str
    generation: int


@dataclass(frozen=True)
class ShardPart:
    """Which shard a release is of.

    Attributes:
        name: as the shard's list calls it.
        catalogue_generation: that its catalogue is of: since when it is as it is.
    """

    name: str
    catalogue_generation: int


@dataclass(frozen=True)
class Needs:
    """What a device must have.

    Attributes:
        bundle_format_version, catalogue_format_version, delta_format_version: that it reads.
        memory_bytes: of main memory; 0 asks for none.
        machines: processor families as ``uname -m`` tells them; empty for any.
    """

    bundle_format_version: int
    catalogue_format_version: int = catalogue_file.KIND.format_version
    delta_format_version: int = delta_file.KIND.format_version
    memory_bytes: int = 0
    machines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Release:
    """A generation of the catalogue with its bundle.

    Attributes:
        generation: of the catalogue; it only grows.
        published: when, in UTC, to the second.
        content: the catalogue's content digest, see ``formats.catalogue_file.content_digest``.
        catalogue: the whole generation as a catalogue file.
        bundle: what makes its queries.
        deltas: a chain to this catalogue, oldest first; empty where only the whole leads there.
        needs: what a device must have.
        shard: which shard it is of; None where the catalogue is no shard.
    """

    generation: int
    published: datetime
    content: str
    catalogue: Blob
    bundle: Blob
    deltas: tuple[DeltaLink, ...]
    needs: Needs
    shard: ShardPart | None = None

    @property
    def shard_name(self) -> str | None:
        """Of its shard; None where the catalogue is no shard."""
        return None if self.shard is None else self.shard.name

    @property
    def catalogue_generation(self) -> int:
        """What the catalogue's own file says: of a shard that did not change, an earlier one."""
        return self.generation if self.shard is None else self.shard.catalogue_generation

    @property
    def blobs(self) -> list[Blob]:
        """All files of it."""
        return [self.catalogue, self.bundle, *(link.blob for link in self.deltas)]

    def to_bytes(self) -> bytes:
        """The document, in its one spelling."""
        shard = {} if self.shard is None else {"shard": vars(self.shard)}
        return canonical_json(
            shard
            | {
                "bundle": _blob_fields(self.bundle),
                "catalogue": _blob_fields(self.catalogue) | {"content": self.content},
                "deltas": [
                    _blob_fields(link.blob)
                    | {
                        "base": link.base,
                        "base_generation": link.base_generation,
                        "generation": link.generation,
                    }
                    for link in self.deltas
                ],
                "format_version": SHARD_FORMAT_VERSION if self.shard else FORMAT_VERSION,
                "generation": self.generation,
                "needs": {
                    "bundle_format_version": self.needs.bundle_format_version,
                    "catalogue_format_version": self.needs.catalogue_format_version,
                    "delta_format_version": self.needs.delta_format_version,
                    "machines": list(self.needs.machines),
                    "memory_bytes": self.needs.memory_bytes,
                },
                "published": time_text(self.published),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Release:
        """Read the document.

        Raises:
            IncompatibleError: it is of a later ``format_version``.
            ManifestError: it breaks its format.
        """
        what = "the release"
        document = parse_object(data, limits.MAX_RELEASE_BYTES, what)
        # Before anything else: a later version may have other fields.
        version = document.get("format_version")
        if version not in (FORMAT_VERSION, SHARD_FORMAT_VERSION):
            raise IncompatibleError(
                f"the release has format_version {version!r}, and this edgeseg reads "
                f"{FORMAT_VERSION} and {SHARD_FORMAT_VERSION}: update edgeseg on this device"
            )
        fields = Fields(document, what)
        fields.integer("format_version", FORMAT_VERSION, SHARD_FORMAT_VERSION)
        of_shard = version == SHARD_FORMAT_VERSION
        shard = _shard(Fields(fields.take("shard"), f"shard of {what}")) if of_shard else None
        catalogue = Fields(fields.take("catalogue"), f"catalogue of {what}")
        needs = Fields(fields.take("needs"), f"needs of {what}")
        content = catalogue.sha256("content")
        release = cls(
            generation=fields.integer("generation", 1, limits.MAX_GENERATION),
            published=time_of(fields.text("published"), what),
            content=content,
            catalogue=_blob(catalogue, catalogue_file.KIND.max_bytes),
            bundle=_blob(Fields(fields.take("bundle"), f"bundle of {what}"), bundle.KIND.max_bytes),
            deltas=tuple(
                _link(Fields(value, f"a delta of {what}"))
                for value in fields.array("deltas", limits.MAX_DELTAS)
            ),
            needs=Needs(
                bundle_format_version=needs.integer("bundle_format_version", 1, 1_000),
                catalogue_format_version=needs.integer("catalogue_format_version", 1, 1_000),
                delta_format_version=needs.integer("delta_format_version", 1, 1_000),
                memory_bytes=needs.integer("memory_bytes", 0, 2**53 - 1),
                machines=_machines(needs.array("machines", limits.MAX_MACHINES)),
            ),
            shard=shard,
        )
        for rest in (fields, needs):
            rest.done()
        _check_chain(release)
        return release


def release_name(shard: str | None) -> str:
    """What the release of a shard is published as; of a catalogue that is none for None."""
    return RELEASE_NAME if shard is None else f"{shard_slug(shard)}.{RELEASE_NAME}"


def refusal_of(release_sha256: str, shard: str | None, content: str, bundle_sha256: str) -> str:
    """What is remembered of a release that was rolled back, to leave it alone.

    Of a shard it is what it brought: its next release may bring the same, for another's sake.
    """
    if shard is None:
        return release_sha256
    return sha256_hex(canonical_json([shard, content, bundle_sha256]))


def published_name(name: str, sha256: str) -> str:
    """What a file is called on its host: as The Update Framework names consistent targets."""
    return f"{sha256}.{name}"


def _blob_fields(blob: Blob) -> dict[str, Any]:
    return {"length_bytes": blob.length_bytes, "name": blob.name, "sha256": blob.sha256}


def _blob(fields: Fields, max_bytes: int) -> Blob:
    name = fields.text("name", 100)
    if not _NAME.fullmatch(name):
        raise ManifestError(f"{name!r} of the release is no name of a file")
    blob = Blob(name, fields.sha256("sha256"), fields.integer("length_bytes", 1, max_bytes))
    fields.done()
    return blob


def _link(fields: Fields) -> DeltaLink:
    base_generation = fields.integer("base_generation", 0, limits.MAX_GENERATION - 1)
    base = fields.sha256("base")
    generation = fields.integer("generation", base_generation + 1, limits.MAX_GENERATION)
    return DeltaLink(_blob(fields, delta_file.KIND.max_bytes), base_generation, base, generation)


def _shard(fields: Fields) -> ShardPart:
    shard = ShardPart(
        fields.text("name", limits.MAX_SHARD_NAME_CHARS),
        fields.integer("catalogue_generation", 1, limits.MAX_GENERATION),
    )
    fields.done()
    return shard


def _machines(values: list[Any]) -> tuple[str, ...]:
    named: Mapping[str, Any] = {str(number): value for number, value in enumerate(values)}
    fields = Fields(named, "machines of the release")
    return tuple(fields.text(name, limits.MAX_TEXT_CHARS) for name in named)


def _check_chain(release: Release) -> None:
    """Each delta starts where the one before it ends, and the last one ends here."""
    if release.catalogue_generation > release.generation:
        raise FormatError("the catalogue of the release is of a later generation than the release")
    ends = [link.base_generation for link in release.deltas[1:]] + [release.catalogue_generation]
    if release.deltas and [link.generation for link in release.deltas] != ends:
        raise FormatError("the deltas of the release are no chain to its generation")
