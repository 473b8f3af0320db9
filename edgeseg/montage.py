"""Contact sheets: pictures with captions side by side in one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeseg import imaging
from edgeseg.imaging import Photo

_CAPTION_PX = 18


def montage(tiles: Sequence[tuple[Photo, str]], columns: int, tile_px: int = 192) -> Photo:
    """Lay pictures out row by row on white, each fitted into a square with a caption below.

    Args:
        tiles: Pictures `(H, W, 3)` uint8 RGB with their captions.
        columns: Tiles in a row.
        tile_px: Side of each square in pixels.

    Returns:
        `(rows * (tile_px + 18), columns * tile_px, 3)` uint8 RGB.

    Raises:
        ValueError: If there is nothing to lay out.
    """
    if not tiles or columns < 1 or tile_px < 1:
        raise ValueError("a montage needs a tile, a column and a tile size")
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    cell_px = tile_px + _CAPTION_PX
    sheet = np.full((rows * cell_px, columns * tile_px, 3), 255, dtype=np.uint8)
    for index, (picture, caption) in enumerate(tiles):
        imaging.require_rgb(picture)
        row, column = divmod(index, columns)
        height, width = picture.shape[:2]
        # Two pixels on each side keep neighbours apart.
        room = max(1, tile_px - 4)
        factor = room / max(height, width)
        new_width, new_height = max(1, round(width * factor)), max(1, round(height * factor))
        left = column * tile_px + (tile_px - new_width) // 2
        top = row * cell_px + (tile_px - new_height) // 2
        sheet[top : top + new_height, left : left + new_width] = imaging.resize(
            picture, new_width, new_height
        )
        if caption:
            cell = sheet[row * cell_px + tile_px :][:_CAPTION_PX, column * tile_px :][:, :tile_px]
            imaging.draw_text(cell, caption, left=3, baseline=_CAPTION_PX - 6)
    return sheet
