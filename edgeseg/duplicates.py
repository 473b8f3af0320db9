"""Items of a catalogue that show one and the same picture: what was uploaded under two SKUs.

Which pairs to look at, the embeddings say: each item with its nearest ones, found through the
catalogue's own search. Whether the two are one picture, only the pictures say
(:mod:`edgeseg.likeness`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import likeness
from edgeseg.catalogue import Catalogue
from edgeseg.errors import PhotoError
from edgeseg.imaging import Photo, read_photo

# Told (done, all); and what gives one, for the length of a `with`, for a stage by its name.
Report = Callable[[int, int], None]
Progress = Callable[[str], AbstractContextManager[Report]]

# Both generous. By an embedder that did not describe colours apart, the farthest of 2,475 copies
# lay 0.117 from its original, and of no such pair did both have more than 6 of 1,600 other items
# nearer than each other.
DEFAULT_K = 10
MAX_DISTANCE = 0.2
# Without its pictures, a catalogue has ten times as many pairs as items, and none tells anything.
MAX_UNCHECKED = 1000
_BATCH_PAIRS = 256
# Of 48 KiB each.
_CACHED_PICTURES = 1000


@dataclass(frozen=True)
class Pair:
    """Two items of which one is among the nearest of the other.

    Attributes:
        sku: the one that comes first in the catalogue.
        other: the second.
        distance: cosine distance of their embeddings, in [0, 2].
    """

    sku: str
    other: str
    distance: float


@dataclass(frozen=True)
class Copy:
    """A pair that shows one picture.

    Attributes:
        pair: the two items.
        difference: of their pictures: 0 for equal ones, at most 1.
        mirrored: one picture is the other's mirror image.
    """

    pair: Pair
    difference: float
    mirrored: bool


@dataclass(frozen=True)
class DuplicateGroup:
    """Items that show one picture, some of them perhaps only by way of others.

    Attributes:
        skus: at least two, those of the likest pair first.
        copies: the likest pairs that hold the group together, one fewer than items, likest first.
    """

    skus: tuple[str, ...]
    copies: tuple[Copy, ...]


@dataclass(frozen=True)
class Duplicates:
    """What a search found.

    Attributes:
        groups: likest first.
        compared_pairs: how many pairs of pictures were compared.
        unreadable: by SKU, why an item's picture could not be read.
        unchecked_pairs: how many pairs were not compared, for a picture of theirs is unreadable.
        unchecked: the nearest of these, nearest first; at most ``MAX_UNCHECKED``.
    """

    groups: list[DuplicateGroup]
    compared_pairs: int
    unreadable: dict[str, str]
    unchecked_pairs: int
    unchecked: list[Pair]


def find_duplicates(
    catalogue: Catalogue,
    pictures: Mapping[str, Path],
    k: int = DEFAULT_K,
    progress: Progress | None = None,
) -> Duplicates:
    """Find the items of a catalogue that show one picture.

    Args:
        catalogue: made with any embedder.
        pictures: where each SKU's picture is. An item that is not in there counts as unreadable.
        k: with how many of its nearest items each is compared, at least 1.
        progress: opened for each stage: "searching", "reading", "comparing".

    Returns:
        The groups, and what could not be compared.

    Raises:
        PhotoError: a picture was readable when it was first read, and is not any more.
        ValueError: ``k`` is below 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}, and must be at least 1")
    stage = progress or (lambda _name: nullcontext(lambda _done, _total: None))
    skus = [item.sku for item in catalogue.items]
    paths = [pictures.get(sku) for sku in skus]
    with stage("searching") as report:
        rows, distances = _near_pairs(catalogue, k, report)
    with stage("reading") as report:
        small, unreadable = _read_small(np.unique(rows), paths, report)
    readable = ~np.isin(rows, list(unreadable)).any(axis=1)
    checked = np.flatnonzero(readable)
    unchecked = np.flatnonzero(~readable)
    nearest = unchecked[np.argsort(distances[unchecked], kind="stable")][:MAX_UNCHECKED]

    def pair(place: int) -> Pair:
        first, second = rows[place].tolist()
        # Rounding can lead a hair's breadth below 0.
        return Pair(skus[first], skus[second], max(float(distances[place]), 0.0))

    with stage("comparing") as report:
        copies = [
            Copy(pair(int(checked[place])), difference, mirrored)
            for place, difference, mirrored in _compare(rows[checked], small, paths, report)
        ]
    return Duplicates(
        groups=_groups(copies),
        compared_pairs=len(checked),
        unreadable={skus[row]: reason for row, reason in unreadable.items()},
        unchecked_pairs=len(unchecked),
        unchecked=[pair(place) for place in nearest.tolist()],
    )


