"""How often the right catalogue item is found for a photo (match recall at k)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.description import SegmentsPictures
from edgeseg.embedder import studio_crop
from edgeseg.errors import DatasetError
from edgeseg.evaluation.bootstrap import mean_interval
from edgeseg.evaluation.labelled import LabelledPhoto
from edgeseg.evaluation.segmentation import read_pair
from edgeseg.grabcut import grabcut_mask
from edgeseg.matcher import Matcher
from edgeseg.postprocess import Segmentation, bounding_box, cutout_on_white
from edgeseg.table import read_table

Background = Literal["none", "grabcut", "model", "mask"]
BACKGROUNDS: tuple[Background, ...] = get_args(Background)

RECALL_AT = (1, 5, 10)
# A rank beyond this counts as not found in the reciprocal rank, which is off by less than 0.01.
SEARCH_DEPTH = 100


@dataclass(frozen=True)
class Query:
    """A photo whose item is known.

    Attributes:
        image: the photo.
        sku: the item that it shows.
        mask: its true mask, where there is one.
        group: value of the column grouped by, empty without one.
    """

    image: Path
    sku: str
    mask: Path | None = None
    group: str = ""


class HasSegmenter(Protocol):
    """What cuts queries out; :class:`edgeseg.matcher.Matcher` is one."""

    @property
    def segmenter(self) -> SegmentsPictures:
        """The segmenter of its bundle."""

    @property
    def enough_px(self) -> int | None:
        """The shorter side that a photo is read with, see `edgeseg.imaging.read_photo`."""


@dataclass(frozen=True)
class Figures:
    """Figures over some queries, each in [0, 1], with 95% bootstrap intervals by name.

    Attributes:
        queries: how many.
        recall_at_1: share whose item is the first match.
        recall_at_5: share whose item is among the first 5.
        recall_at_10: share whose item is among the first 10.
        mrr: mean of 1 / rank, and of 0 where the item is not among the first ``SEARCH_DEPTH``.
        intervals: name of a figure to its lower and upper end; items are resampled, not queries.
    """

    queries: int
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    mrr: float
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "queries": self.queries,
            "recall_at_1": self.recall_at_1,
            "recall_at_5": self.recall_at_5,
            "recall_at_10": self.recall_at_10,
            "mrr": self.mrr,
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
        }


@dataclass(frozen=True)
class RetrievalScores:
    """What :func:`evaluate_retrieval` found.

    Attributes:
        overall: figures over all queries.
        groups: figures by value of the column grouped by; empty without one.
        ranks: each query's rank from 1, or None beyond ``SEARCH_DEPTH``; in the queries' order.
        no_garment: queries in which no garment was found, so that the whole photo was matched.
        not_in_catalogue: SKUs asked for that the catalogue lacks; their queries count as missed.
    """

    overall: Figures
    groups: dict[str, Figures]
    ranks: tuple[int | None, ...]
    no_garment: int
    not_in_catalogue: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the overall figures at the top, then counts and groups."""
        document = self.overall.to_dict()
        document["no_garment"] = self.no_garment
        document["not_in_catalogue"] = list(self.not_in_catalogue)
        if self.groups:
            document["groups"] = {name: group.to_dict() for name, group in self.groups.items()}
        return document


def read_queries(table: Path, group_by: str | None = None, masks: bool = False) -> list[Query]:
    """Read a CSV with the columns ``image`` and ``sku``, paths relative to it.

    Args:
        table: the CSV; a ``mask`` column is optional.
        group_by: a further column whose values split the report.
        masks: every query must have a mask.

    Raises:
        DatasetError: the CSV is unusable, a column or a file is missing.
    """
    required = ["image", "sku", *(["mask"] if masks else []), *([group_by] if group_by else [])]
    queries = []
    for row in read_table(table, required):
        image = table.parent / row["image"]
        mask = table.parent / row["mask"] if row.get("mask") else None
        for path in (image, mask) if masks else (image,):
            if path is not None and not path.is_file():
                raise DatasetError(f"{table}: {path} is missing")
        # As a catalogue holds it: a line break or a run of blanks in a cell is one blank.
        sku = " ".join(row["sku"].split())
        queries.append(Query(image, sku, mask, row[group_by] if group_by else ""))
    return queries


