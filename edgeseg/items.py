"""Catalogue items, and the CSV or folder of pictures that lists them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgeseg import limits
from edgeseg.errors import DatasetError
from edgeseg.files import PathLike, shown_path
from edgeseg.formats.text_table import has_control_characters
from edgeseg.table import located_rows

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
REQUIRED_COLUMNS = ("sku", "image")


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
        return _unique(list(items_of_folder(folder)), shown_path(path))
    listed = items_of_rows(located_rows(path, REQUIRED_COLUMNS))
    rows = _unique([(item, folder.parent / image) for item, image in listed], shown_path(path))
    missing = [picture for _, picture in rows if not picture.is_file()]
    if missing and not (allow_missing and len(missing) < len(rows)):
        raise DatasetError(
            f"{shown_path(path)} names {len(missing)} of {len(rows)} pictures that do not exist, "
            f"such as {shown_path(missing[0])}; image paths are relative to the CSV"
        )
    return rows


def items_of_rows(rows: Iterable[tuple[str, Mapping[str, str]]]) -> Iterator[tuple[Item, str]]:
    """The items of a table's rows, each with what its ``image`` column says.

    Args:
        rows: as :func:`edgeseg.table.located_rows` gives them.

    Raises:
        DatasetError: a row is unusable; the words in front say where.
    """
    for where, row in rows:
        # A line break inside a quoted cell is a space in what is printed in one line.
        values = {name: " ".join(value.split()) for name, value in row.items()}
        attributes = {
            name: value for name, value in values.items() if value and name not in REQUIRED_COLUMNS
        }
        item = Item(values["sku"], attributes)
        try:
            check_item(item)
        except DatasetError as error:
            raise DatasetError(f"{where}: {error}") from error
        if "\0" in row["image"]:
            raise DatasetError(f"{where}: no usable image path")
        yield item, row["image"]


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


def items_of_folder(folder: Path) -> Iterator[tuple[Item, Path]]:
    """A folder's pictures with those of its subfolders, by path, each with the item of its stem.

    Raises:
        DatasetError: there is none, or a stem is no SKU.
    """
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
