"""What the checks of catalogues are made on: 100,000 embeddings, their files, and what changed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.catalogue import Catalogue, Item
from edgeseg.files import write_atomic
from edgeseg.formats.catalogue_file import read_catalogue
from edgeseg.formats.codes import DEFAULT_PRECISION
from edgeseg.formats.delta_file import encode_delta
from edgeseg.index.delta import make_delta
from edgeseg.index.hnsw import M
from tests.verify.vectors import perturbed
from tests.verify.workbench import Workbench

ITEMS, QUERIES = 100_000, 3_000
DIGEST = "ab" * 32


@functools.cache
def vectors(bench: Workbench) -> NDArray[np.float32]:
    """The items' embeddings."""
    return perturbed(bench, ITEMS, seed=0)


@functools.cache
def queries(bench: Workbench) -> NDArray[np.float32]:
    """Embeddings to search for."""
    return perturbed(bench, QUERIES, seed=5)


def catalogue(bench: Workbench) -> Path:
    """The catalogue of all items."""
    return _saved(bench, "large", lambda: vectors(bench), _names)


def churned(bench: Workbench) -> Path:
    """A hundredth of the items changed: half updated, a quarter removed, a quarter added."""
    return _saved(bench, "churned", lambda: _changed(bench)[1], lambda: _changed(bench)[0])


def _names() -> list[str]:
    return [f"P{row:06d}" for row in range(ITEMS)]


def _changed(bench: Workbench) -> tuple[list[str], NDArray[np.float32]]:
    rng = np.random.default_rng(6)
    count = ITEMS // 100
    rows = rng.permutation(ITEMS)
    changed, fresh = vectors(bench).copy(), perturbed(bench, count, seed=7)
    changed[rows[: count // 2]] = fresh[: count // 2]
    kept = np.sort(rows[count // 2 + count // 4 :].tolist() + rows[: count // 2].tolist())
    added = fresh[count // 2 : count // 2 + count // 4]
    names = [f"P{row:06d}" for row in kept] + [f"P{ITEMS + row:06d}" for row in range(len(added))]
    return names, np.concatenate([changed[kept], added])


def _saved(
    bench: Workbench,
    name: str,
    embeddings: Callable[[], NDArray[np.float32]],
    names: Callable[[], list[str]],
) -> Path:
    """A catalogue, made once."""
    path = bench.work / f"{name}-{ITEMS}-{_digest(bench)}.catalogue"
    if not path.is_file():
        items = [Item(sku) for sku in names()]
        Catalogue.from_embeddings(items, embeddings(), DIGEST).save(path)
    return path


def _digest(bench: Workbench) -> str:
    """Names what is kept for a next run: another embedder's or precision's vectors are others."""
    return f"{(bench.open_bundle().embedder_digest or 'none')[:12]}-{DEFAULT_PRECISION}"


def delta_path(bench: Workbench) -> Path:
    """What leads from the one catalogue to the other."""
    path = bench.work / f"churned-{ITEMS}-{_digest(bench)}.delta"
    if not path.is_file():
        base, wanted = (read_catalogue(each(bench)) for each in (catalogue, churned))
        delta, _ = make_delta(base, wanted, 1)
        write_atomic(path, encode_delta(delta))
    return path


def bare(bench: Workbench) -> Path:
    """hnswlib's own file of all items."""
    return bare_of(bench, catalogue(bench))


def bare_of(bench: Workbench, made: Path) -> Path:
    """hnswlib's own file over the float32 embeddings of a catalogue, made once."""
    path = made.with_suffix(".hnswlib")
    if not path.is_file():
        import hnswlib

        own = made == catalogue(bench)
        floats = vectors(bench) if own else _changed(bench)[1]
        index = hnswlib.Index(space="ip", dim=floats.shape[1])
        # Breadth of construction and order of the items as hnswlib's users have them.
        index.init_index(len(floats), M=M)
        index.add_items(floats, num_threads=1)
        index.save_index(str(path))
    return path


def bare_index(path: Path, ef: int) -> Any:
    """That file opened, for one thread."""
    import hnswlib

    index = hnswlib.Index(space="ip", dim=128)
    index.load_index(str(path))
    index.set_ef(ef)
    index.set_num_threads(1)
    return index
