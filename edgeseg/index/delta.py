"""Deltas: what changed from one generation of a catalogue to the next, made and applied.

Who makes a delta applies it too, exactly as every scanner will: what a scanner comes to is known
before it is published. FORMAT.md ("Delta") has the rules.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import DeltaError
from edgeseg.formats.catalogue_file import CatalogueData, content_digest
from edgeseg.formats.codes import Codes
from edgeseg.formats.delta_file import Delta
from edgeseg.formats.golden import Golden
from edgeseg.formats.graph import Graph
from edgeseg.formats.text_table import TextTable
from edgeseg.index import golden, hnsw
from edgeseg.index.nearest import NearestVectors

_SKU_COLUMN = 0


@dataclass(frozen=True)
class Changes:
    """Rows of items that differ between two generations, each list in the order of the SKUs.

    Attributes:
        added, updated, relabelled: rows of the later one.
        removed: rows of the earlier one.
    """

    added: list[int]
    updated: list[int]
    relabelled: list[int]
    removed: list[int]

    def __bool__(self) -> bool:
        return bool(self.added or self.updated or self.relabelled or self.removed)


def apply_delta(base: CatalogueData, delta: Delta) -> CatalogueData:
    """The later generation, in memory; the base is left as it is.

    Args:
        base: what the delta starts from.
        delta: decoded.

    Raises:
        DeltaError: the delta starts from another catalogue, or what comes out is not what it says.
        EdgesegError: there is no room for the graph's temporary file.
    """
    check_base(base, delta)
    result = _applied(base, delta)
    if content_digest(result) != delta.result:
        raise DeltaError("the delta gives another catalogue than it says")
    return result


def check_base(base: CatalogueData, delta: Delta) -> None:
    """Refuse a delta that starts from another catalogue; nothing is changed.

    Raises:
        DeltaError: it does.
    """
    if delta.base_generation != base.generation:
        raise DeltaError(
            f"the delta starts from generation {delta.base_generation}, and this is "
            f"{base.generation}"
        )
    if _kind(base) != _kind(delta):
        raise DeltaError("the delta is of a catalogue of another embedder or other attributes")
    if delta.base != content_digest(base):
        raise DeltaError(
            f"the delta starts from another catalogue of generation {base.generation} than this"
        )
    asked = 0 if base.golden is None else len(base.golden.queries)
    if asked != (0 if delta.answers is None else len(delta.answers)):
        raise DeltaError("the delta answers other golden queries than the catalogue has")


def same_items(base: CatalogueData, wanted: CatalogueData) -> bool:
    """Whether two catalogues have the same items of the same kind, whatever else they are like."""
    return _kind(base) == _kind(wanted) and not changes_between(base, wanted)


def changes_between(base: CatalogueData, wanted: CatalogueData) -> Changes:
    """What has to change in ``base`` for its items to be those of ``wanted``.

    Both have the same embedder, attributes and precision.
    """
    before, after = _rows_by_sku(base), _rows_by_sku(wanted)
    changes = Changes([], [], [], [])
    changes.added.extend(after[sku] for sku in sorted(after.keys() - before.keys()))
    changes.removed.extend(before[sku] for sku in sorted(before.keys() - after.keys()))
    kept = sorted(after.keys() & before.keys())
    kept_before, kept_after = [before[sku] for sku in kept], [after[sku] for sku in kept]
    olds, news = np.array(kept_before, np.int64), np.array(kept_after, np.int64)
    earlier, later = base.codes.taken(olds), wanted.codes.taken(news)
    moved = (earlier.stored != later.stored).any(axis=1)
    moved |= (earlier.shifts != later.shifts).any(axis=1)
    moved |= (earlier.fine != later.fine).any(axis=1)
    changes.updated.extend(news[moved].tolist())
    columns = range(1, wanted.table.columns)
    texts = [(base.table.cells(column), wanted.table.cells(column)) for column in columns]
    changes.relabelled.extend(
        new
        for old, new in zip(olds[~moved].tolist(), news[~moved].tolist(), strict=True)
        if any(one[old] != other[new] for one, other in texts)
    )
    return changes


def make_delta(
    base: CatalogueData, wanted: CatalogueData, generation: int
) -> tuple[Delta, CatalogueData]:
    """A delta to the items of another catalogue, and what it gives.

    Args:
        base: the generation that scanners have.
        wanted: the items that they are to have.
        generation: its number, above the base's.

    Returns:
        The delta, and the base after it, as a scanner will have it.

    Raises:
        DeltaError: no delta can lead there (another embedder, other attributes, another precision,
            a graph where there was none), or nothing changed.
    """
    if _kind(base) != _kind(wanted):
        raise DeltaError("the catalogues have another embedder, other attributes or precision")
    if (base.graph is None) != (wanted.graph is None):
        raise DeltaError("one of the catalogues has a graph, and the other none")
    changes = changes_between(base, wanted)
    if not changes:
        raise DeltaError("the catalogues have the same items")
    later = [*changes.added, *changes.updated, *changes.relabelled]
    columns = [wanted.table.cells(column) for column in range(wanted.table.columns)]
    gone = base.table.cells(_SKU_COLUMN)
    table = TextTable.of_cells(
        [
            [column[row] for row in later]
            + [gone[row] if number == _SKU_COLUMN else b"" for row in changes.removed]
            for number, column in enumerate(columns)
        ]
    )
    embedded = np.array([*changes.added, *changes.updated], np.int64)
    unanswered = Delta(
        base_generation=base.generation,
        base=content_digest(base),
        generation=generation,
        result="",
        embedder_digest=base.embedder_digest,
        attribute_names=base.attribute_names,
        added=len(changes.added),
        updated=len(changes.updated),
        relabelled=len(changes.relabelled),
        removed=len(changes.removed),
        table=table,
        codes=wanted.codes.taken(embedded),
        answers=None,
    )
    result = _applied(replace(base, golden=None), unanswered)
    answers = None
    if base.golden is not None:
        nearest = NearestVectors(result.codes, result.graph, result.removed)
        result = replace(
            result,
            golden=golden.answered(
                base.golden.queries, result.items, nearest, base.golden.recall_floor
            ),
        )
        assert result.golden is not None
        answers = result.golden.answers
    return replace(unanswered, result=content_digest(result), answers=answers), result


def _applied(base: CatalogueData, delta: Delta) -> CatalogueData:
    rows = _rows_by_sku(base)
    skus = delta.table.cells(_SKU_COLUMN)
    first_updated = delta.added
    first_relabelled = first_updated + delta.updated
    first_removed = first_relabelled + delta.relabelled
    if any(sku in rows for sku in skus[:first_updated]):
        raise DeltaError("the delta adds an item that is there")
    if any(sku not in rows for sku in skus[first_updated:]):
        raise DeltaError("the delta changes an item that is not there")
    places = [rows[sku] for sku in skus[first_updated:]]
    relabelled = dict(
        zip(
            places[delta.updated : delta.updated + delta.relabelled],
            range(first_relabelled, first_removed),
            strict=True,
        )
    )
    gone = np.sort(np.array(places[: delta.updated] + places[len(places) - delta.removed :], int))
    if base.graph is None:
        kept = np.setdiff1d(np.arange(len(base.codes)), gone)
        codes, removed, graph = base.codes.taken(kept), None, None
    else:
        kept = np.arange(len(base.codes))
        codes, removed, graph = base.codes, *_extended(base, base.graph, gone, delta.codes)
    emptied = set(gone.tolist())
    columns = []
    for column in range(base.table.columns):
        before, after = base.table.cells(column), delta.table.cells(column)
        cells = [
            b"" if row in emptied else after[relabelled[row]] if row in relabelled else before[row]
            for row in kept.tolist()
        ]
        columns.append(cells + after[:first_relabelled])
    queries = base.golden
    return replace(
        base,
        codes=codes.joined(delta.codes),
        table=TextTable.of_cells(columns),
        graph=graph,
        generation=delta.generation,
        removed=removed,
        golden=None
        if queries is None or delta.answers is None
        else Golden(queries.queries, delta.answers, queries.recall_floor),
        digest="",
    )


def _kind(of: CatalogueData | Delta) -> tuple[str, tuple[str, ...], str, int]:
    """What a delta leaves as it is."""
    return of.embedder_digest, of.attribute_names, of.codes.precision, of.codes.dim


def _rows_by_sku(data: CatalogueData) -> dict[bytes, int]:
    """A removed row has no SKU."""
    return {sku: row for row, sku in enumerate(data.table.cells(_SKU_COLUMN)) if sku}


def _extended(
    base: CatalogueData, graph: Graph, gone: NDArray[np.int64], added: Codes
) -> tuple[NDArray[np.bool_] | None, Graph]:
    """The tombstones and the graph afterwards."""
    before = np.zeros(len(base.codes), np.bool_) if base.removed is None else base.removed
    extended = hnsw.extended_graph(graph, base.codes, before, gone, added)
    removed = np.concatenate([before, np.zeros(len(added), np.bool_)])
    removed[gone] = True
    return (removed if removed.any() else None), extended
