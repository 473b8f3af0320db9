"""What a search found, gathered from its work folder, and the front of those that none beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from converters.search.records import Record, WorkFolder
from converters.search.space import Candidate, Space
from edgeseg.errors import EdgesegError


@dataclass(frozen=True)
class Finding:
    """What is known of one candidate.

    Attributes:
        candidate: which.
        parameters: of the float network.
        model_bytes: of the TFLite file.
        partitions: into how many XNNPACK's part of the graph falls.
        ms: median milliseconds of an invocation, one thread, processor time.
        ratio: of ``ms`` to the reference's in the same run; smaller is faster.
        iou: mean validation IoU by data folder; None where it was not trained.
        score: mean of ``iou``; None where it was not trained.
        on_front: no other is both as fast and as good, and better in one of the two.
    """

    candidate: Candidate
    parameters: int
    model_bytes: int
    partitions: int
    ms: float
    ratio: float
    iou: dict[str, float] | None = None
    score: float | None = None
    on_front: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "name": self.candidate.name,
            "input_px": self.candidate.input_px,
            "quantization": self.candidate.quantization,
            "parameters": self.parameters,
            "model_bytes": self.model_bytes,
            "partitions": self.partitions,
            "ms": self.ms,
            "ratio": self.ratio,
            "iou": self.iou,
            "score": self.score,
            "on_front": self.on_front,
        }


@dataclass(frozen=True)
class Findings:
    """A search's results.

    Attributes:
        space: what was searched.
        found: fastest first.
        set_up: how those with an IoU were trained; None where none was.
        machines: where the latencies were measured.
        runtimes: with which interpreters.
    """

    space: Space
    found: tuple[Finding, ...]
    set_up: Record | None
    machines: tuple[str, ...]
    runtimes: tuple[str, ...]

    @property
    def trained(self) -> tuple[Finding, ...]:
        """Those with an IoU."""
        return tuple(f for f in self.found if f.score is not None)

    @property
    def validated(self) -> list[str]:
        """The data folders that an IoU is known of."""
        return list(self.trained[0].iou or ()) if self.trained else []

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "space": self.space.name,
            "reference": self.space.reference.name,
            "machines": list(self.machines),
            "runtimes": list(self.runtimes),
            "training": self.set_up,
            "candidates": [finding.to_dict() for finding in self.found],
        }

    def table(self, found: Sequence[Finding]) -> tuple[list[str], list[list[str]]]:
        """Column names and a row for each finding."""
        peer = next((f for f in self.found if f.candidate == self.space.peer), None)
        folders = self.validated
        with_iou = any(f.score is not None for f in found)
        columns = ["network", "px", "parameters", "KB", "partitions", "ms", "ratio"]
        columns += [f"faster than {peer.candidate.name}"] if peer is not None else []
        columns += [f"IoU {name}" for name in folders] + ["front"] if with_iou else []
        rows = []
        for f in found:
            row = [f.candidate.name, str(f.candidate.input_px), f"{f.parameters:,}"]
            row += [f"{f.model_bytes / 1000:,.0f}", str(f.partitions)]
            row += [f"{f.ms:.1f}", f"{f.ratio:.2f}"]
            row += [f"{peer.ratio / f.ratio:.1f}x"] if peer is not None else []
            if with_iou:
                iou = f.iou or {}
                row += [f"{iou[name]:.4f}" if name in iou else "-" for name in folders]
                row += ["yes" if f.on_front else ""]
            rows.append(row)
        return columns, rows


def findings(space: Space, folder: WorkFolder) -> Findings:
    """Gathers a work folder's records.

    Raises:
        EdgesegError: no candidate is measured yet, some were measured beside another reference, or
            some were trained otherwise than the others: such figures do not compare.
    """
    found: list[Finding] = []
    set_ups: dict[str, Record] = {}
    machines: set[str] = set()
    runtimes: set[str] = set()
    for candidate in space.candidates:
        cost = folder.read("latency", candidate)
        if cost is None:
            continue
        if cost["reference"] != space.reference.name:
            raise EdgesegError(
                f"{candidate.name} was measured beside {cost['reference']}, not beside "
                f"{space.reference.name}: measure again (--phase latency)"
            )
        machines.add(cost["machine"])
        latency = cost["latency"]
        runtimes.add(latency["runtime"])
        trained = folder.read("training", candidate)
        if trained is not None:
            set_ups[trained["set_up"]["digest"]] = trained["set_up"]
        found.append(
            Finding(
                candidate,
                cost["parameters"],
                cost["model_bytes"],
                cost["delegation"]["partitions"],
                latency["ms"],
                latency["ratio"],
                None if trained is None else trained["training"]["iou"],
                None if trained is None else trained["training"]["score"],
            )
        )
    if not found:
        raise EdgesegError(f"{folder.path}: nothing is measured yet (--phase latency)")
    if len(set_ups) > 1:
        raise EdgesegError(
            "the candidates were trained in different ways (photographs, data, seed, precision or "
            "teacher): train them again (--phase train) in one"
        )
    set_up = next(iter(set_ups.values()), None)
    found.sort(key=lambda finding: finding.ratio)
    return Findings(
        space, tuple(_with_front(found)), set_up, tuple(sorted(machines)), tuple(sorted(runtimes))
    )


def _with_front(found: Sequence[Finding]) -> list[Finding]:
    """The findings, fastest first, with ``on_front`` set: better than every faster one."""
    best = float("-inf")
    marked = []
    for finding in found:
        ahead = finding.score is not None and finding.score > best
        best = finding.score if ahead and finding.score is not None else best
        marked.append(replace(finding, on_front=ahead))
    return marked
