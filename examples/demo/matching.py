"""Matches every snapshot twice, with its background and without, and keeps what the page shows."""

from __future__ import annotations

import csv
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import Catalogue, Matcher
from edgeseg.errors import NoGarmentError
from edgeseg.imaging import read_photo
from edgeseg.matcher import STAGES

FRAMEWORKS = ("tensorflow", "keras", "tf_keras", "torch", "jax")
_TOP = 10
Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Matched:
    """One snapshot and what it matched.

    Attributes:
        sku: the right item.
        photo: ``(H, W, 3)`` uint8 RGB.
        query: the cutout that was matched, ``(h, w, 3)`` uint8 RGB; the photo if no garment was
            found in it.
        without: SKUs matched without the background, nearest first.
        whole: SKUs matched by the whole photo.
    """

    sku: str
    photo: Picture
    query: Picture
    without: list[str]
    whole: list[str]

    def rank(self, cut_out: bool) -> int | None:
        """Rank of the right item, from 1, or None if it is not among the first ten."""
        skus = self.without if cut_out else self.whole
        return skus.index(self.sku) + 1 if self.sku in skus else None


def loaded_frameworks() -> list[str]:
    """Machine-learning frameworks that this process has imported."""
    return [name for name in FRAMEWORKS if name in sys.modules]


def match_all(
    queries_csv: Path, catalogue: Path, bundle: Path
) -> tuple[list[Matched], dict[str, float]]:
    """Matches each query of the table.

    Returns:
        What matched, and the median time of each stage in milliseconds.

    Raises:
        RuntimeError: if a machine-learning framework got into this process.
        EdgesegError: if a file cannot be used.
    """
    matcher = Matcher(Catalogue.open(catalogue), bundle)
    matched: list[Matched] = []
    times: dict[str, list[float]] = {stage: [] for stage in STAGES}
    with queries_csv.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        path = queries_csv.parent / row["image"]
        whole = matcher.match(path, k=_TOP, segment=False)
        try:
            result = matcher.match(path, k=_TOP)
        except NoGarmentError:
            result = whole
        else:
            for stage in STAGES:
                times[stage].append(result.timings_ms[stage])
        matched.append(
            Matched(
                row["sku"],
                read_photo(path),
                result.query,
                [match.sku for match in result.matches],
                [match.sku for match in whole.matches],
            )
        )
    if loaded_frameworks():
        raise RuntimeError(f"the matching process has loaded {', '.join(loaded_frameworks())}")
    return matched, {stage: statistics.median(t) for stage, t in times.items() if t}
