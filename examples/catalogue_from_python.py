"""Build a catalogue: ``python -m examples.catalogue_from_python ITEMS OUT.catalogue``.

ITEMS is a CSV with the columns ``sku`` and ``image``, or a folder of pictures named by their SKUs.
"""

from __future__ import annotations

import sys
from pathlib import Path


def build(items: Path, out: Path) -> int:
    """Writes the catalogue and returns how many items it holds.

    Raises:
        DatasetError: if the items cannot be used.
    """
    from edgeseg import Embedder, Segmenter
    from edgeseg.indexing import build_catalogue
    from edgeseg.items import read_items

    catalogue, unreadable = build_catalogue(read_items(items), Embedder(), Segmenter())
    for sku, reason in unreadable:
        print(f"{sku} is left out: {reason}", file=sys.stderr)
    catalogue.save(out)
    return len(catalogue)


if __name__ == "__main__":
    print(f"{build(Path(sys.argv[1]), Path(sys.argv[2]))} items")
