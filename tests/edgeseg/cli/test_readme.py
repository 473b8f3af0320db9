"""The README's Python is run as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgeseg import presets


def test_five_lines_of_python(
    repository: Path,
    photo: Path,
    catalogue: Path,
    bundle_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    photo.rename(photo.with_name("jacket.jpg"))
    assert catalogue.name == "shop.catalogue"
    monkeypatch.chdir(photo.parent)
    monkeypatch.setattr(presets, "preset_path", lambda *_: bundle_path)
    exec(compile(code, "README.md", "exec"), {})
    first = capsysbinary.readouterr().out.decode().splitlines()[0]
    assert first.startswith("1 R1 0.")
