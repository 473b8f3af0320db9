"""What is given to be published: a catalogue, or a folder of shards, and a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgeseg.errors import FormatError, SyncError
from edgeseg.files import PathLike, read_bounded, shown_path
from edgeseg.formats import bundle, catalogue_file, shard_list
from edgeseg.formats.catalogue_file import CatalogueData, decode_catalogue, read_catalogue
from edgeseg.formats.shard_list import Shard, ShardList


@dataclass(frozen=True)
class Shards:
    """A folder of shards, of which each is read when its turn comes: together they may be large.

    Attributes:
        folder: where their catalogues are.
        listed: what ``shards.json`` says.
    """

    folder: Path
    listed: ShardList

    @classmethod
    def of(cls, folder: Path) -> Shards:
        """Read the list, and see that its catalogues are there.

        Raises:
            SyncError: there is no list, or a catalogue is missing.
            EdgesegError: the list is damaged.
        """
        if not (folder / shard_list.FILE_NAME).is_file():
            raise SyncError(
                f"{shown_path(folder)} is a folder without a {shard_list.FILE_NAME}: publish a "
                "catalogue, or the folder that `edgeseg index build --shard-by` wrote"
            )
        shards = cls(folder, ShardList.read(folder))
        if not shards.listed.shards:
            raise SyncError(f"{shown_path(folder)} has no shard to publish")
        for shard in shards.listed.shards:
            if not shards.path(shard).is_file():
                raise SyncError(
                    f"{shown_path(shards.path(shard))} of shard {shard.name!r} is missing"
                )
        return shards

    def path(self, shard: Shard) -> Path:
        """Where a shard's catalogue is."""
        return self.folder / shard.file_name

    def read(self, shard: Shard) -> CatalogueData:
        """A shard's catalogue.

        Raises:
            FormatError: it is damaged, or another one than was listed.
            EdgesegError: it cannot be read.
        """
        data = read_catalogue(self.path(shard))
        if (data.digest, data.items) != (shard.digest, shard.items):
            raise FormatError(
                f"{shown_path(self.path(shard))} is not the catalogue that "
                f"{shard_list.FILE_NAME} lists: build the shards again"
            )
        return data


@dataclass(frozen=True)
class Given:
    """What is given to be published.

    Attributes:
        catalogue: that is no shard.
        bundle: its bytes.
        shards: in a folder.
    """

    catalogue: CatalogueData | None = None
    bundle: bytes | None = None
    shards: Shards | None = None

    @classmethod
    def of(cls, files: Sequence[PathLike]) -> Given:
        """Read files, and a folder's list.

        Raises:
            SyncError: one is none of these, or the second one of its kind.
            EdgesegError: one cannot be read.
        """
        given = cls()
        for path in files:
            new = given.catalogue is None and given.shards is None
            folder = Path(path).is_dir()
            data = b"" if folder else read_bounded(path, catalogue_file.KIND.max_bytes, "file")
            if folder and new:
                given = replace(given, shards=Shards.of(Path(path)))
            elif data.startswith(catalogue_file.KIND.magic) and new:
                given = replace(given, catalogue=decode_catalogue(data))
            elif data.startswith(bundle.KIND.magic) and given.bundle is None:
                given = replace(given, bundle=data)
            else:
                raise SyncError(
                    f"{shown_path(path)} is neither a catalogue nor a bundle, or is the second one"
                )
        return given