def _near_pairs(
    catalogue: Catalogue, k: int, report: Report
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Each pair once, `(P, 2)` rows of the catalogue, rising; and their distances, `(P,)`."""
    found = [(np.empty((0, 2), np.int64), np.empty(0, np.float32))]
    for row, (near, distances) in enumerate(catalogue.neighbours(k)):
        within = distances <= MAX_DISTANCE
        pairs = np.column_stack([np.full_like(near, row), near])
        found.append((pairs[within], distances[within]))
        report(row + 1, len(catalogue))
    both_ways = np.sort(np.concatenate([rows for rows, _ in found]), axis=1)
    rows, first = np.unique(both_ways, axis=0, return_index=True)
    return rows, np.concatenate([distances for _, distances in found])[first]


def _read_small(
    wanted: NDArray[np.int64], paths: Sequence[Path | None], report: Report
) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """Each wanted item's picture, small, by its row; and by row why some cannot be read."""
    small = np.zeros((len(paths), likeness.SMALL_PX, likeness.SMALL_PX), np.uint8)
    unreadable: dict[int, str] = {}
    for done, row in enumerate(wanted.tolist(), start=1):
        path = paths[row]
        if path is None:
            unreadable[row] = "it is not on the list of pictures"
        else:
            try:
                small[row] = likeness.small_grey(likeness.framed(read_photo(path)))
            except PhotoError as error:
                unreadable[row] = str(error)
        report(done, len(wanted))
    return small, unreadable


def _compare(
    rows: NDArray[np.int64],
    small: NDArray[np.uint8],
    paths: Sequence[Path | None],
    report: Report,
) -> Iterator[tuple[int, float, bool]]:
    """The places in `rows` of the pairs that are copies, their difference, whether mirrored."""

    # The neighbours of one garment are wanted one after the other.
    @lru_cache(maxsize=_CACHED_PICTURES)
    def picture(row: int) -> Photo:
        path = paths[row]
        assert path is not None, "a pair of readable pictures"
        return likeness.framed(read_photo(path))

    for start in range(0, len(rows), _BATCH_PAIRS):
        batch = rows[start : start + _BATCH_PAIRS]
        placements, mirrored, alike = likeness.small_placements(
            small[batch[:, 0]], small[batch[:, 1]]
        )
        for place in np.flatnonzero(alike >= likeness.MIN_CORRELATION).tolist():
            first, second = (picture(row) for row in batch[place].tolist())
            turned = bool(mirrored[place])
            difference = likeness.difference(first, second, placements[place], turned)
            if difference <= likeness.MAX_DIFFERENCE:
                yield start + place, difference, turned
        report(start + len(batch), len(rows))


def _groups(copies: Sequence[Copy]) -> list[DuplicateGroup]:
    """Join pairs into groups, likest first (Kruskal's algorithm, on a union-find forest)."""
    above: dict[str, str] = {}

    def root(sku: str) -> str:
        while (parent := above.setdefault(sku, sku)) != sku:
            above[sku] = sku = above.setdefault(parent, parent)
        return sku

    joining = []
    for copy in sorted(copies, key=lambda copy: (copy.difference, copy.pair.distance)):
        first, second = root(copy.pair.sku), root(copy.pair.other)
        if first != second:
            above[second] = first
            joining.append(copy)
    by_root: dict[str, list[Copy]] = {}
    for copy in joining:
        by_root.setdefault(root(copy.pair.sku), []).append(copy)
    return [
        DuplicateGroup(
            tuple(dict.fromkeys(sku for c in group for sku in (c.pair.sku, c.pair.other))),
            tuple(group),
        )
        for group in by_root.values()
    ]
