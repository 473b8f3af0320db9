"""The two forwards of a build: how near their vectors are, and whether a match is any other."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from edgeseg.formats.catalogue_file import read_catalogue
from edgeseg.items import read_items
from edgeseg.presets import preset_of
from edgeseg.training.tolerance import LEAST_COSINE
from edgeseg.training.tolerance import LEAST_MEDIAN_COSINE as _MEDIAN
from tests.verify.figure import Check, Figure, NotMeasuredError
from tests.verify.workbench import Workbench

NAMES = ("scale-forward",)
# Of the gallery's pictures that are no query's item, evenly spread over its list; all the others.
_DISTRACTORS = 500


def checks(bench: Workbench) -> list[Check]:
    """All of them, bound to a workbench."""
    return [
        Check(
            "scale-forward",
            (
                Figure("scale: Keras' vectors to LiteRT's, median cosine", ">=", _MEDIAN, "{:.4f}"),
                Figure("scale: their 5th percentile", "told", form="{:.4f}"),
                Figure("scale: their 1st percentile", "told", form="{:.4f}"),
                Figure("scale: the least of them", ">=", LEAST_COSINE, "{:.4f}"),
                Figure("scale: pictures compared", "told", form="{:.0f}"),
                Figure("scale: queries_val recall@10 among them, described by LiteRT", "told"),
                Figure("scale: the same, described by Keras", "told"),
                # Two queries of 108.
                Figure("scale: Keras above LiteRT in recall@10 by", ">=", -0.019, "{:+.3f}"),
            ),
            partial(_forwards, bench),
        ),
    ]


def _forwards(bench: Workbench) -> Sequence[float]:
    if importlib.util.find_spec("keras") is None:
        raise NotMeasuredError("keras is not installed (extra train)")
    if preset_of(bench.bundle) is None:
        raise NotMeasuredError("the bundle is no preset, whose checkpoints are known")
    (queries,) = bench.need("queries_val/queries.csv")
    folder = bench.work / f"scale-forward-{(bench.open_bundle().embedder_digest or '')[:12]}"
    folder.mkdir(exist_ok=True)
    items = _part_of_gallery(bench, folder / "items.csv")
    vectors, recall = [], []
    for forward in ("litert", "keras"):
        # As float32, so that what a catalogue keeps of a vector does not count as a difference.
        output = folder / f"{forward}.catalogue"
        bench.edgeseg(
            "index", "build", str(items), "-o", str(output), "--cache", str(folder / "cache"),
            "--forward", forward, "--precision", "float32", *bench.bundle_options,
        )  # fmt: skip
        vectors.append(read_catalogue(output).codes.decoded())
        document = bench.edgeseg(
            "eval", "retrieval", "--queries", str(queries), "--catalogue", str(output),
            *bench.bundle_options,
        )  # fmt: skip
        recall.append(float(document["recall_at_10"]))
    cosines = np.einsum("nd,nd->n", *vectors)
    return (
        *np.quantile(cosines, [0.5, 0.05, 0.01, 0.0]).tolist(),
        len(cosines),
        *recall,
        recall[1] - recall[0],
    )


def _part_of_gallery(bench: Workbench, path: Path) -> Path:
    """Every item that a query asks for or that is alike to it, and some of the others."""
    (gallery,) = bench.need("gallery_val.csv")
    rows = read_items(gallery)
    others = [row for row in rows if "distractors" in row[1].parts]
    asked = [row for row in rows if "distractors" not in row[1].parts]
    kept = np.linspace(0, len(others) - 1, _DISTRACTORS).round().astype(int).tolist()
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["sku", "image"])
        for item, picture in [*asked, *(others[row] for row in kept)]:
            table.writerow([item.sku, picture.absolute()])
    return path
