"""What a build is to be made of, streamed: a list longer than memory goes through one by one.

A list is a CSV or a folder as :mod:`edgeseg.items` reads them, here or behind an address, or
Parquet files with the columns ``sku`` and ``image``: the pictures' bytes. Further columns are
attributes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from edgeseg import limits
from edgeseg.errors import DatasetError, EdgesegError
from edgeseg.file_system import file_system, is_address
from edgeseg.files import shown_path
from edgeseg.items import (
    PICTURE_SUFFIXES,
    REQUIRED_COLUMNS,
    Item,
    check_item,
    items_of_folder,
    items_of_rows,
)
from edgeseg.scale.arrow import open_parquet
from edgeseg.scale.place import Place, file_stamp, row_address
from edgeseg.table import located_rows, rows_in

# Between the names of several shards that an item is in.
SHARD_SEPARATOR = ";"
# The name of the only shard of a build that is not sharded.
WHOLE = ""
_PARQUET_SUFFIX = ".parquet"
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Listed:
    """A line of the list.

    Attributes:
        item: without the attribute that shards are made by.
        place: of its picture.
        shards: names of those that it is in.
    """

    item: Item
    place: Place
    shards: tuple[str, ...] = (WHOLE,)


def read_list(source: str, shard_by: str | None = None) -> Iterator[Listed]:
    """The lines of a list, in its order.

    Args:
        source: path or address of a CSV, of a folder of pictures, of a Parquet file or of a folder
            of them.
        shard_by: the attribute that says which shards an item is in, several separated by ``;``;
            None makes one catalogue of them all.

    Raises:
        DatasetError: it cannot be read, has no item, or a line is unusable.
        MissingExtraError: it needs what is not installed.
    """
    lines = _lines_elsewhere(source) if is_address(source) else _lines_here(Path(source))
    for item, place in lines:
        if shard_by is None:
            yield Listed(item, place)
            continue
        attributes = dict(item.attributes)
        names = (name.strip() for name in attributes.pop(shard_by, "").split(SHARD_SEPARATOR))
        yield Listed(Item(item.sku, attributes), place, tuple(name for name in names if name))


def _lines_here(source: Path) -> Iterator[tuple[Item, Place]]:
    if source.suffix.lower() == _PARQUET_SUFFIX and source.is_file():
        tables = [source]
    else:
        tables = sorted(source.rglob(f"*{_PARQUET_SUFFIX}")) if source.is_dir() else []
    if tables:
        for table in tables:
            yield from _lines_of_table(str(table.absolute()), file_stamp(table.stat()))
    elif source.is_dir():
        for item, picture in items_of_folder(source):
            yield item, _place_here(picture)
    else:
        for item, image in items_of_rows(located_rows(source, REQUIRED_COLUMNS)):
            place = Place(image) if is_address(image) else _place_here(source.parent / image)
            yield item, place


def _place_here(picture: Path) -> Place:
    try:
        stamp = file_stamp(picture.stat())
    except OSError:
        stamp = ""  # who reads it says why it cannot be read
    return Place(str(picture.absolute()), stamp)


def _lines_elsewhere(source: str) -> Iterator[tuple[Item, Place]]:
    files, root = file_system(source, "scale")
    suffix = PurePosixPath(root).suffix.lower()
    if suffix == ".csv":
        with _told(source), files.open(root, "rb") as opened:
            data = opened.read(limits.MAX_CSV_BYTES + 1)
        if len(data) > limits.MAX_CSV_BYTES:
            raise DatasetError(
                f"{source} has more than {limits.MAX_CSV_BYTES >> 20} MiB; use Parquet for it"
            )
        folder = source.rpartition("/")[0]
        for item, image in items_of_rows(rows_in(data, source, REQUIRED_COLUMNS)):
            yield item, Place(image if is_address(image) else f"{folder}/{image}")
        return
    with _told(source):
        found = files.find(root, detail=True)
    stamps = {name: _stamp_of(info) for name, info in sorted(found.items())}
    tables = [name for name in stamps if name.lower().endswith(_PARQUET_SUFFIX)]
    for name in tables:
        yield from _lines_of_table(files.unstrip_protocol(name), stamps[name])
    if tables:
        return
    pictures = [name for name in stamps if PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES]
    if not pictures:
        raise DatasetError(f"there is no picture and no Parquet file in {source}")
    for name in pictures:
        item = Item(PurePosixPath(name).stem.strip())
        check_item(item)
        yield item, Place(files.unstrip_protocol(name), stamps[name])


def _stamp_of(info: dict[str, Any]) -> str:
    """What an object store tells of an object: its ETag, else when it was changed."""
    for key in ("ETag", "etag", "md5Hash", "LastModified", "last_modified", "mtime"):
        if info.get(key):
            return f"{info.get('size')}-{info[key]}"
    return ""


def _lines_of_table(file: str, stamp: str) -> Iterator[tuple[Item, Place]]:
    """The rows of a Parquet file; its pictures are not read here."""
    with _told(file), open_parquet(file) as opened:
        names = opened.schema_arrow.names
        missing = [name for name in REQUIRED_COLUMNS if name not in names]
        if missing:
            raise DatasetError(f"{shown_path(file)}: has no column {' and '.join(missing)}")
        wanted = [name for name in names if name != "image"]
        for group in range(opened.num_row_groups):
            row = 0
            for batch in opened.iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=wanted):
                for cells in batch.select(wanted).to_pylist():
                    item = _item_of_cells(cells, f"{shown_path(file)}, group {group}, row {row}")
                    yield item, Place(row_address(file, group, row), stamp)
                    row += 1


def _item_of_cells(cells: dict[str, Any], where: str) -> Item:
    filled = {name: value for name, value in cells.items() if value is not None}
    texts = {name: " ".join(str(value).split()) for name, value in filled.items()}
    item = Item(texts.pop("sku", ""), {name: value for name, value in texts.items() if value})
    try:
        check_item(item)
    except DatasetError as error:
        raise DatasetError(f"{where}: {error}") from error
    return item


@contextlib.contextmanager
def _told(source: str) -> Iterator[None]:
    """File systems of others, and pyarrow, raise what they like."""
    try:
        yield
    except EdgesegError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(f"{shown_path(source)}: {reason}") from error
