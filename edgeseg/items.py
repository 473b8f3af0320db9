"""Catalogue items, and the CSV or folder of pictures that lists them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgeseg import limits
from edgeseg.errors import DatasetError, EdgesegError
from edgeseg.files import PathLike, read_bounded, shown_path
from edgeseg.formats.catalogue_file import has_control_characters

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
_REQUIRED_COLUMNS = ("sku", "image")


@dataclass(frozen=True)
class Item:
    """A catalogue item.

    Attributes:
        sku: its identifier, unique in a catalogue; one line of text.
        attributes: what else is known, as text by name. An empty value is no attribute.
    """

    sku: str
    attributes: Mapping[str, str] = field(default_factory=dict)


def read_items(path: PathLike, *, allow_missing: bool = False) -> list[tuple[Item, Path]]:
    """Read the list of items to index.

    Args:
        path: a CSV (UTF-8, comma) whose header has ``sku`` and ``image``, with image paths relative
            to the CSV and each further column an attribute; or a folder, searched with its
            subfolders, where a picture's stem is its SKU.
        allow_missing: also give items whose picture does not exist; the build then tells them.

    Returns:
        Each item with its picture's path, in the CSV's order or by path.

    Raises:
        DatasetError: the list cannot be read, has no item, a SKU twice, an unusable row, or names a
            picture that does not exist.
    """
    folder = Path(path)
    if folder.is_dir():
        return _unique(list(_items_of_folder(folder)), shown_path(path))
    rows = _unique(list(_items_of_csv(Path(path))), shown_path(path))
    missing = [picture for _, picture in rows if not picture.is_file()]
    if missing and not (allow_missing and len(missing) < len(rows)):
        raise DatasetError(
            f"{shown_path(path)} names {len(missing)} of {len(rows)} pictures that do not exist, "
            f"such as {shown_path(missing[0])}; image paths are relative to the CSV"
        )
    return rows


def check_item(item: Item) -> None:
    """Refuse an item that a catalogue cannot hold.

    Raises:
        DatasetError: the SKU or an attribute is empty, too long or not plain text.
    """
    sku = item.sku
    if not sku or sku != sku.strip():
        raise DatasetError(f"the SKU {sku!a} is empty or has spaces around it")
    _check_text(sku, limits.MAX_SKU_CHARS, "the SKU")
    if len(item.attributes) > limits.MAX_ATTRIBUTES:
        raise DatasetError(f"item {sku} has more than {limits.MAX_ATTRIBUTES} attributes")
    for name, value in item.attributes.items():
        if not name:
            raise DatasetError(f"item {sku} has an attribute without a name")
        _check_text(name, limits.MAX_ATTRIBUTE_NAME_CHARS, "the attribute name")
        _check_text(value, limits.MAX_ATTRIBUTE_CHARS, f"attribute {name} of item {sku}:")


def _check_text(text: str, max_chars: int, what: str) -> None:
    if len(text) > max_chars:
        raise DatasetError(f"{what} {text[:40]!a}... is longer than {max_chars} characters")
    try:
        plain = not has_control_characters(text)
    except UnicodeEncodeError:  # a file name that is not Unicode
        plain = False
    if not plain:
        raise DatasetError(f"{what} {text!a} has control characters or is not Unicode")


def _items_of_folder(folder: Path) -> Iterator[tuple[Item, Path]]:
    pictures: list[Path] = []
    for root, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        pictures += [
            Path(root, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in PICTURE_SUFFIXES
        ]
    if not pictures:
        raise DatasetError(
            f"there is no picture in {shown_path(folder)} "
            f"({', '.join(sorted(suffix[1:] for suffix in PICTURE_SUFFIXES))})"
        )
    for picture in sorted(pictures):
        item = Item(picture.stem.strip())
        check_item(item)
        yield item, picture


def _items_of_csv(path: Path) -> Iterator[tuple[Item, Path]]:
    name = shown_path(path)
    try:
        text = read_bounded(path, limits.MAX_CSV_BYTES, "item list").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name} is not UTF-8 text: save it as 'CSV UTF-8'") from error
    except EdgesegError as error:
        raise DatasetError(str(error)) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(header, name)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _item_of_row(header, cells, path.parent, f"{name} line {reader.line_num}")
    except csv.Error as error:
        raise DatasetError(f"{name} line {reader.line_num} is not valid CSV: {error}") from error


def _check_header(header: list[str], name: str) -> None:
    for column in _REQUIRED_COLUMNS:
        if column not in header:
            raise DatasetError(
                f"{name} has no column {column}: its first line must be a header, separated by "
                f"commas, with sku and image"
            )
    if "" in header or len(set(header)) != len(header):
        raise DatasetError(f"{name} has a column without a name, or a name twice, in its header")


def _item_of_row(
    header: list[str], cells: list[str], folder: Path, where: str
) -> tuple[Item, Path]:
    if len(cells) != len(header):
        raise DatasetError(f"{where} has {len(cells)} cells, and the header has {len(header)}")
    # A line break inside a quoted cell is a space in what is printed in one line.
    values = {
        column: " ".join(cell.split()) if column != "image" else cell.strip()
        for column, cell in zip(header, cells, strict=True)
    }
    image = values["image"]
    if not image or "\0" in image:
        raise DatasetError(f"{where} has no usable image path")
    attributes = {
        column: value
        for column, value in values.items()
        if value and column not in _REQUIRED_COLUMNS
    }
    item = Item(values["sku"], attributes)
    try:
        check_item(item)
    except DatasetError as error:
        raise DatasetError(f"{where}: {error}") from error
    return item, folder / image


def _unique(rows: list[tuple[Item, Path]], name: str) -> list[tuple[Item, Path]]:
    if not rows:
        raise DatasetError(f"{name} has no items")
    seen: dict[str, Path] = {}
    for item, picture in rows:
        if item.sku in seen:
            raise DatasetError(
                f"{name} has the SKU {item.sku} twice: {shown_path(seen[item.sku])} and "
                f"{shown_path(picture)}"
            )
        seen[item.sku] = picture
    return rows
