from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeseg import __version__
from edgeseg.cli import doctor
from tests.edgeseg.cli.conftest import RunCli


def test_all_is_well(cli: RunCli, bundle_path: Path, catalogue: Path) -> None:
    ran = cli("doctor", "--bundle", bundle_path, "--catalogue", catalogue, "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["edgeseg"]["version"] == __version__
    assert told["problems"] == []
    assert set(told["bundle"]["networks"]) == {"segmenter", "embedder"}
    assert told["bundle"]["networks"]["embedder"]["output_shape"] == [1, 4]
    assert told["bundle"]["catalogue"]["items"] == 3
    assert told["machine"]["cores"] >= 1
    plain = cli("doctor", "--bundle", bundle_path)
    assert plain.code == 0
    assert "all is well" in plain.out.decode()


def test_a_damaged_bundle_is_a_problem_and_the_rest_is_still_told(
    cli: RunCli, bundle_path: Path, tmp_path: Path
) -> None:
    data = bytearray(bundle_path.read_bytes())
    data[len(data) // 2] ^= 255
    damaged = tmp_path / "damaged.bundle"
    damaged.write_bytes(data)
    ran = cli("doctor", "--bundle", damaged, "--json")
    assert ran.code == 1
    told = json.loads(ran.out)
    assert told["bundle"] is None
    assert len(told["problems"]) == 1
    assert told["versions"]["numpy"]
    plain = cli("doctor", "--bundle", damaged)
    assert plain.code == 1
    assert str(damaged) in plain.err


def test_a_missing_distribution_is_a_problem(
    cli: RunCli, bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_RUNTIME_DISTRIBUTIONS", ("numpy", "no-such-distribution"))
    ran = cli("doctor", "--bundle", bundle_path)
    assert ran.code == 1
    assert "no-such-distribution is not installed" in ran.err
    assert "MISSING" in ran.out.decode()


def test_version(cli: RunCli) -> None:
    ran = cli("--version")
    assert (ran.code, ran.out.decode()) == (0, f"edgeseg {__version__}\n")
