"""Small pictures of items, where their pictures are at hand."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from edgeseg import imaging, limits
from edgeseg.errors import EdgesegError
from edgeseg.imaging import Photo

_SIDE_PX = 240
_QUALITY = 82


class Thumbnails:
    """Makes thumbnails and keeps the latest. Safe between threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Path, int], bytes] = OrderedDict()
        self._keeping = threading.Lock()

    def of(self, picture: Path) -> bytes | None:
        """A JPEG of at most 240 px a side; None where the picture is gone or cannot be read."""
        try:
            key = (picture, picture.stat().st_mtime_ns)
        except OSError:
            return None
        with self._keeping:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        try:
            read = imaging.read_photo(picture, enough_px=_SIDE_PX)
        except EdgesegError:
            return None
        made = imaging.encode_jpeg(_shrunk(read), _QUALITY)
        with self._keeping:
            self._kept[key] = made
            while len(self._kept) > limits.MAX_KEPT_THUMBNAILS:
                self._kept.popitem(last=False)
        return made


def _shrunk(picture: Photo) -> Photo:
    height, width = picture.shape[:2]
    scale = min(1.0, _SIDE_PX / max(height, width))
    made: Photo = imaging.resize(
        picture, max(1, round(width * scale)), max(1, round(height * scale))
    )
    return made
