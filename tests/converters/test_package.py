"""An embedder that is taken over from a bundle stays what it was, to the digest."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="needs the convert extra")

from converters.package import embedder_of, write
from converters.report import Report
from edgeseg.errors import FormatError, ModelContractError
from edgeseg.formats.bundle import Bundle
from edgeseg.presets import preset_path

REPORT = Report(recipe={}, representative="", tuning=None, networks={})


def test_a_bundles_embedder_is_taken_as_it_is(tmp_path: Path) -> None:
    taken = embedder_of(preset_path("small"))
    assert taken is not None
    bundle = Bundle.open(preset_path("small"))
    write(tmp_path / "new.bundle", taken, taken, REPORT)
    assert Bundle.open(tmp_path / "new.bundle").embedder_digest == bundle.embedder_digest


def test_the_presets_share_their_embedder() -> None:
    digests = {Bundle.open(preset_path(name)).embedder_digest for name in ("nano", "small", "base")}
    assert len(digests) == 1


def test_what_is_no_bundle_or_has_no_embedder(tmp_path: Path) -> None:
    assert embedder_of(None) is None
    assert embedder_of(Path("embedder.safetensors")) is None
    taken = embedder_of(preset_path("small"))
    assert taken is not None
    write(tmp_path / "alone.bundle", taken, None, REPORT)
    with pytest.raises(ModelContractError, match="no embedder"):
        embedder_of(tmp_path / "alone.bundle")
    (tmp_path / "bad.bundle").write_bytes(b"bad")
    with pytest.raises(FormatError):
        embedder_of(tmp_path / "bad.bundle")
