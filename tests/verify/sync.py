"""Checks of catalogues on their way to scanners: bytes, opening, queries, deltas, generations."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.catalogue import Catalogue, Item
from edgeseg.formats import container
from edgeseg.formats.catalogue_file import KIND, CatalogueData, encode_catalogue, read_catalogue
from edgeseg.formats.codes import DEFAULT_PRECISION, Codes
from edgeseg.formats.delta_file import read_delta
from edgeseg.formats.text_table import TextTable
from edgeseg.index import golden
from edgeseg.index.delta import apply_delta
from edgeseg.index.generations import next_generation
from edgeseg.index.hnsw import MIN_EF_SEARCH
from edgeseg.index.nearest import NearestVectors
from tests.verify import large
from tests.verify.figure import Check, Figure, NotMeasuredError
from tests.verify.mutations import other_ends
from tests.verify.vectors import perturbed
from tests.verify.workbench import REPOSITORY, Workbench

NAMES = ("compact", "open", "query", "delta", "apply", "generations", "mutated")
_K = 10
_CHURN, _GENERATION_ITEMS, _GENERATIONS, _EVERY = 0.02, 20_000, 60, 10
_MUTATIONS = 10_000
# Opens an index in a process of its own: prints its seconds to the first answer, and its peak.
_OPENS = """
import json, resource, sys, time
import hnswlib, numpy as np
from edgeseg.catalogue import Catalogue
path, queries = sys.argv[1], np.load(sys.argv[2])
start_s = time.perf_counter()
if path.endswith(".catalogue"):
    Catalogue.open(path).search(queries[0], 10)
else:
    index = hnswlib.Index(space="ip", dim=queries.shape[1])
    index.load_index(path)
    index.set_ef(64)
    index.knn_query(queries[0], 10, num_threads=1)
