"""Retrieval compared: embedders, backgrounds, ways to describe a gallery, gallery sizes.

Every embedder is given the same pictures. A query is cut out once for each background (and, where
a model removes it, once for each segmenter), and what comes out is embedded by each embedder in
turn, timed. So the differences between two rows are the embedders' own, and latencies stand beside
each other under the same load of the machine.

Search compares every item, by Euclidean distance: among vectors of length 1 that is the order of
the cosine distance, and vectors that are not of length 1 are compared as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeseg.errors import DatasetError
from edgeseg.evaluation.bootstrap import mean_interval
from edgeseg.evaluation.entrants import (
    Entrant,
    GalleryViews,
    OnProgress,
    Variant,
    Vectors,
    embed_all,
    variants_of,
)
from edgeseg.evaluation.gallery_sweep import Sweep, closeness, sweep_gallery
from edgeseg.evaluation.retrieval import (
    RECALL_AT,
    SEARCH_DEPTH,
    Background,
    Figures,
    Query,
    figures,
    figures_by_group,
)
from edgeseg.items import Item

FOUND = 5
Ranks = tuple[int | None, ...]


@dataclass(frozen=True)
class Method:
    """An embedder, or what PCA makes of its embeddings.

    Attributes:
        name: what tables call it.
        digest: names the embedder.
        dim: length of what is searched.
        embed_p50_ms: median milliseconds from a query's picture to what is searched.
        relative: the same as a multiple of the first method's.
    """

    name: str
    digest: str
    dim: int
    embed_p50_ms: float
    relative: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class Result:
    """One method under one set of conditions.

    Attributes:
        method: its name.
        gallery_views: how the gallery's items are described.
        background: what became of the queries' backgrounds.
        overall: figures over all queries.
        groups: figures by value of the column grouped by; empty without one.
        against_first: for each recall its difference from the first method's under the same
            conditions, with the 95% interval of that: (difference, lower, upper).
        ranks: each query's rank from 1, however deep; None where the gallery lacks its item.
        found: places in the gallery of the nearest five to each query.
        no_garment: queries in which no garment was found, so that the whole photo was searched for.
        sweep: recall over gallery sizes, where that was asked for.
    """

    method: str
    gallery_views: GalleryViews
    background: Background
    overall: Figures
    groups: dict[str, Figures]
    against_first: dict[str, tuple[float, float, float]]
    ranks: Ranks
    found: tuple[tuple[int, ...], ...]
    no_garment: int
    sweep: Sweep | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without what was found for each query."""
        return {
            "method": self.method,
            "gallery_views": self.gallery_views,
            "background": self.background,
            **self.overall.to_dict(),
            "against_first": {name: list(ends) for name, ends in self.against_first.items()},
            "no_garment": self.no_garment,
            "groups": {name: group.to_dict() for name, group in self.groups.items()},
            "sweep": None if self.sweep is None else self.sweep.to_dict(),
        }


@dataclass(frozen=True)
class Study:
    """What :func:`run_study` found.

    Attributes:
        items: the gallery, with each item's picture.
        queries: what was searched for.
        backgrounds: in the order asked for.
        methods: what was compared; the first is what the others are set beside.
        results: every method under every set of conditions.
        not_in_gallery: SKUs asked for that the gallery lacks; their queries count as missed.
    """

    items: tuple[tuple[Item, Path], ...]
    queries: tuple[Query, ...]
    backgrounds: tuple[Background, ...]
    methods: tuple[Method, ...]
    results: tuple[Result, ...]
    not_in_gallery: tuple[str, ...]

    @property
    def product(self) -> Result:
        """The first method as it is used: two views, the background of `main_background`."""
        wanted = (self.methods[0].name, "two_views", main_background(self.backgrounds))
        return next(
            each
            for each in self.results
            if (each.method, each.gallery_views, each.background) == wanted
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "items": len(self.items),
            "queries": len(self.queries),
            "not_in_gallery": list(self.not_in_gallery),
            "methods": [method.to_dict() for method in self.methods],
            "results": [result.to_dict() for result in self.results],
        }


def main_background(backgrounds: Sequence[Background]) -> Background:
    """The background that is looked at closer: removed by the model, or else the first."""
    return "model" if "model" in backgrounds else backgrounds[0]


