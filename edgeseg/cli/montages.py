"""The picture of a match: query, cutout and the items found, one row a photo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgeseg.errors import EdgesegError

if TYPE_CHECKING:
    from edgeseg.catalogue import Catalogue
    from edgeseg.imaging import Photo
    from edgeseg.matcher import MatchResult

_TILE_PX = 192
_CARD_LINE_PX = 18
_CARD_LINE_CHARS = 24


def write_montage(
    path: Path, results: Sequence[tuple[Path, MatchResult]], catalogue: Catalogue
) -> None:
    """Draw photos, cutouts and matches, one row a photo, into a PNG.

    A catalogue remembers where its pictures were; an item whose picture is not at hand, as on a
    handheld, is shown as a card with its SKU and attributes.

    Args:
        path: the PNG to write.
        results: photos with what they matched.
        catalogue: the one they were matched against.

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
            picture = _picture(catalogue.picture(found.sku))
            if picture is None:
                lines = [found.sku, *(f"{name}: {text}" for name, text in found.attributes.items())]
                picture = _card(lines)
            tiles.append((picture, f"{found.rank}. {found.distance:.3f} {found.sku}"))
        tiles += [(_card([]), "")] * (width - len(result.matches))
    write_atomic(path, encode_png(montage(tiles, columns=width + 2, tile_px=_TILE_PX)))


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
