"""Packing: converted networks, their manifest and the report become one bundle file."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from converters.report import Report
from edgeseg.colour_descriptor import ColourDescriptor
from edgeseg.errors import EdgesegError, ModelContractError
from edgeseg.formats.bundle import (
    COLOUR_SECTION,
    EMBEDDER_SECTION,
    REPORT_SECTION,
    SEGMENTER_SECTION,
    Bundle,
    write_bundle,
)
from edgeseg.formats.manifest import ColourManifest, Manifest, NetworkManifest
from edgeseg.preprocessing import Preprocessing


@dataclass(frozen=True)
class Converted:
    """One converted network, ready to pack.

    Attributes:
        model: TFLite bytes.
        preprocessing: its own, as in the checkpoint.
        parameters: of the float network.
        model_version: of the checkpoint.
        recipe: the name of the recipe that made it.
        dim: length of the embedding; None for a segmenter.
        classes: that a segmenter tells apart; none for one of garments.
        colour: what describes colours beside an embedder's network.
    """

    model: bytes
    preprocessing: Preprocessing
    parameters: int
    model_version: str
    recipe: str
    dim: int | None = None
    classes: tuple[str, ...] = ()
    colour: ColourDescriptor | None = None


def manifest_of(segmenter: Converted, embedder: Converted | None) -> Manifest:
    """The table of contents of a bundle of these networks."""
    return Manifest(
        segmenter=NetworkManifest(
            section=SEGMENTER_SECTION,
            preprocessing=segmenter.preprocessing,
            parameters=segmenter.parameters,
            recipe=segmenter.recipe,
            model_version=segmenter.model_version,
            dim=None,
            outputs="category_scores" if segmenter.classes else "confidence_mask",
            classes=segmenter.classes,
        ),
        embedder=None
        if embedder is None
        else NetworkManifest(
            section=EMBEDDER_SECTION,
            preprocessing=embedder.preprocessing,
            parameters=embedder.parameters,
            recipe=embedder.recipe,
            model_version=embedder.model_version,
            dim=embedder.dim,
            outputs="embedding",
            colour=None
            if embedder.colour is None
            else ColourManifest(COLOUR_SECTION, embedder.colour.dim, embedder.colour.share),
        ),
        created=_created(),
        notes="",
    )


def write(path: Path, segmenter: Converted, embedder: Converted | None, report: Report) -> None:
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
        if embedder.colour is not None:
            sections[COLOUR_SECTION] = embedder.colour.to_bytes()
    write_bundle(path, manifest_of(segmenter, embedder), sections)


def embedder_of(source: Path | None) -> Converted | None:
    """The embedder of a bundle, as it is; None where ``source`` is no bundle.

    Raises:
        FormatError: the bundle is damaged.
        ModelContractError: it has no embedder.
    """
    if source is None or source.suffix != ".bundle":
        return None
    bundle = Bundle.open(source)
    manifest, model = bundle.manifest.embedder, bundle.embedder_model
    if manifest is None or model is None:
        raise ModelContractError(f"{source} holds no embedder")
    return Converted(
        model,
        manifest.preprocessing,
        manifest.parameters,
        manifest.model_version,
        manifest.recipe,
        manifest.dim,
        colour=bundle.colour,
    )


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
