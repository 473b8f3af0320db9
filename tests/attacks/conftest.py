"""A shop between two generations: its scanner has the first, and the second is served.

The second has another bundle, and a delta leads to it.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edgeseg.formats.bundle import write_bundle
from edgeseg.formats.manifest import Manifest
from tests.edgeseg.handmade import colour_embedder, network, red_segmenter
from tests.edgeseg.sync.shop import Shop, skus


def _bundle(path: Path, notes: str) -> Path:
    """Of the hand-made networks."""
    manifest = Manifest(
        segmenter=network("segmenter"),
        embedder=network("embedder"),
        created="2020-01-01T00:00:00Z",
        notes=notes,
    )
    sections = {"segmenter.tflite": red_segmenter(), "embedder.tflite": colour_embedder()}
    write_bundle(path, manifest, sections)
    return path


@pytest.fixture(scope="session")
def between(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Made once; each test has a copy."""
    folder: Path = tmp_path_factory.mktemp("between")
    made = Shop.make(folder, _bundle(folder / "first.bundle", "first"))
    made.publish(skus(300))
    made.keep("one")
    made.sync()
    second = replace(made, bundle=_bundle(folder / "second.bundle", "second"))
    second.publish([*skus(295), *skus(5, 900)])
    second.keep("two")
    return second


@pytest.fixture
def shop(tmp_path: Path, between: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """``store`` holds generation 1; 2 is served; ``one`` and ``two`` are copies of what was served.

    It differs from the shop of ``tests/edgeseg/sync``, where nothing is published yet.
    """
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "shop"
    shutil.copytree(between.folder, folder, ignore=shutil.ignore_patterns("one", "two"))
    # Nothing writes into these two.
    for name in ("one", "two"):
        (folder / name).symlink_to(between.folder / name)
    return replace(between, folder=folder, bundle=folder / "second.bundle")
