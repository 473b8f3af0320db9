"""One line of the table that ``--recipe auto`` shows: a recipe or a peer, and how it did."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

COLUMNS = (
    "recipe",
    "ms",
    "faster",
    "bytes",
    "zstd bytes",
    "IoU",
    "drop",
    "agreement",
    "partitions",
    "verdict",
)


@dataclass(frozen=True)
class Figures:
    """What was measured of one compressed segmenter.

    Attributes:
        latency_ms: median of an invocation, one thread.
        ratio: how many times faster than float32, measured in the same run.
        raw_bytes: of the TFLite model.
        zstd_bytes: the same under ``zstd -19``.
        iou: mean IoU against labels; None without labels.
        iou_drop: the fall from the float network's; negative where it is better.
        iou_drop_by_folder: the same for each folder of photographs.
        iou_agreement: mean IoU between its masks and the float network's.
        partitions: XNNPACK's, see :mod:`converters.tflite.delegation`.
        kept: operators that XNNPACK does not run.
    """

    latency_ms: float
    ratio: float
    raw_bytes: int
    zstd_bytes: int
    iou: float | None
    iou_drop: float | None
    iou_drop_by_folder: dict[str, float]
    iou_agreement: float
    partitions: int
    kept: int


@dataclass(frozen=True)
class Trial:
    """A recipe or a peer.

    Attributes:
        name: the recipe's, or the peer's.
        peer: whether it is another tool's work, to compare with only.
        verdict: in words: taken, below the floor by how much, or why there are no figures.
        taken: whether it is the one that was packed.
        figures: None where it could not be made.
    """

    name: str
    peer: bool
    verdict: str
    taken: bool = False
    figures: Figures | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, for the report."""
        return asdict(self)

    def row(self) -> list[str]:
        """The line under ``COLUMNS``."""
        name = f"{self.name} (peer)" if self.peer else self.name
        found = self.figures
        if found is None:
            return [name, *("-",) * (len(COLUMNS) - 2), self.verdict]
        return [
            name,
            f"{found.latency_ms:.2f}",
            f"{found.ratio:.2f}x",
            f"{found.raw_bytes:,}",
            f"{found.zstd_bytes:,}",
            "-" if found.iou is None else f"{found.iou:.4f}",
            "-" if found.iou_drop is None else f"{found.iou_drop:.4f}",
            f"{found.iou_agreement:.4f}",
            f"{found.partitions}, {found.kept} operators outside",
            self.verdict,
        ]
