"""Bundles of the hand-made networks, for every test below."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgeseg.colour_descriptor import ColourDescriptor
from edgeseg.formats.bundle import Bundle, write_bundle
from edgeseg.formats.manifest import ColourManifest, Manifest
from tests.edgeseg.handmade import MakeBundle, colour_embedder, network, red_segmenter


@pytest.fixture(scope="session")
def make_bundle(tmp_path_factory: pytest.TempPathFactory) -> MakeBundle:
    """Writes and opens a bundle of the hand-made networks; arguments replace its parts."""

    def make(
        segmenter: bytes | None = None,
        embedder: bytes | None = None,
        with_embedder: bool = True,
        segmenter_changes: dict[str, Any] | None = None,
        embedder_changes: dict[str, Any] | None = None,
        colour: ColourDescriptor | None = None,
    ) -> Bundle:
        path: Path = tmp_path_factory.mktemp("bundle") / "tiny.bundle"
        sections = {"segmenter.tflite": segmenter or red_segmenter()}
        if with_embedder:
            sections["embedder.tflite"] = embedder or colour_embedder()
        changes = dict(embedder_changes or {})
        if colour is not None:
            sections["colour.f16"] = colour.to_bytes()
            changes["colour"] = ColourManifest("colour.f16", colour.dim, colour.share)
            changes["dim"] = 4 + colour.dim
        manifest = Manifest(
            segmenter=network("segmenter", **(segmenter_changes or {})),
            embedder=network("embedder", **changes) if with_embedder else None,
            created="2020-01-01T00:00:00Z",
            notes="",
        )
        write_bundle(path, manifest, sections)
        return Bundle.open(path)

    return make


@pytest.fixture(scope="session")
def tiny_bundle(make_bundle: MakeBundle) -> Bundle:
    """A bundle whose segmenter finds red and whose embedder is a mean colour."""
    return make_bundle()
