"""Checks of quality: masks against GrabCut and float, matches with the background and without."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from edgeseg.formats.codes import DEFAULT_PRECISION
from tests.verify.figure import Check, Figure
from tests.verify.workbench import Workbench

SNAPSHOTS = "segmentation/snapshots/split.csv"
STREET = "segmentation/street/split.csv"


def checks(bench: Workbench) -> list[Check]:
    """All of them, bound to a workbench."""
    return [
        Check(
            "segmentation",
            (
                Figure("snapshots val, GrabCut: IoU", "told"),
                Figure("snapshots val, GrabCut: worst tenth of IoU", "told"),
                Figure("snapshots val: IoU", ">=", 0.88),
                Figure("snapshots val: worst tenth of IoU", ">=", 0.72),
                Figure("snapshots val: boundary F", "told"),
                Figure("snapshots val: IoU above GrabCut's by", ">", 0.0, "{:+.3f}"),
                Figure("snapshots val: worst tenth above GrabCut's by", ">", 0.0, "{:+.3f}"),
            ),
            partial(_snapshots, bench),
        ),
        Check("segmentation", (Figure("street val: IoU", ">=", 0.70),), partial(_street, bench)),
        *(
            Check(
                "parity",
                (Figure(f"{name} val: IoU lost from float32 to int8", "<=", 0.010, "{:.4f}"),),
                partial(_lost, bench, table),
            )
            for name, table in (("snapshots", SNAPSHOTS), ("street", STREET))
        ),
        Check(
            "retrieval",
            (
                Figure("queries_val recall@10, background left in", "told"),
                Figure("queries_val recall@10, cut out by the model", "told"),
                Figure("queries_val recall@10, cut out by the true mask", "told"),
                Figure("queries_val recall@10, model above left in by", ">=", 0.05, "{:+.3f}"),
            ),
            partial(_retrieval, bench),
        ),
    ]


def segmentation(bench: Workbench, table: str, *options: str) -> dict[str, Any]:
    """What ``eval segmentation`` says of a table's validation photographs."""
    (path,) = bench.need(table)
    return bench.edgeseg(
        "eval", "segmentation", "--split", str(path), "--split-name", "val", *options
    )


def _snapshots(bench: Workbench) -> Sequence[float]:
    model = segmentation(bench, SNAPSHOTS, *bench.bundle_options)
    grabcut = segmentation(bench, SNAPSHOTS, "--method", "grabcut")
    return [
        grabcut["iou_mean"],
        grabcut["iou_p10"],
        model["iou_mean"],
        model["iou_p10"],
        model["boundary_f"],
        model["iou_mean"] - grabcut["iou_mean"],
        model["iou_p10"] - grabcut["iou_p10"],
    ]


def _street(bench: Workbench) -> Sequence[float]:
    iou: float = segmentation(bench, STREET, *bench.bundle_options)["iou_mean"]
    return [iou]


def _lost(bench: Workbench, table: str) -> Sequence[float]:
    bench.int8_bundle()
    int8 = segmentation(bench, table, *bench.bundle_options)
    float32 = segmentation(bench, table, "--bundle", str(bench.float_bundle))
    return [float32["iou_mean"] - int8["iou_mean"]]


def _retrieval(bench: Workbench) -> Sequence[float]:
    (queries,) = bench.need("queries_val/queries.csv")
    catalogue = gallery(bench)
    recall = {}
    for background in ("none", "model", "mask"):
        document = bench.edgeseg(
            "eval", "retrieval", "--queries", str(queries), "--catalogue", str(catalogue),
            "--background", background, *bench.bundle_options,
        )  # fmt: skip
        recall[background] = float(document["recall_at_10"])
    return [
        recall["none"],
        recall["model"],
        recall["mask"],
        recall["model"] - recall["none"],
    ]


def gallery(bench: Workbench) -> Path:
    """The catalogue of the evaluation gallery, built once a run.

    Raises:
        NotMeasuredError: its pictures are absent, or the command fails.
    """
    # Named by the embedder and precision, so that a kept folder serves several bundles.
    digest = bench.open_bundle().embedder_digest or "none"
    path = bench.work / f"gallery-{digest[:12]}-{DEFAULT_PRECISION}.catalogue"
    if not path.is_file():
        (items,) = bench.need("gallery_val.csv")
        bench.edgeseg("index", "build", str(items), "-o", str(path), *bench.bundle_options)
    return path
