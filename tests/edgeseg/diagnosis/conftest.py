"""Sick installations: modules and distributions that stand before the real ones on the path.

A child process finds modules where its parent does, so it gets what is put before the real ones
here, and this process, which has the real ones loaded, is not touched.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Fake = Callable[[str, str], None]
Installed = Callable[[str, str], None]


@pytest.fixture
def sick_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on the path of children."""
    folder = tmp_path / "sick"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def fake(sick_path: Path) -> Fake:
    """Puts a module of some source before the real one; dots make packages."""

    def put(module: str, source: str) -> None:
        *packages, name = module.split(".")
        folder = sick_path
        for package in packages:
            folder /= package
            folder.mkdir(exist_ok=True)
            (folder / "__init__.py").touch()
        (folder / f"{name}.py").write_text(source)

    return put


@pytest.fixture
def installed(sick_path: Path) -> Installed:
    """Puts a distribution's metadata before that of the real one."""

    def put(name: str, version: str) -> None:
        folder = sick_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )

    return put
