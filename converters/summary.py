"""A report as tables, for people."""

from __future__ import annotations

from typing import Any

from converters.evaluation.size import ZSTD_LEVEL
from converters.report import NetworkReport, Report

# In one line; the table has them all.
_NAMED_LAYERS = 3

Table = tuple[list[str], list[list[str]]]


def change_table(report: Report) -> Table:
    """Each network before and after: columns and rows."""
    columns = ["", "before", "after", "change"]
    rows: list[list[str]] = []
    for name, network in report.networks.items():
        rows += [
            [
                f"{name}: parameters",
                f"{network.parameters:,}",
                f"{network.parameters_after:,}",
                "",
            ],
            _size_row(name, "bytes", network.size_before.raw_bytes, network.size_after.raw_bytes),
            _size_row(
                name,
                f"zstd -{ZSTD_LEVEL} bytes",
                network.size_before.zstd_bytes,
                network.size_after.zstd_bytes,
            ),
            [
                f"{name}: zero weights",
                f"{network.sparsity_before:.1%}",
                f"{network.sparsity_after:.1%}",
                "",
            ],
            [
                f"{name}: latency, one thread",
                f"{network.latency.before_ms:.1f} ms",
                f"{network.latency.after_ms:.1f} ms",
                f"{network.latency.ratio:.1f}x faster",
            ],
            *_parity_rows(name, network.parity),
        ]
    return columns, rows


def layer_table(report: Report) -> Table:
    """The layers that add the most error: columns and rows."""
    columns = ["layer", "signal to noise", "noise it added itself"]
    rows = [
        [f"{name}: {layer.layer}", f"{layer.snr_db:.1f} dB", f"{layer.added_noise:.2e}"]
        for name, network in report.networks.items()
        for layer in network.worst_layers
    ]
    return columns, rows


def bought_table(report: Report) -> Table:
    """What each pruning bought: columns and rows."""
    columns = ["pruning", "ms", "weights", "bytes", "zstd bytes", "IoU", "agreement"]
    rows = []
    for bought in report.bought:
        before, after = bought.size_before, bought.size_after
        labelled = bought.iou_before is not None and bought.iou_after is not None
        rows.append(
            [
                f"{bought.kind} ({bought.measured_as})",
                f"{bought.latency.before_ms:.1f} to {bought.latency.after_ms:.1f}"
                f" ({1 / bought.latency.ratio:.2f}x)",
                f"{bought.parameters[0]:,} to {bought.parameters[1]:,}",
                f"{before.raw_bytes:,} to {after.raw_bytes:,}",
                f"{before.zstd_bytes:,} to {after.zstd_bytes:,}",
                f"{bought.iou_before:.4f} to {bought.iou_after:.4f}" if labelled else "-",
                f"{bought.iou_agreement:.4f}",
            ]
        )
    return columns, rows


def notes(report: Report) -> list[str]:
    """What there is to say of each network's graph, and of the data: one line each."""
    lines = [f"{bought.kind} pruning: {bought.removed}" for bought in report.bought]
    for name, network in report.networks.items():
        lines += [f"{name}: {line}" for line in _graph_notes(network)]
    lines.append(f"calibrated on {report.representative}")
    if report.tuning is not None:
        lines.append(f"fine-tuned on {report.tuning}")
    return lines


def _graph_notes(network: NetworkReport) -> list[str]:
    worst = ", ".join(
        f"{layer.layer} {layer.snr_db:.1f} dB" for layer in network.worst_layers[:_NAMED_LAYERS]
    )
    lines = [network.delegation.text(), str(network.joints)]
    return [*lines, f"layers that add the most error: {worst}"] if worst else lines


def _size_row(name: str, what: str, before: int, after: int) -> list[str]:
    return [f"{name}: {what}", f"{before:,}", f"{after:,}", f"{before / after:.1f}x smaller"]


def _parity_rows(name: str, parity: dict[str, Any]) -> list[list[str]]:
    if "cosine_mean" in parity:
        return [
            [f"{name}: cosine, mean", "", f"{parity['cosine_mean']:.4f}", ""],
            [f"{name}: cosine, least", "", f"{parity['cosine_min']:.4f}", ""],
        ]
    rows = []
    if parity["iou_drop"] is not None:
        rows.append(
            [
                f"{name}: IoU against {parity['labelled']} labels",
                f"{parity['iou_float']:.4f}",
                f"{parity['iou_converted']:.4f}",
                f"{-parity['iou_drop']:+.4f}",
            ]
        )
    return [
        *rows,
        [f"{name}: IoU agreement", "", f"{parity['iou_agreement']:.4f}", ""],
        [f"{name}: mask error, mean", "", f"{parity['mask_error_mean']:.4f}", ""],
        [f"{name}: mask error, largest", "", f"{parity['mask_error_max']:.4f}", ""],
    ]
