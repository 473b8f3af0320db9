"""A shop for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseg.formats.bundle import Bundle, write_bundle
from tests.edgeseg.sync.shop import Shop


@pytest.fixture(scope="session")
def shop_bundle(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hand-made networks' bundle as a file."""
    path: Path = tmp_path_factory.mktemp("shop") / "tiny.bundle"
    write_bundle(path, tiny_bundle.manifest, tiny_bundle.sections())
    return path


@pytest.fixture
def shop(tmp_path: Path, shop_bundle: Path) -> Shop:
    """A publisher with keys and nothing published."""
    return Shop.make(tmp_path, shop_bundle)
