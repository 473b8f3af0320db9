"""The embedders that a study compares, given the same pictures one after the other, and timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.colour_descriptor import normalized
from edgeseg.description import EmbedsPictures, SegmentsPictures, catalogue_views
from edgeseg.errors import ModelContractError
from edgeseg.evaluation.peers import PrincipalComponents
from edgeseg.evaluation.retrieval import Background, Query, query_picture
from edgeseg.imaging import Photo
from edgeseg.items import Item

Vectors = NDArray[np.float32]
# Told what is done, how much of it, and of how much.
OnProgress = Callable[[str, int, int], None]

# How a catalogue picture describes its item: framed as it is, or by the mean with the garment cut
# out of it, as `index build` does.
GalleryViews = Literal["picture", "two_views"]
GALLERY_VIEWS: tuple[GalleryViews, ...] = get_args(GalleryViews)

_TIMED_PROJECTIONS = 200


@dataclass(frozen=True)
class Entrant:
    """An embedder to compare.

    Attributes:
        name: what tables call it.
        embedder: describes pictures.
        segmenter: cuts queries and catalogue pictures out for it. Entrants with the same object
            and the same `enough_px` are given the same cutouts.
        pca_dim: also compare its embeddings brought to this length; None does not.
        enough_px: the shorter side that queries are read with, see `edgeseg.imaging.read_photo`;
            None reads them whole, as an embedder with a large input needs them.
    """

    name: str
    embedder: EmbedsPictures
    segmenter: SegmentsPictures
    pca_dim: int | None = None
    enough_px: int | None = None


@dataclass(frozen=True, eq=False)
class Embedded:
    """What one entrant made of all pictures.

    Attributes:
        gallery: ``(N, D)`` by how the items are described.
        queries: ``(Q, D)`` by background.
        no_garment: queries in which no garment was found, so that the whole photo was embedded, by
            background.
        embed_ms: how long each query's picture took.
    """

    gallery: dict[GalleryViews, Vectors]
    queries: dict[Background, Vectors]
    no_garment: dict[Background, int]
    embed_ms: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Variant:
    """What is searched: an entrant's embeddings of one description of the gallery, or their PCA.

    Attributes:
        name: the entrant's, and what became of its embeddings.
        digest: names the embedder.
        gallery_views: how the gallery's items are described.
        gallery: ``(N, D)``.
        queries: ``(Q, D)`` by background.
        no_garment: as in :class:`Embedded`.
        embed_p50_ms: median time from a query's picture to what is searched.
    """

    name: str
    digest: str
    gallery_views: GalleryViews
    gallery: Vectors
    queries: dict[Background, Vectors]
    no_garment: dict[Background, int]
    embed_p50_ms: float


def embed_all(
    entrants: Sequence[Entrant],
    items: Sequence[tuple[Item, Path]],
    queries: Sequence[Query],
    backgrounds: Sequence[Background],
    on_progress: OnProgress,
) -> list[Embedded]:
    """Embed the gallery and the queries with each entrant; no more than one photo is held.

    Raises:
        DatasetError: a query without the mask that is asked for, or with one of another size.
        PhotoError: a picture cannot be read.
        ModelContractError: an embedder gives another shape than it says, or no usable vector.
    """
    gallery = _embed_gallery(entrants, items, on_progress)
    vectors: list[dict[Background, Vectors]] = [
        {each: np.empty((len(queries), entrant.embedder.dim), np.float32) for each in backgrounds}
        for entrant in entrants
    ]
    no_garment = [dict.fromkeys(backgrounds, 0) for _ in entrants]
    embed_ms: list[list[float]] = [[] for _ in entrants]
    for row, query in enumerate(queries):
        for background in backgrounds:
            for sharing in _alike(entrants, partial(_queries_of, background=background)):
                picture, found = query_picture(query, entrants[sharing[0]], background)
                for number in sharing:
                    start_s = time.perf_counter()
                    vectors[number][background][row] = _embed(entrants[number], picture)
                    embed_ms[number].append((time.perf_counter() - start_s) * 1000.0)
                    no_garment[number][background] += not found
        on_progress("embedding queries", row + 1, len(queries))
    return [
        Embedded(*parts[:3], np.array(parts[3]))
        for parts in zip(gallery, vectors, no_garment, embed_ms, strict=True)
    ]


def _embed_gallery(
    entrants: Sequence[Entrant], items: Sequence[tuple[Item, Path]], on_progress: OnProgress
) -> list[dict[GalleryViews, Vectors]]:
    gallery: list[dict[GalleryViews, Vectors]] = [
        {each: np.empty((len(items), entrant.embedder.dim), np.float32) for each in GALLERY_VIEWS}
        for entrant in entrants
    ]
    for row, (_, path) in enumerate(items):
        picture = imaging.read_photo(path)
        for sharing in _alike(entrants, _cutouts_of):
            views = catalogue_views(picture, entrants[sharing[0]].segmenter)
            for number in sharing:
                seen = np.stack([_embed(entrants[number], view) for view in views])
                gallery[number]["picture"][row] = seen[0]
                gallery[number]["two_views"][row] = normalized(seen.mean(axis=0))
        on_progress("embedding the gallery", row + 1, len(items))
    return gallery


def _alike(entrants: Sequence[Entrant], seen: Callable[[Entrant], Hashable]) -> list[list[int]]:
    """The entrants' numbers, in groups that are given the same pictures."""
    groups: dict[Hashable, list[int]] = {}
    for number, entrant in enumerate(entrants):
        groups.setdefault(seen(entrant), []).append(number)
    return list(groups.values())