def evaluate_retrieval(
    queries: Sequence[Query],
    matcher: Matcher,
    background: Background = "model",
    on_progress: Callable[[int, int], None] | None = None,
) -> RetrievalScores:
    """Match every query and see at which rank its item comes.

    Args:
        queries: photos with their items, one at least.
        matcher: the catalogue and the bundle.
        background: what becomes of the background before matching: ``none`` leaves it, ``grabcut``
            and ``model`` cut the garment out by that method, ``mask`` by its true mask. Where
            nothing is found the whole photo is matched, as a user would go on to do.
        on_progress: called with (done, total) after each query.

    Raises:
        DatasetError: no queries, a query without the mask that is asked for, or with one of
            another size.
        PhotoError: a photo cannot be read.
    """
    if not queries:
        raise DatasetError("there are no queries to evaluate")
    ranks: list[int | None] = []
    no_garment = 0
    for done, query in enumerate(queries, start=1):
        picture, found = query_picture(query, matcher, background)
        no_garment += not found
        matches = matcher.catalogue.search(matcher.embedder.embed(picture), SEARCH_DEPTH)
        ranks.append(next((match.rank for match in matches if match.sku == query.sku), None))
        if on_progress is not None:
            on_progress(done, len(queries))
    known = {item.sku for item in matcher.catalogue.items}
    return RetrievalScores(
        overall=figures(ranks, [query.sku for query in queries]),
        groups=figures_by_group(queries, ranks),
        ranks=tuple(ranks),
        no_garment=no_garment,
        not_in_catalogue=tuple(sorted({query.sku for query in queries} - known)),
    )


def query_picture(
    query: Query, matcher: HasSegmenter, background: Background
) -> tuple[NDArray[np.uint8], bool]:
    """The picture that the embedder is given for a query.

    Args:
        query: the photo, and its mask where ``background`` is ``mask``.
        matcher: whose segmenter is used where ``background`` is ``model``.
        background: see :func:`evaluate_retrieval`.

    Returns:
        ``(h, w, 3)`` uint8 RGB, and whether a garment was found (always True for ``none``).

    Raises:
        DatasetError: ``mask`` without a mask, or with one of another size.
        PhotoError: a picture cannot be read.
    """
    if background == "mask":
        if query.mask is None:
            raise DatasetError(f"{query.image} has no mask to cut it out by")
        photo, mask = read_pair(LabelledPhoto(query.image.stem, query.image, query.mask))
        segmentation = _from_mask(mask)
    else:
        photo = imaging.read_photo(query.image, enough_px=matcher.enough_px)
        if background == "none":
            return studio_crop(photo), True
        if background == "model":
            segmentation = matcher.segmenter.segment(photo)
        else:
            segmentation = _from_mask(grabcut_mask(photo))
    if not segmentation.found:
        return studio_crop(photo), False
    return cutout_on_white(photo, segmentation), True


def figures(ranks: Sequence[int | None], items: Sequence[str]) -> Figures:
    """Figures with intervals over ranks.

    Args:
        ranks: rank of each query's item from 1, or None where it was not found; not empty.
        items: each query's SKU: the cluster that is resampled.
    """
    rank = np.array([np.inf if value is None else value for value in ranks], np.float64)
    values = {f"recall_at_{k}": (rank <= k).astype(np.float64) for k in RECALL_AT}
    values["mrr"] = 1.0 / rank
    return Figures(
        queries=len(ranks),
        recall_at_1=float(values["recall_at_1"].mean()),
        recall_at_5=float(values["recall_at_5"].mean()),
        recall_at_10=float(values["recall_at_10"].mean()),
        mrr=float(values["mrr"].mean()),
        intervals={name: mean_interval(value, items) for name, value in values.items()},
    )


def figures_by_group(queries: Sequence[Query], ranks: Sequence[int | None]) -> dict[str, Figures]:
    """Figures of the queries of each group, by its name; none for queries without a group."""
    groups = {}
    for name in sorted({query.group for query in queries} - {""}):
        chosen = [index for index, query in enumerate(queries) if query.group == name]
        groups[name] = figures([ranks[i] for i in chosen], [queries[i].sku for i in chosen])
    return groups


def _from_mask(mask: NDArray[np.bool_]) -> Segmentation:
    """A segmentation that is as sure as ``mask`` is."""
    return Segmentation(mask.astype(np.float32), mask.astype(np.uint8), bounding_box(mask))