taken_s = time.perf_counter() - start_s
print(json.dumps([taken_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def checks(bench: Workbench) -> list[Check]:
    """All of them, bound to a workbench."""
    return [
        Check(
            "compact",
            (
                Figure("codes and graph of 100,000 items, of hnswlib's own file", "<=", 1 / 3),
                Figure("bytes an item of the whole file", "told", form="{:.1f}"),
                Figure("index recall@10 against exact float32", ">=", 0.99, "{:.4f}"),
                Figure("the same by hnswlib over float32", "told", form="{:.4f}"),
            ),
            partial(_compact, bench),
        ),
        Check(
            "open",
            (
                Figure("open to first answer, of hnswlib's load_index", "<=", 3.0, "{:.2f}x"),
                Figure("peak memory, of hnswlib's", "<=", 1.3, "{:.2f}x"),
            ),
            partial(_open, bench),
        ),
        Check(
            "query",
            (Figure("query, of a bare hnswlib query at equal recall", "<=", 1.1, "{:.2f}x"),),
            partial(_query, bench),
        ),
        Check(
            "delta",
            (
                Figure("delta of 1% churn, of the changed codes and SKUs", "<=", 1.25, "{:.3f}x"),
                Figure("delta of 1% churn: bytes", "told", form="{:,.0f}"),
                Figure("of zstd --patch-from between hnswlib's files", "<=", 1 / 8),
                Figure("of xdelta3 between them", "<=", 1 / 8),
            ),
            partial(_delta, bench),
        ),
        Check(
            "apply",
            (Figure("applying that delta, of building anew", "<", 0.1),),
            partial(_apply, bench),
        ),
        Check(
            "generations",
            (
                Figure("60 generations of 2% churn: recall lost at worst", "<=", 0.005, "{:+.4f}"),
                Figure("largest file among them, of a fresh one", "<=", 1.35, "{:.2f}x"),
                Figure("snapshots among them", "told", form="{:.0f}"),
            ),
            partial(_generations, bench),
        ),
        Check(
            "mutated",
            (
                Figure(
                    "10,000 mutated catalogues and deltas: other ends than an EdgesegError",
                    "<=",
                    0,
                    "{:.0f}",
                ),
            ),
            partial(_mutated, bench),
        ),
    ]


def _compact(bench: Workbench) -> Sequence[float]:
    path, bare = large.catalogue(bench), large.bare(bench)
    sections = container.read(KIND, path).sections
    searched = sum(
        len(part) for name, part in sections.items() if name.split(".")[0] in ("vectors", "graph")
    )
    vectors, queries = large.vectors(bench), large.queries(bench)
    exact = _exact(vectors, queries)
    catalogue, floats = Catalogue.open(path), large.bare_index(bare, MIN_EF_SEARCH)
    found = [[int(m.sku[1:]) for m in catalogue.search(query, _K)] for query in queries]
    return [
        searched / bare.stat().st_size,
        path.stat().st_size / large.ITEMS,
        _recall(found, exact),
        _recall(floats.knn_query(queries, _K, num_threads=1)[0], exact),
    ]


def _open(bench: Workbench) -> Sequence[float]:
    """Least of several, in turn: what else the machine did is not the file's."""
    np.save(bench.work / "queries.npy", large.queries(bench))
    told: dict[Path, list[list[float]]] = {large.bare(bench): [], large.catalogue(bench): []}
    for _ in range(7):
        for path, measured in told.items():
            ran = subprocess.run(
                [sys.executable, "-c", _OPENS, str(path), str(bench.work / "queries.npy")],
                cwd=REPOSITORY, check=True, capture_output=True,
            )  # fmt: skip
            measured.append(json.loads(ran.stdout))
    bare, ours = (np.min(measured, axis=0) for measured in told.values())
    return [ours[0] / bare[0], ours[1] / bare[1]]


def _query(bench: Workbench) -> Sequence[float]:
    vectors, queries = large.vectors(bench), large.queries(bench)
    exact = _exact(vectors, queries)
    catalogue = Catalogue.open(large.catalogue(bench))
    index = large.bare_index(large.bare(bench), _K)
    found = [[int(m.sku[1:]) for m in catalogue.search(query, _K)] for query in queries]
    wanted = _recall(found, exact)
    for ef in range(_K, 2 * MIN_EF_SEARCH):
        index.set_ef(ef)
        if _recall(index.knn_query(queries, _K, num_threads=1)[0], exact) >= wanted:
            break
    ours: Callable[[Any], Any] = partial(catalogue.search, k=_K)
    times_s: dict[Callable[[Any], Any], list[float]] = {
        ours: [],
        partial(index.knn_query, k=_K, num_threads=1): [],
    }
    for query in np.concatenate([queries, queries, queries]):
        for search, taken in times_s.items():
            start_s = time.perf_counter()
            search(query)
            taken.append(time.perf_counter() - start_s)
    mine, bare = (float(np.median(taken[len(queries) :])) for taken in times_s.values())
    return [mine / bare]


def _delta(bench: Workbench) -> Sequence[float]:
    base, wanted = large.catalogue(bench), large.churned(bench)
    path = large.delta_path(bench)
    delta = read_delta(path)
    changed = delta.codes.stored.nbytes + delta.codes.fine.nbytes
    changed += sum(len(sku) for sku in delta.table.cells(0))
    before, after = (large.bare_of(bench, each) for each in (base, wanted))
    patches = []
    for tool, command in (
        ("zstd", ["zstd", "-19", "--long=31", f"--patch-from={before}", "-o"]),
        ("xdelta3", ["xdelta3", "-9", "-e", "-f", "-s", str(before)]),
    ):
        if shutil.which(tool) is None:
            raise NotMeasuredError(f"{tool} is not installed")
        patch = bench.work / f"hnswlib.{tool}"
        patch.unlink(missing_ok=True)
        files = [str(patch), str(after)] if tool == "zstd" else [str(after), str(patch)]
        subprocess.run([*command, *files], check=True, capture_output=True)
        patches.append(path.stat().st_size / patch.stat().st_size)
    return [path.stat().st_size / changed, path.stat().st_size, *patches]


def _apply(bench: Workbench) -> Sequence[float]:
    delta = read_delta(large.delta_path(bench))
    base = read_catalogue(large.catalogue(bench))
    start_s = time.perf_counter()
    after = apply_delta(base, delta)
    b"".join(encode_catalogue(after))
    applied_s = time.perf_counter() - start_s
    rows = after.rows
    items = [Item(after.table.cell(0, row)) for row in rows.tolist()]
    vectors = after.codes.decoded(rows)
    start_s = time.perf_counter()
    Catalogue.from_embeddings(items, vectors, large.DIGEST)
    return [applied_s / (time.perf_counter() - start_s)]


def _generations(bench: Workbench) -> Sequence[float]:
    rng = np.random.default_rng(4)
    pool = perturbed(bench, 3 * _GENERATION_ITEMS, seed=21)
    queries = large.queries(bench)
    items = {f"P{row}": pool[row] for row in range(_GENERATION_ITEMS)}
    fresh = _GENERATION_ITEMS
    data = _made(items)
    lost, largest, snapshots = [], [], 0
    for generation in range(1, _GENERATIONS + 1):
        count = round(_CHURN * len(items))
        names = rng.permutation(list(items))
        for name in names[: count // 2]:
            items[name], fresh = pool[fresh], fresh + 1
        for name in names[count // 2 : count // 2 + count // 4]:
            del items[name]
        for _ in range(count // 4):
            items[f"P{fresh}"], fresh = pool[fresh], fresh + 1
        # A snapshot's graph is built only where one is due.
        step = next_generation(data, replace(_listed(items), graph=data.graph))
        if step.delta is None:
            snapshots += 1
            data = replace(_made(items), generation=generation)
        else:
            data = apply_delta(data, step.delta)
        if generation % _EVERY == 0:
            anew = _made(items)
            lost.append(_own_recall(anew, queries) - _own_recall(data, queries))
            largest.append(_length(data) / _length(anew))
    return [max(lost), max(largest), snapshots]


def _mutated(bench: Workbench) -> Sequence[float]:
    return [other_ends(_MUTATIONS)]


def _own_recall(data: CatalogueData, queries: NDArray[np.float32]) -> float:
    nearest = NearestVectors(data.codes, data.graph, data.removed)
    asked = golden.answered(Codes.encode(queries, "float32"), data.items, nearest)
    return golden.recall(asked, nearest)


def _length(data: CatalogueData) -> int:
    return sum(memoryview(piece).nbytes for piece in encode_catalogue(data))


def _listed(items: dict[str, NDArray[np.float32]]) -> CatalogueData:
    """Items without a graph and golden queries."""
    codes = Codes.encode(np.stack(list(items.values())), DEFAULT_PRECISION)
    return CatalogueData(large.DIGEST, (), codes, TextTable.of([list(items)]), None)


def _made(items: dict[str, NDArray[np.float32]]) -> CatalogueData:
    rows = [Item(sku) for sku in items]
    return Catalogue.from_embeddings(rows, np.stack(list(items.values())), large.DIGEST).data


def _recall(found: Any, exact: NDArray[np.int64]) -> float:
    pairs = zip(found, exact, strict=True)
    return float(np.mean([len(set(rows) & set(right.tolist())) / _K for rows, right in pairs]))


def _exact(vectors: NDArray[np.float32], queries: NDArray[np.float32]) -> NDArray[np.int64]:
    return NearestVectors(Codes.encode(vectors, "float32"), None).exact_rows(queries, _K)