def _cutouts_of(entrant: Entrant) -> Hashable:
    return id(entrant.segmenter)


def _queries_of(entrant: Entrant, background: Background) -> Hashable:
    return (_cutouts_of(entrant) if background == "model" else None, entrant.enough_px)


def _embed(entrant: Entrant, picture: Photo) -> Vectors:
    embedding = entrant.embedder.embed(picture)
    if embedding.shape != (entrant.embedder.dim,):
        raise ModelContractError(
            f"{entrant.name} gives shape {embedding.shape} where ({entrant.embedder.dim},) was "
            "declared"
        )
    return embedding


def variants_of(entrant: Entrant, embedded: Embedded) -> Iterator[Variant]:
    """What is compared of an entrant; first its embeddings as they are, in each description.

    PCA is fitted to the gallery's embeddings in the same description, and to nothing else; to fewer
    directions than asked for where the gallery has no more.
    """
    digest, no_garment = entrant.embedder.digest, embedded.no_garment
    p50_ms = float(np.median(embedded.embed_ms))
    for views, gallery in embedded.gallery.items():
        queries = embedded.queries
        yield Variant(entrant.name, digest, views, gallery, queries, no_garment, p50_ms)
        dim = min(entrant.pca_dim or 0, len(gallery) - 1)
        if not 0 < dim < gallery.shape[1]:
            continue
        components = PrincipalComponents.fit(gallery, dim)
        projected = {name: components.project(asked) for name, asked in queries.items()}
        unit = {name: normalized(asked) for name, asked in projected.items()}
        plain = components.project(gallery)
        ms = p50_ms + _projection_p50_ms(components, gallery)
        for distance, described, asked in (
            ("cosine", normalized(plain), unit),
            ("Euclidean", plain, projected),
        ):
            name = f"{entrant.name}, PCA {dim}, {distance}"
            yield Variant(name, digest, views, described, asked, no_garment, ms)


def _projection_p50_ms(components: PrincipalComponents, vectors: Vectors) -> float:
    times_ms = []
    for vector in vectors[:_TIMED_PROJECTIONS]:
        start_s = time.perf_counter()
        normalized(components.project(vector))
        times_ms.append((time.perf_counter() - start_s) * 1000.0)
    return float(np.median(times_ms))
