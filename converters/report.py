"""The report of a conversion: what is kept in the bundle and what the command prints."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

import zstandard

from converters.latency import Latency

ZSTD_LEVEL = 19
_TOOLS = (
    "tensorflow",
    "tf_keras",
    "tensorflow-model-optimization",
    "ai-edge-litert",
    "tflite-runtime",
    "numpy",
)


@dataclass(frozen=True)
class Size:
    """Bytes of a model: as it is, and under ``zstd -19``."""

    raw_bytes: int
    zstd_bytes: int

    @classmethod
    def of(cls, model: bytes) -> Size:
        """Measures a model."""
        compressed = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(model)
        return cls(len(model), len(compressed))


@dataclass(frozen=True)
class NetworkReport:
    """One network, before (float32, as trained) and after.

    Attributes:
        quantization: what was done to this network.
        parameters: weights of the float network.
        size_before, size_after: of the TFLite models.
        sparsity_before, sparsity_after: share of zeros among the weights.
        latency: median milliseconds on the machine that converted.
        operations: of the converted graph, by name.
        direct_input: whether a photo's bytes are the model's input as they are.
        parity: see :mod:`converters.parity`.
    """

    quantization: str
    parameters: int
    size_before: Size
    size_after: Size
    sparsity_before: float
    sparsity_after: float
    latency: Latency
    operations: dict[str, int]
    direct_input: bool
    parity: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {**asdict(self), "latency": {**asdict(self.latency), "ratio": self.latency.ratio}}


@dataclass(frozen=True)
class Report:
    """A conversion.

    Attributes:
        recipe: as it was used, overrides included.
        representative: the calibration pictures, in words.
        tuning: the data of pruning or simulated quantization, in words; None without either.
        networks: by ``segmenter`` and ``embedder``.
        tools: versions by name.
    """

    recipe: dict[str, Any]
    representative: str
    tuning: str | None
    networks: dict[str, NetworkReport]
    tools: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "recipe": self.recipe,
            "representative": self.representative,
            "tuning": self.tuning,
            "networks": {name: network.to_dict() for name, network in self.networks.items()},
            "tools": self.tools,
        }

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows, for people."""
        columns = ["", "before", "after", "change"]
        rows: list[list[str]] = []
        for name, network in self.networks.items():
            rows += [
                [f"{name}: parameters", f"{network.parameters:,}", "", ""],
                _size_row(
                    name, "bytes", network.size_before.raw_bytes, network.size_after.raw_bytes
                ),
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


def tool_versions() -> dict[str, str]:
    """Versions of what made the bundle."""
    versions = {"python": platform.python_version(), "platform": sys.platform}
    for name in _TOOLS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            # Only one of the two TFLite runtimes is installed.
            continue
    return versions


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
