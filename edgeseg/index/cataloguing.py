"""Making a catalogue of embeddings: rounded, their graph built, their golden queries answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import DatasetError
from edgeseg.formats.catalogue_file import CatalogueData, encode_catalogue
from edgeseg.formats.codes import DEFAULT_PRECISION, Codes, check_codes
from edgeseg.formats.text_table import TextTable
from edgeseg.index import golden, hnsw
from edgeseg.index.locality import coarse_to_fine, near_order, reordered
from edgeseg.index.nearest import EXACT_SEARCH_MAX_ITEMS, NearestVectors
from edgeseg.items import Item, check_item


def make_catalogue(
    items: Sequence[Item],
    embeddings: NDArray[np.float32],
    embedder_digest: str,
    precision: str = DEFAULT_PRECISION,
) -> CatalogueData:
    """Make a catalogue of embeddings at hand; it is the same in whatever order they come.

    Its items stand by SKU, or where it has a graph as :mod:`edgeseg.index.locality` says.

    Args:
        items: with distinct SKUs.
        embeddings: ``(len(items), dim)`` float32, L2-normalised.
        embedder_digest: 64 hexadecimal digits that name what made them.
        precision: in which they are kept, one of :data:`edgeseg.formats.codes.PRECISIONS`.

    Raises:
        DatasetError: there is no item, one cannot be held, or a SKU occurs twice.
        FormatError: the embeddings are not L2-normalised, or a bound is exceeded.
        ValueError: the lengths differ.
    """
    if embeddings.ndim != 2 or len(embeddings) != len(items):
        raise ValueError(f"{len(items)} items and embeddings of shape {embeddings.shape}")
    if not items:
        raise DatasetError("a catalogue needs at least one item")
    for item in items:
        check_item(item)
    if len({item.sku for item in items}) != len(items):
        raise DatasetError("a SKU occurs twice")
    by_sku = np.array(sorted(range(len(items)), key=lambda row: items[row].sku))
    items, embeddings = [items[row] for row in by_sku.tolist()], embeddings[by_sku]
    check_codes(Codes.encode(embeddings, "float32"))
    names = tuple(dict.fromkeys(name for item in items for name in item.attributes))
    codes = Codes.encode(embeddings, precision)
    graph = None
    if len(items) > EXACT_SEARCH_MAX_ITEMS:
        order = near_order(codes)
        codes, items = codes.taken(order), [items[row] for row in order.tolist()]
        added = coarse_to_fine(len(codes))
        graph = reordered(hnsw.build_graph(codes.taken(added)), np.argsort(added))
    columns = [[item.sku for item in items]]
    columns += [[item.attributes.get(name, "") for item in items] for name in names]
    data = CatalogueData(embedder_digest, names, codes, TextTable.of(columns), graph)
    data = replace(data, golden=golden.asked(codes, data.rows, NearestVectors(codes, graph)))
    encode_catalogue(data)
    return data
