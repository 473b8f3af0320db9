"""edgeseg: cut a garment out of a photo and find it in a catalogue, offline, on a small device.

Five lines from photo to matches::

    from edgeseg import Catalogue, Matcher

    matcher = Matcher(Catalogue.open("shop.catalogue"))
    for match in matcher.match("photo.jpg", k=5).matches:
        print(match.rank, match.sku, match.distance)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeseg.catalogue import Catalogue
    from edgeseg.categories import CategorySegmenter
    from edgeseg.embedder import Embedder
    from edgeseg.errors import EdgesegError
    from edgeseg.matcher import Matcher
    from edgeseg.segmenter import Segmenter

__version__ = "0.1.0"

__all__ = [
    "Catalogue",
    "CategorySegmenter",
    "EdgesegError",
    "Embedder",
    "Matcher",
    "Segmenter",
    "__version__",
]

# Names are imported on first use: `edgeseg --help` must not load OpenCV.
_HOMES = {
    "Catalogue": "edgeseg.catalogue",
    "CategorySegmenter": "edgeseg.categories",
    "EdgesegError": "edgeseg.errors",
    "Embedder": "edgeseg.embedder",
    "Matcher": "edgeseg.matcher",
    "Segmenter": "edgeseg.segmenter",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'edgeseg' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
