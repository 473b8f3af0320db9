"""Limits that truly limit: what fits passes, what does not fails, and nothing stays behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.devices.constrained import Outcome, matched, refused, run_limited
from tests.devices.errors import CannotRunError

ENOUGH_BYTES = 512 * 1000 * 1000
TOO_LITTLE_BYTES = 15 * 1000 * 1000


@pytest.mark.parametrize("limit", ["cgroup", "data", "address"])
def test_a_command_that_fits_runs_and_tells_its_memory(limit: str) -> None:
    try:
        outcome = run_limited(["--version"], limit, ENOUGH_BYTES)
    except CannotRunError as error:
        pytest.skip(str(error))
    assert outcome.code == 0, outcome.stderr
    assert outcome.stdout.startswith("edgeseg ")
    assert outcome.peak_bytes is not None
    assert 5e6 < outcome.peak_bytes < ENOUGH_BYTES


@pytest.mark.parametrize("limit", ["cgroup", "data", "address"])
def test_a_command_that_does_not_fit_fails(limit: str, tmp_path: Path) -> None:
    cutout = tmp_path / "cutout.png"
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"no photo: memory must be short before anybody looks")
    try:
        outcome = run_limited(["segment", photo, "-o", cutout], limit, TOO_LITTLE_BYTES)
    except CannotRunError as error:
        pytest.skip(str(error))
    assert outcome.code != 0
    assert "no photo" not in outcome.stderr
    assert sorted(tmp_path.iterdir()) == [photo]


def _outcome(code: int, stdout: str = "", stderr: str = "") -> Outcome:
    return Outcome("data", 1, code, None, None, stdout, stderr)


def test_what_counts_as_a_match() -> None:
    ten = '{"photos": [{"matches": [' + ",".join(["{}"] * 10) + "]}]}"
    assert matched(_outcome(0, ten))
    assert not matched(_outcome(1, ten))
    assert not matched(_outcome(0, '{"photos": [{"matches": []}]}'))


def test_what_counts_as_an_honest_failure() -> None:
    assert refused(_outcome(-9))
    assert refused(_outcome(1, stderr="edgeseg: out of memory"))
    assert not refused(_outcome(0))
    assert not refused(_outcome(1))
    assert not refused(_outcome(1, stderr="Traceback (most recent call last):\nMemoryError"))
