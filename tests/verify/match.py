"""Checks of the match: the shipped embedder and catalogue against what a retailer has today."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edgeseg.catalogue import Catalogue, Item, Match
from edgeseg.embedder import Embedder
from edgeseg.evaluation.entrants import GALLERY_VIEWS, Entrant, GalleryViews
from edgeseg.evaluation.peers import TflitePeer
from edgeseg.evaluation.retrieval import read_queries
from edgeseg.evaluation.retrieval_study import Method, Result, Study, run_study
from edgeseg.files import sha256_hex
from edgeseg.formats.codes import DEFAULT_PRECISION
from edgeseg.imaging import read_photo
from edgeseg.items import read_items
from edgeseg.matcher import Matcher, Query
from edgeseg.presets import checkpoint_path
from edgeseg.segmenter import Segmenter
from tests.verify import recomposed
from tests.verify.figure import Check, Figure
from tests.verify.quality import gallery
from tests.verify.vectors import perturbed
from tests.verify.workbench import Workbench

NAMES = (
    "recall", "cost", "background", "int8", "fused", "recomposed", "absent", "filtered", "speed",
)  # fmt: skip
GALLERY, QUERIES = "gallery_val.csv", "queries_val/queries.csv"
PEER = "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"
_MB = 1_000_000
_FILTERED_ITEMS, _GROUPS, _FILTERED_QUERIES = 30_000, 100, 200
_LARGE_ITEMS, _ROUNDS = 100_000, 60
_K = 10


def checks(bench: Workbench) -> list[Check]:
    """All of them, bound to a workbench."""
    points = "{:+.3f}"
    return [
        Check(
            "recall",
            (
                Figure("queries_val recall@1, cut out by the model", "told"),
                Figure("queries_val recall@10, cut out by the model", "told"),
                Figure("queries_val recall@10, back views", "told"),
                Figure("queries_val recall@10, close-ups", "told"),
                Figure("MobileNet v1, same masks: recall@1", "told"),
                Figure("MobileNet v1, same masks: recall@10", "told"),
                Figure("recall@1 above MobileNet v1's by", ">=", 0.10, points),
                Figure("recall@10 above MobileNet v1's by", ">=", 0.15, points),
                Figure("MobileNet v1, catalogue as ours: recall@1", "told"),
                Figure("MobileNet v1, catalogue as ours: recall@10", "told"),
                Figure("recall@1 above that by", ">=", 0.10, points),
                Figure("recall@10 above that by", ">=", 0.15, points),
            ),
            partial(_recall, bench),
        ),
        Check(
            "cost",
            (
                Figure("embedder's latency, of MobileNet v1's", "<=", 1 / 3, "{:.2f}x"),
                Figure("dimensions of an embedding", "<=", 128, "{:.0f}"),
                Figure("embedder's MB", "<=", 1.5, "{:.3f}"),
            ),
            partial(_cost, bench),
        ),
        Check(
            "background",
            (
                Figure("recall@10, model above background left in by", ">=", 0.10, points),
                Figure("recall@10, model below the true mask by", "<=", 0.05, points),
            ),
            partial(_background, bench),
        ),
        Check(
            "int8",
            (Figure("recall@10 lost from the float embedder to int8", "<=", 0.005, points),),
            partial(_int8, bench),
        ),
        Check(
            "fused",
            (
                Figure("items with two photos or more, one photo: recall@1", "told"),
                Figure("the same, all photos of an item as one: recall@1", "told"),
                Figure("items with two photos or more, one photo: recall@10", "told"),
                Figure("the same, all photos of an item as one: recall@10", "told"),
            ),
            partial(_fused, bench),
        ),
        Check(
            "recomposed",
            (
                Figure("snapshots val on other grounds, any rotation: recall@1", ">=", 0.90),
                Figure("snapshots val on other grounds, any rotation: recall@10", "told"),
                Figure("snapshots val on other grounds, upright: recall@1", "told"),
                Figure("any rotation, cut out by the true mask: recall@1", "told"),
                Figure("any rotation, nearest of four quarter turns: recall@1", "told"),
            ),
            partial(_recomposed, bench),
        ),
        Check(
            "absent",
            (
                Figure("right first matches kept at 5% false accepts", ">=", 0.80),
                Figure("all queries kept at 5% false accepts", "told"),
            ),
            partial(_absent, bench),
        ),
        Check(
            "filtered",
            (
                Figure("filtered to 1% of 30,000 items: index recall@10", ">=", 0.99, "{:.4f}"),
                Figure("filtered searches with fewer matches than there are", "<=", 0, "{:.0f}"),
            ),
            partial(_filtered, bench),
        ),
        Check(
            "speed",
            (
                Figure("photo to result, 100,000 items, one thread, p50 ms", "told", form="{:.1f}"),
                Figure("its parts bare, p50 ms", "told", form="{:.1f}"),
                Figure("photo to result, of its parts bare", "<=", 1.10, "{:.2f}x"),
            ),
            partial(_speed, bench),
        ),
    ]


def _recall(bench: Workbench) -> Sequence[float]:
    study = _study(bench)
    ours = _result(study, "edgeseg", "two_views", "model")
    figures = [ours.overall.recall_at_1, ours.overall.recall_at_10]
    figures += [ours.groups[view].recall_at_10 for view in ("back", "alt1")]
    for views in GALLERY_VIEWS:
        theirs = _result(study, "MobileNet v1", views, "model").overall
        figures += [
            theirs.recall_at_1,
            theirs.recall_at_10,
            ours.overall.recall_at_1 - theirs.recall_at_1,
            ours.overall.recall_at_10 - theirs.recall_at_10,
        ]
    return figures


def _cost(bench: Workbench) -> Sequence[float]:
    study = _study(bench)
    ours, theirs = _method(study, "edgeseg"), _method(study, "MobileNet v1")
    bundle = bench.open_bundle()
    size = len(bundle.embedder_model or b"")
    size += 0 if bundle.colour is None else len(bundle.colour.to_bytes())
    return [ours.embed_p50_ms / theirs.embed_p50_ms, ours.dim, size / _MB]


def _background(bench: Workbench) -> Sequence[float]:
    none, model, mask = (
        _result(_study(bench), "edgeseg", "two_views", background).overall.recall_at_10
        for background in ("none", "model", "mask")
    )
    return [model - none, mask - model]


def _int8(bench: Workbench) -> Sequence[float]:
    bench.int8_bundle()
    ours, exact = (
        _result(_study(bench), name, "two_views", "model").overall.recall_at_10
        for name in ("edgeseg", "float")
    )
    return [exact - ours]


def _fused(bench: Workbench) -> Sequence[float]:
    (table,) = bench.need(QUERIES)
    matcher = Matcher(Catalogue.open(gallery(bench)), bench.bundle)
    asked: dict[str, list[Query]] = {}
    for query in read_queries(table):
        photo = read_photo(query.image)
        found = matcher.segmenter.segment(photo).found
        asked.setdefault(query.sku, []).append(matcher.query(photo, segment=found))
    several = {sku: queries for sku, queries in asked.items() if len(queries) > 1}
    alone, together = [], []
    for sku, queries in several.items():
        ranks = [_rank(matcher.match_same_item([query], _K), sku) for query in queries]
        alone.append(np.mean([[rank <= k for rank in ranks] for k in (1, _K)], axis=1))
        rank = _rank(matcher.match_same_item(queries, _K), sku)
        together.append([rank <= 1, rank <= _K])
    one, all_ = np.mean(alone, axis=0), np.mean(together, axis=0)
    return [one[0], all_[0], one[1], all_[1]]


def _rank(matches: Sequence[Match], sku: str) -> float:
    return next((match.rank for match in matches if match.sku == sku), np.inf)


def _recomposed(bench: Workbench) -> Sequence[float]:
    table, backgrounds = bench.need("segmentation/snapshots/split.csv", "backgrounds")
    matcher = Matcher(Catalogue.open(gallery(bench)), bench.bundle)
    ranks = partial(recomposed.ranks, table, backgrounds, matcher)
    turned = ranks(180)
    others = (ranks(0), ranks(180, true_mask=True), ranks(180, turns=4))
    return [np.mean(turned == 1), np.mean(turned <= _K), *(np.mean(each == 1) for each in others)]


def _absent(bench: Workbench) -> Sequence[float]:
    (queries,) = bench.need(QUERIES)
    output = bench.work / "calibrated.bundle"
    told = bench.edgeseg(
        "calibrate", str(queries), "--catalogue", str(gallery(bench)), "-o", str(output),
        *bench.bundle_options,
    )  # fmt: skip
    (point,) = (each for each in told["curve"] if each["false_accepts"] == 0.05)
    return [point["accepted_right"], point["accepted_all"]]


def _filtered(bench: Workbench) -> Sequence[float]:
    catalogue = _large_catalogue(bench, _FILTERED_ITEMS)
    rng = np.random.default_rng(1)
    queries = perturbed(bench, _FILTERED_QUERIES, seed=2)
    found, missing = [], 0
    for query in queries:
        where = {"group": str(rng.integers(_GROUPS))}
        quick = catalogue.search(query, _K, where=where)
        exact = catalogue.search(query, _K, where=where, exact=True)
        missing += len(quick) < len(exact)
        found.append(len({m.sku for m in quick} & {m.sku for m in exact}) / len(exact))
    return [float(np.mean(found)), missing]


def _speed(bench: Workbench) -> Sequence[float]:
    import cv2
    import hnswlib

    (table,) = bench.need(QUERIES)
    photos = [query.image for query in read_queries(table)]
    matcher = Matcher(_large_catalogue(bench, _LARGE_ITEMS), bench.bundle)
    bare = hnswlib.Index(space="ip", dim=matcher.catalogue.dim)
    bare.init_index(_LARGE_ITEMS, M=16, ef_construction=200)
    bare.add_items(perturbed(bench, _LARGE_ITEMS), num_threads=2)
    bare.set_ef(64)
    bare.set_num_threads(1)
    cv2.setNumThreads(1)
    networks = [matcher.segmenter.interpreter, matcher.embedder.interpreter]
    batches = [np.zeros(network.input_shape, np.float32) for network in networks]
    query = matcher.query(photos[0], segment=False).embedding

    def parts(photo: Path) -> None:
        cv2.imdecode(np.frombuffer(photo.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        for network, batch in zip(networks, batches, strict=True):
            network.run(batch)
        bare.knn_query(query, k=_K)

    whole: Callable[[Path], Any] = partial(matcher.match, k=_K)
    times_ms: dict[Callable[[Path], Any], list[float]] = {whole: [], parts: []}
    found = [photo for photo in photos if matcher.segmenter.segment(read_photo(photo)).found]
    for photo in (*found[:5], *(found * _ROUNDS)[:_ROUNDS]):
        for measured, taken in times_ms.items():
            start_s = time.perf_counter()
            measured(photo)
            taken.append((time.perf_counter() - start_s) * 1000.0)
    # The first five only warm the caches.
    matched, bared = (float(np.median(taken[5:])) for taken in times_ms.values())
    return [matched, bared, matched / bared]


@functools.cache
def _study(bench: Workbench) -> Study:
    items, queries, peer = bench.need(GALLERY, QUERIES, f"../peers/{PEER}")
    segmenter = Segmenter(bench.open_bundle())
    # As a match reads them; the peer, whose input is larger, is given every pixel.
    enough_px = segmenter.preprocessing.input_px
    return run_study(
        read_items(items),
        read_queries(queries, "view", masks=True),
        [
            Entrant("edgeseg", Embedder(bench.open_bundle()), segmenter, enough_px=enough_px),
            Entrant("float", Embedder(_float_bundle(bench)), segmenter, enough_px=enough_px),
            Entrant("MobileNet v1", TflitePeer(peer), segmenter),
        ],
        ("none", "model", "mask"),
    )


def _result(study: Study, method: str, gallery_views: GalleryViews, background: str) -> Result:
    wanted = (method, gallery_views, background)
    return next(
        each
        for each in study.results
        if (each.method, each.gallery_views, each.background) == wanted
    )


def _method(study: Study, name: str) -> Method:
    return next(each for each in study.methods if each.name == name)


def _float_bundle(bench: Workbench) -> Path:
    """The shipped embedder as it was trained, made once."""
    checkpoint = checkpoint_path("embedder")
    digest = sha256_hex(checkpoint.read_bytes())
    path = bench.work / f"float32-embedder-{digest[:12]}.bundle"
    if not path.is_file():
        bench.edgeseg(
            "convert", str(bench.segmenter), "--embedder", str(checkpoint), "--recipe", "float32",
            "-o", str(path),
        )  # fmt: skip
    return path


def _large_catalogue(bench: Workbench, count: int) -> Catalogue:
    """A catalogue of perturbed embeddings, each item in one of a hundred groups, made once."""
    digest = bench.open_bundle().embedder_digest or ""
    path = bench.work / f"perturbed-{count}-{digest[:12]}-{DEFAULT_PRECISION}.catalogue"
    if not path.is_file():
        rng = np.random.default_rng(3)
        groups = rng.integers(_GROUPS, size=count)
        items = [Item(f"P{row}", {"group": str(group)}) for row, group in enumerate(groups)]
        Catalogue.from_embeddings(items, perturbed(bench, count), digest).save(path)
    return Catalogue.open(path)
