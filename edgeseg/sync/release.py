"""The release: which bundle and catalogue belong together, and the ways to get there.

One small JSON document, ``release.json``, is what a publisher signs and a scanner follows; the
format's page ("Release") has its fields. Reading and judging it touches neither network nor disk.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from edgeseg import limits
from edgeseg.errors import FormatError, IncompatibleError, ManifestError
from edgeseg.formats import bundle, catalogue_file, delta_file
from edgeseg.formats.document import Fields, canonical_json, parse_object
from edgeseg.sync.clock import time_of, time_text

FORMAT_VERSION = 1
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
class Device:
    """What a device has, as far as a release asks.

    Attributes:
        machine: its processor family, as ``uname -m`` tells it.
        memory_bytes: its main memory.
    """

    machine: str
    memory_bytes: int


@dataclass(frozen=True)
class Release:
    """A generation of the catalogue with its bundle.

    Attributes:
        generation: of the catalogue; it only grows.
        published: when, in UTC, to the second.
        content: the catalogue's content digest, see ``formats.catalogue_file.content_digest``.
        catalogue: the whole generation as a catalogue file.
        bundle: what makes its queries.
        deltas: a chain to this generation, oldest first; empty where only the whole leads there.
        needs: what a device must have.
    """

    generation: int
    published: datetime
    content: str
    catalogue: Blob
    bundle: Blob
    deltas: tuple[DeltaLink, ...]
    needs: Needs

    def to_bytes(self) -> bytes:
        """The document, in its one spelling."""
        return canonical_json(
            {
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
                "format_version": FORMAT_VERSION,
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
        if version != FORMAT_VERSION:
            raise IncompatibleError(
                f"the release has format_version {version!r}, and this edgeseg reads "
                f"{FORMAT_VERSION}: update edgeseg on this device"
            )
        fields = Fields(document, what)
        fields.take("format_version")
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
        )
        for rest in (fields, needs):
            rest.done()
        _check_chain(release)
        return release


def published_name(name: str, sha256: str) -> str:
    """What a file is called on its host: as The Update Framework names consistent targets."""
    return f"{sha256}.{name}"


def check_compatible(release: Release, device: Device) -> None:
    """Refuse a release that a device cannot use; asked before anything of it is fetched.

    Raises:
        IncompatibleError: the first thing that the device lacks.
    """
    needs = release.needs
    readers = (
        ("bundle", needs.bundle_format_version, bundle.KIND),
        ("catalogue", needs.catalogue_format_version, catalogue_file.KIND),
    )
    for name, version, kind in readers:
        if version not in kind.known_versions:
            known = ", ".join(str(each) for each in kind.known_versions)
            raise IncompatibleError(
                f"generation {release.generation} has a {name} of format_version {version}, and "
                f"this edgeseg reads {known}: update edgeseg on this device"
            )
    if needs.machines and device.machine not in needs.machines:
        raise IncompatibleError(
            f"generation {release.generation} is for {' or '.join(needs.machines)}, and this "
            f"device is {device.machine}"
        )
    if needs.memory_bytes > device.memory_bytes:
        raise IncompatibleError(
            f"generation {release.generation} asks for {needs.memory_bytes >> 20} MiB of memory, "
            f"and this device has {device.memory_bytes >> 20} MiB"
        )


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


def _machines(values: list[Any]) -> tuple[str, ...]:
    named: Mapping[str, Any] = {str(number): value for number, value in enumerate(values)}
    fields = Fields(named, "machines of the release")
    return tuple(fields.text(name, limits.MAX_TEXT_CHARS) for name in named)


def _check_chain(release: Release) -> None:
    """Each delta starts where the one before it ends, and the last one ends here."""
    ends = [link.base_generation for link in release.deltas[1:]] + [release.generation]
    if release.deltas and [link.generation for link in release.deltas] != ends:
        raise FormatError("the deltas of the release are no chain to its generation")