def run_study(
    items: Sequence[tuple[Item, Path]],
    queries: Sequence[Query],
    entrants: Sequence[Entrant],
    backgrounds: Sequence[Background],
    *,
    sizes: Sequence[int] = (),
    on_progress: OnProgress = lambda _stage, _done, _total: None,
) -> Study:
    """Compare entrants over backgrounds and over both ways to describe a gallery.

    With ``pca_dim`` an entrant is compared as it is, with its embeddings brought to that length by
    PCA and to length 1 again, and by Euclidean distance right after PCA. That last one with the
    pictures as they are and the backgrounds left in is the plain recipe for image search: features
    of a network, PCA, Euclidean distance. PCA is fitted to the gallery's embeddings alone.

    Args:
        items: the gallery, of :func:`edgeseg.items.read_items`.
        queries: photos with their items, of :func:`edgeseg.evaluation.retrieval.read_queries`.
        entrants: one at least, with distinct names; the first is what the others are set beside.
        backgrounds: one at least.
        sizes: galleries to sweep, see :func:`edgeseg.evaluation.gallery_sweep.sweep_gallery`, with
            the background of :func:`main_background`; none sweeps nothing.
        on_progress: told (what, done, total).

    Raises:
        DatasetError: no queries, fewer than two items, a query without the mask that is asked for,
            or with one of another size.
        PhotoError: a picture cannot be read.
        ModelContractError: an embedder gives another shape than it says, or no usable vector.
        ValueError: no entrant or background, or two entrants of one name.
    """
    names = {entrant.name for entrant in entrants}
    if not entrants or not backgrounds or len(names) < len(entrants):
        raise ValueError("a study needs entrants of distinct names, and a background")
    if not queries:
        raise DatasetError("there are no queries to evaluate")
    if len(items) < 2:
        raise DatasetError("a gallery of one item finds it every time: two are the fewest")
    rows = {item.sku: row for row, (item, _) in enumerate(items)}
    own = [rows.get(query.sku) for query in queries]
    clusters = [query.sku for query in queries]
    closer = main_background(backgrounds)
    variants = [
        variant
        for entrant, embedded in zip(
            entrants, embed_all(entrants, items, queries, backgrounds, on_progress), strict=True
        )
        for variant in variants_of(entrant, embedded)
    ]
    results: list[Result] = []
    first: dict[tuple[GalleryViews, Background], Ranks] = {}
    for done, variant in enumerate(variants, start=1):
        for background, asked in variant.queries.items():
            ranks, found = _search(variant.gallery, asked, own)
            reference = first.setdefault((variant.gallery_views, background), ranks)
            capped = [None if rank is None or rank > SEARCH_DEPTH else rank for rank in ranks]
            results.append(
                Result(
                    method=variant.name,
                    gallery_views=variant.gallery_views,
                    background=background,
                    overall=figures(capped, clusters),
                    groups=figures_by_group(queries, capped),
                    against_first=_differences(ranks, reference, clusters),
                    ranks=ranks,
                    found=found,
                    no_garment=variant.no_garment[background],
                    sweep=sweep_gallery(variant.gallery, asked, own, clusters, sizes)
                    if sizes and background == closer
                    else None,
                )
            )
        on_progress("searching", done, len(variants))
    return Study(
        items=tuple(items),
        queries=tuple(queries),
        backgrounds=tuple(backgrounds),
        methods=_methods(variants),
        results=tuple(results),
        not_in_gallery=tuple(sorted(set(clusters) - rows.keys())),
    )


def _methods(variants: Sequence[Variant]) -> tuple[Method, ...]:
    """Each method once, in order; both descriptions of the gallery have one and the same."""
    by_name: dict[str, Method] = {}
    for variant in variants:
        ms = variant.embed_p50_ms
        by_name.setdefault(
            variant.name,
            Method(
                name=variant.name,
                digest=variant.digest,
                dim=variant.gallery.shape[1],
                embed_p50_ms=ms,
                relative=ms / variants[0].embed_p50_ms,
            ),
        )
    return tuple(by_name.values())


def _search(
    gallery: Vectors, queries: Vectors, own: Sequence[int | None]
) -> tuple[Ranks, tuple[tuple[int, ...], ...]]:
    """Each query's rank and the places of its nearest; equal distances rank by place."""
    ranks: list[int | None] = []
    found = []
    for scores, row in zip(closeness(queries, gallery), own, strict=True):
        nearest = np.argsort(-scores, kind="stable")[:FOUND]
        found.append(tuple(int(place) for place in nearest))
        if row is None:
            ranks.append(None)
            continue
        before = np.count_nonzero(scores > scores[row])
        ranks.append(1 + int(before + np.count_nonzero(scores[:row] == scores[row])))
    return tuple(ranks), tuple(found)


def _differences(
    ranks: Ranks, reference: Ranks, clusters: Sequence[str]
) -> dict[str, tuple[float, float, float]]:
    """Each recall's difference, query by query, so that what is hard for both cancels out."""
    mine, theirs = (
        np.array([np.inf if rank is None else rank for rank in each], np.float64)
        for each in (ranks, reference)
    )
    differences = {}
    for k in RECALL_AT:
        change = (mine <= k).astype(np.float64) - (theirs <= k).astype(np.float64)
        low, high = mean_interval(change, clusters)
        differences[f"recall_at_{k}"] = (float(change.mean()), low, high)
    return differences
