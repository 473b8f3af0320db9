"""Small containers, bundles and catalogues for the tests of formats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeseg.colour_descriptor import HISTOGRAM_LENGTH
from edgeseg.formats.catalogue_file import CatalogueData
from edgeseg.formats.codes import DEFAULT_PRECISION, Codes
from edgeseg.formats.container import Kind
from edgeseg.formats.golden import Golden
from edgeseg.formats.graph import Graph
from edgeseg.formats.manifest import ColourManifest, Manifest, NetworkManifest
from edgeseg.formats.text_table import TextTable
from edgeseg.index import hnsw
from edgeseg.preprocessing import Preprocessing

TINY = Kind(
    name="sample", magic=b"\x89TINY\r\n\x1a", format_version=7, max_bytes=4096, remake="again"
)
# The reader looks at the identifier only; these bytes never reach an interpreter.
SEGMENTER_MODEL = b"\x1c\0\0\0TFL3 segmenter"
EMBEDDER_MODEL = b"\x1c\0\0\0TFL3 embedder"
EMBEDDER_DIGEST = "ab" * 32


def manifest(with_embedder: bool = True) -> Manifest:
    """A manifest with round numbers, so that its JSON is easy to read."""
    segmenter = NetworkManifest(
        section="segmenter.tflite",
        preprocessing=Preprocessing(160, "stretch", scale=0.5),
        parameters=1000,
        recipe="static_wi8_ai8",
        model_version="1",
        dim=None,
        outputs="confidence_mask",
    )
    embedder = NetworkManifest(
        section="embedder.tflite",
        preprocessing=Preprocessing(128, "pad_white", scale=0.5),
        parameters=2000,
        recipe="float32",
        model_version="2",
        dim=4,
        outputs="embedding",
    )
    return Manifest(segmenter, embedder if with_embedder else None, "then", "é")


def colour_manifest() -> Manifest:
    """The manifest of `manifest`, with colours in two of the embedding's four numbers."""
    plain = manifest()
    assert plain.embedder is not None
    colour = ColourManifest("colour.f16", 2, 0.5)
    return replace(plain, embedder=replace(plain.embedder, colour=colour))


def classes_manifest() -> Manifest:
    """A manifest of a segmenter that tells two classes apart."""
    segmenter = NetworkManifest(
        section="segmenter.tflite",
        preprocessing=Preprocessing(352, "stretch", scale=0.5),
        parameters=1000,
        recipe="static_wi8_ai8",
        model_version="1",
        dim=None,
        outputs="category_scores",
        classes=("sky", "road"),
    )
    return Manifest(segmenter, None, "then", "")


def bundle_sections() -> dict[str, bytes]:
    """What `write_bundle` takes beside the manifest."""
    return {
        "segmenter.tflite": SEGMENTER_MODEL,
        "embedder.tflite": EMBEDDER_MODEL,
        "report.json": b'{"iou": 0.9}',
    }


def colour_section() -> bytes:
    """A projection on two directions: hue's first bin, and all the others."""
    projection = np.zeros((HISTOGRAM_LENGTH, 2), "<f2")
    projection[:36, 0], projection[36:, 1] = 1.0, 0.5
    return projection.tobytes()


def unit_vectors(items: int, dim: int, seed: int = 0) -> np.ndarray:
    """`(items, dim)` float32, L2-normalised."""
    drawn = np.random.default_rng(seed).normal(size=(items, dim))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def plain_codes(rows: list[list[int]]) -> Codes:
    """int8 codes without shifts."""
    stored = np.array(rows, np.int8)
    rows, dim = stored.shape
    return Codes(stored, np.zeros((rows, -(-dim // 16)), np.uint8), np.zeros((rows, 0), np.uint8))


def two_items() -> CatalogueData:
    """Two items, one attribute, no graph."""
    codes = plain_codes([[127, 0], [3, -4]])
    table = TextTable.of([["a", "bé"], ["red", ""]])
    return CatalogueData(EMBEDDER_DIGEST, ("colour",), codes, table, None)


def with_graph(items: int = 60, dim: int = 8) -> CatalogueData:
    """Items with a graph of several levels (m = 2 makes many)."""
    codes = Codes.encode(unit_vectors(items, dim), DEFAULT_PRECISION)
    table = TextTable.of([[f"sku-{row}" for row in range(items)]])
    graph = hnsw.build_graph(codes, m=2, ef_construction=20)
    return CatalogueData(EMBEDDER_DIGEST, (), codes, table, graph)


def without_links(rows: int) -> Graph:
    """A graph in which a search reaches its entry point only."""
    return Graph(
        m=2,
        ef_construction=20,
        seed=1,
        entry_point=0,
        levels=np.zeros(rows, np.uint8),
        counts=np.zeros(rows, np.uint8),
        steps=np.zeros(0, np.uint16),
        long_steps=np.zeros(0, np.uint32),
    )


def with_everything() -> CatalogueData:
    """Items with a graph, two of them gone, in the third generation, with golden queries."""
    data = with_graph()
    removed = np.zeros(len(data.codes), np.bool_)
    removed[[3, 50]] = True
    skus = ["" if gone else f"sku-{row}" for row, gone in enumerate(removed)]
    queries = Codes.encode(data.codes.decoded(slice(2)), "int8")
    golden = Golden(queries, np.array([[0, 1], [1, 59]], "<u4"), 0.5)
    return replace(data, table=TextTable.of([skus]), removed=removed, golden=golden, generation=3)
