"""The list of a catalogue's shards, ``shards.json``, beside their catalogues in one folder.

A shard is the part of a catalogue that one place needs, such as a warehouse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgeseg import limits
from edgeseg.errors import FormatError, UnsupportedFormatVersionError
from edgeseg.files import read_bounded, sha256_hex, shown_path, write_atomic
from edgeseg.formats.catalogue_file import SUFFIX
from edgeseg.formats.document import Fields, canonical_json, parse_object

FILE_NAME = "shards.json"
FORMAT_VERSION = 1
# What a file and a published name may have: a shard is called what its list calls it.
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_MAX_SLUG_CHARS = 40


@dataclass(frozen=True)
class Shard:
    """A shard.

    Attributes:
        name: as the list of items calls it.
        items: how many it has.
        digest: of its catalogue.
    """

    name: str
    items: int
    digest: str

    @property
    def file_name(self) -> str:
        """Of its catalogue, in the folder."""
        return f"{shard_slug(self.name)}{SUFFIX}"


@dataclass(frozen=True)
class ShardList:
    """The shards of a catalogue.

    Attributes:
        shard_by: the attribute that they are made by.
        shards: by name.
    """

    shard_by: str
    shards: tuple[Shard, ...]

    def write(self, folder: Path) -> None:
        """Write ``shards.json``, after the catalogues that it lists.

        Raises:
            EdgesegError: it cannot be written.
        """
        document = {
            "format_version": FORMAT_VERSION,
            "shard_by": self.shard_by,
            "shards": [
                {"name": each.name, "items": each.items, "digest": each.digest}
                for each in self.shards
            ],
        }
        write_atomic(folder / FILE_NAME, canonical_json(document))

    @classmethod
    def read(cls, folder: Path) -> ShardList:
        """Read ``shards.json``.

        Raises:
            FormatError: it is damaged or of a later version.
            EdgesegError: it cannot be read.
        """
        what = shown_path(folder / FILE_NAME)
        data = read_bounded(folder / FILE_NAME, limits.MAX_SHARD_LIST_BYTES, "list of shards")
        document = parse_object(data, limits.MAX_SHARD_LIST_BYTES, what)
        version = document.get("format_version")
        if version != FORMAT_VERSION:
            raise UnsupportedFormatVersionError(
                f"{what} has format_version {version!r}, and this edgeseg reads {FORMAT_VERSION}"
            )
        fields = Fields(document, what)
        fields.take("format_version")
        shards = []
        for value in fields.array("shards", limits.MAX_SHARDS):
            shard = Fields(value, f"a shard of {what}")
            shards.append(
                Shard(
                    shard.text("name", limits.MAX_SHARD_NAME_CHARS),
                    shard.integer("items", 1, limits.MAX_ITEMS),
                    shard.sha256("digest"),
                )
            )
            shard.done()
        listed = cls(fields.text("shard_by", limits.MAX_ATTRIBUTE_NAME_CHARS), tuple(shards))
        fields.done()
        if len({each.name for each in shards}) != len(shards):
            raise FormatError(f"{what} lists a shard twice")
        check_slugs(each.name for each in shards)
        return listed


def shard_slug(name: str) -> str:
    """A shard's name as files and published names can have it: ``Köln Süd`` is ``k-ln-s-d-...``.

    Different names have different slugs, as good as always: where letters were lost, a part of a
    digest of the name follows.
    """
    plain = _NOT_IN_NAMES.sub("-", name.lower()).strip("-")[:_MAX_SLUG_CHARS]
    if plain and plain == name:
        return plain
    return f"{plain or 'shard'}-{sha256_hex(name.encode())[:8]}"


def check_slugs(names: Iterable[str]) -> None:
    """Refuse names of shards that would share a file.

    Raises:
        FormatError: two have one slug, as a name that was made after another's slug has.
    """
    by_slug: dict[str, str] = {}
    for name in names:
        other = by_slug.setdefault(shard_slug(name), name)
        if other != name:
            raise FormatError(
                f"shards {other!r} and {name!r} would both be called {shard_slug(name)}: rename one"
            )
