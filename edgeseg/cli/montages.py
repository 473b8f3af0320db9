"""What is drawn with the items' pictures: a match, a group of duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgeseg.cli import console
from edgeseg.errors import EdgesegError

if TYPE_CHECKING:
    from edgeseg.duplicates import DuplicateGroup
    from edgeseg.imaging import Photo
    from edgeseg.matcher import MatchResult

_TILE_PX = 192
_CARD_LINE_PX = 18
_CARD_LINE_CHARS = 24
# Pictures of a group in one row; of a larger group, the last place says how many more there are.
_GROUP_COLUMNS = 8


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
