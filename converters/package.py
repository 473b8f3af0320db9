"""Packing: converted networks, their manifest and the report become one bundle file."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from converters.report import Report
from edgeseg.errors import EdgesegError
from edgeseg.formats.bundle import (
    EMBEDDER_SECTION,
    REPORT_SECTION,
    SEGMENTER_SECTION,
    write_bundle,
)
from edgeseg.formats.manifest import Manifest, NetworkManifest
from edgeseg.preprocessing import Preprocessing


@dataclass(frozen=True)
class Converted:
    """One converted network, ready to pack.

    Attributes:
        model: TFLite bytes.
        preprocessing: its own, as in the checkpoint.
        parameters: of the float network.
        model_version: of the checkpoint.
        dim: length of the embedding; None for a segmenter.
    """

    model: bytes
    preprocessing: Preprocessing
    parameters: int
    model_version: str
    dim: int | None = None


def manifest_of(recipe_name: str, segmenter: Converted, embedder: Converted | None) -> Manifest:
    """The table of contents of a bundle of these networks."""
    return Manifest(
        segmenter=NetworkManifest(
            section=SEGMENTER_SECTION,
            preprocessing=segmenter.preprocessing,
            parameters=segmenter.parameters,
            recipe=recipe_name,
            model_version=segmenter.model_version,
            dim=None,
            outputs="confidence_mask",
        ),
        embedder=None
        if embedder is None
        else NetworkManifest(
            section=EMBEDDER_SECTION,
            preprocessing=embedder.preprocessing,
            parameters=embedder.parameters,
            recipe=recipe_name,
            model_version=embedder.model_version,
            dim=embedder.dim,
            outputs="embedding",
        ),
        created=_created(),
        notes="",
    )


def write(
    path: Path, recipe_name: str, segmenter: Converted, embedder: Converted | None, report: Report
) -> None:
    """Writes the bundle; the path holds the old file or the new one at any time.

    Raises:
        EdgesegError: the file cannot be written.
    """
    sections = {
        SEGMENTER_SECTION: segmenter.model,
        REPORT_SECTION: json.dumps(report.to_dict(), sort_keys=True, allow_nan=False).encode(),
    }
    if embedder is not None:
        sections[EMBEDDER_SECTION] = embedder.model
    write_bundle(path, manifest_of(recipe_name, segmenter, embedder), sections)


def check_writable(path: Path) -> None:
    """Fails now rather than after the work.

    Raises:
        EdgesegError: the output's folder does not exist or cannot be written to, or the output is
            a folder.
    """
    folder = path.resolve().parent
    if not folder.is_dir():
        raise EdgesegError(f"cannot write {path}: its folder does not exist")
    if path.is_dir():
        raise EdgesegError(f"cannot write {path}: it is a folder")
    if not os.access(folder, os.W_OK):
        raise EdgesegError(f"cannot write {path}: permission denied")


def _created() -> str:
    # SOURCE_DATE_EPOCH is the convention for builds that repeat to the byte.
    moment = float(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
