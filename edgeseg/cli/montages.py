"""The items' pictures, and what is drawn with them: a match, a group of duplicates.

A catalogue carries embeddings and no pictures, since a handheld has no room for them. So that
``match --montage`` and ``index duplicates`` can still have them where they are at hand, ``index
build`` notes in a small file beside the catalogue where it took them from. Nothing else reads that
file, and it need not travel with the catalogue.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgeseg.cli import console
from edgeseg.errors import EdgesegError

if TYPE_CHECKING:
    from edgeseg.duplicates import DuplicateGroup
    from edgeseg.imaging import Photo
    from edgeseg.matcher import MatchResult

_NOTE_SUFFIX = ".pictures.json"
_MAX_NOTE_BYTES = 64 * 1024
_TILE_PX = 192
_CARD_LINE_PX = 18
_CARD_LINE_CHARS = 24
# Pictures of a group in one row; of a larger group, the last place says how many more there are.
_GROUP_COLUMNS = 8


def _note_path(catalogue: Path) -> Path:
    return catalogue.with_name(catalogue.name + _NOTE_SUFFIX)


def note_source(catalogue: Path, items: Path) -> None:
    """Write down, beside a catalogue, which CSV or folder its pictures came from."""
    from edgeseg.files import write_atomic

    place = os.path.relpath(items.resolve(), catalogue.resolve().parent)
    write_atomic(_note_path(catalogue), json.dumps({"items": place}).encode() + b"\n")


def _noted_source(catalogue: Path) -> Path | None:
    """What ``note_source`` wrote, if it is there and still leads somewhere."""
    from edgeseg.files import read_bounded

    note = _note_path(catalogue)
    if not note.is_file():
        return None
    try:
        document = json.loads(read_bounded(note, _MAX_NOTE_BYTES, "note"))
        place = catalogue.resolve().parent / str(document["items"])
    except (EdgesegError, ValueError, KeyError, TypeError):
        return None  # an aid for pictures only: without it, the montage has cards
    return place if place.exists() else None


def item_pictures(catalogue: Path | None, source: Path | None) -> dict[str, Path]:
    """Where each SKU's picture is.

    Args:
        catalogue: the catalogue's path; None where it has none that is known.
        source: the CSV or folder that the user named; None takes the one noted at the build.

    Returns:
        Paths by SKU; empty when nothing is known.

    Raises:
        EdgesegError: `source` was named and cannot be read.
    """
    from edgeseg.items import read_items

    place = source or (None if catalogue is None else _noted_source(catalogue))
    if place is None:
        return {}
    try:
        return {item.sku: picture for item, picture in read_items(place, allow_missing=True)}
    except EdgesegError:
        if source is not None:
            raise
        return {}  # moved or changed since the build, and nobody asked for it by name


def write_montage(
    path: Path, results: Sequence[tuple[Path, MatchResult]], pictures: dict[str, Path]
) -> None:
    """Draw photos, cutouts and matches, one row a photo, into a PNG.

    Args:
        path: the PNG to write.
        results: photos with what they matched.
        pictures: where the items' pictures are; an item that has none is shown as a card.

    Raises:
        EdgesegError: the PNG cannot be written.
    """
    from edgeseg.files import write_atomic
    from edgeseg.imaging import encode_png, read_photo
    from edgeseg.montage import montage

    width = max(len(result.matches) for _, result in results)
    tiles: list[tuple[Photo, str]] = []
    for photo, result in results:
        cut = "matched whole" if result.segmentation is None else "cutout"
        tiles += [(read_photo(photo), photo.name), (result.query, cut)]
        for found in result.matches:
            caption = f"{found.rank}. {found.sku} {found.distance:.3f}"
            picture = _picture(pictures.get(found.sku))
            if picture is None:
                lines = [found.sku, *(f"{name}: {text}" for name, text in found.attributes.items())]
                picture = _card(lines)
            tiles.append((picture, caption))
        tiles += [(_card([]), "")] * (width - len(result.matches))
    write_atomic(path, encode_png(montage(tiles, columns=width + 2, tile_px=_TILE_PX)))
    if not pictures:
        console.print_note("the items' pictures are not at hand: name them with --pictures ITEMS")


def write_group_montage(
    path: Path, groups: Sequence[DuplicateGroup], pictures: dict[str, Path]
) -> None:
    """Draw the pictures of groups side by side, one row a group, into a PNG.

    Args:
        path: the PNG to write.
        groups: at least one.
        pictures: where the items' pictures are.

    Raises:
        EdgesegError: the PNG cannot be written.
    """
    from edgeseg.files import write_atomic
    from edgeseg.imaging import encode_png
    from edgeseg.montage import montage

    columns = min(_GROUP_COLUMNS, max(len(group.skus) for group in groups))
    tiles: list[tuple[Photo, str]] = []
    for number, group in enumerate(groups, start=1):
        left_out = len(group.skus) - columns
        shown = group.skus if left_out <= 0 else group.skus[: columns - 1]
        for sku in shown:
            picture = _picture(pictures.get(sku))
            tiles.append((_card([sku]) if picture is None else picture, f"{number}. {sku}"))
        if left_out > 0:
            tiles.append((_card([f"and {left_out + 1} more"]), ""))
        tiles += [(_card([]), "")] * -left_out
    write_atomic(path, encode_png(montage(tiles, columns=columns, tile_px=_TILE_PX)))


def _picture(path: Path | None) -> Photo | None:
    from edgeseg.imaging import read_photo

    if path is None:
        return None
    try:
        return read_photo(path)
    except EdgesegError:
        return None  # the item is still shown, as a card


def _card(lines: Sequence[str]) -> Photo:
    """A white tile with a few lines of text, `(192, 192, 3)` uint8 RGB."""
    import numpy as np

    from edgeseg.imaging import draw_text

    card = np.full((_TILE_PX, _TILE_PX, 3), 255, dtype=np.uint8)
    for number, line in enumerate(lines[: _TILE_PX // _CARD_LINE_PX - 1]):
        draw_text(card, line[:_CARD_LINE_CHARS], 4, (number + 1) * _CARD_LINE_PX)
    return card
