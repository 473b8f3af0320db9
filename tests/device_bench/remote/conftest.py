"""A device for every test below, and a model that no framework is needed for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device_bench.remote import sshd
from tests.device_bench.remote.adb import Phone
from tests.edgeseg.handmade import red_segmenter


@pytest.fixture(scope="session")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Device]:
    """A real sshd on loopback."""
    if sshd.ABSENT:
        pytest.skip(sshd.ABSENT)
    with sshd.device(tmp_path_factory.mktemp("device")) as started:
        yield started


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Phone:
    """A phone that a pretended adb reaches."""
    made = Phone(tmp_path / "phone")
    monkeypatch.setenv("PATH", str(made.tools), prepend=os.pathsep)
    return made


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TFLite model of a dozen weights."""
    # A name that a careless shell would trip over.
    path = tmp_path_factory.mktemp("models") / '-it\'s a "red" $(one); \\x.tflite'
    path.write_bytes(red_segmenter())
    return path
