"""Match a photo in five lines: ``python -m examples.match_in_five_lines PHOTO CATALOGUE [BUNDLE]``.

``edgeseg index build ITEMS.csv -o CATALOGUE`` makes the catalogue; without a bundle, the one that
edgeseg carries is used.
"""

from __future__ import annotations

import sys


def nearest(photo: str, catalogue: str, bundle: str | None = None) -> list[tuple[str, float]]:
    """SKU and cosine distance of the five items that look most like the photo's garment."""
    from edgeseg import Catalogue, Matcher

    matcher = Matcher(Catalogue.open(catalogue), bundle)
    result = matcher.match(photo, k=5)
    return [(match.sku, match.distance) for match in result.matches]


if __name__ == "__main__":
    for sku, distance in nearest(*sys.argv[1:4]):
        print(f"{sku}\t{distance:.4f}")
