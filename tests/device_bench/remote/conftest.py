"""A device for every test below, and a model that no framework is needed for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.device_bench.remote import sshd
from tests.edgeseg.handmade import red_segmenter


@pytest.fixture(scope="session")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Device]:
    """A real sshd on loopback."""
    if sshd.ABSENT:
        pytest.skip(sshd.ABSENT)
    with sshd.device(tmp_path_factory.mktemp("device")) as started:
        yield started


@pytest.fixture
def make_device(tmp_path: Path) -> Iterator[Callable[..., sshd.Device]]:
    """Starts a device of another kind, see ``sshd.device``."""
    if sshd.ABSENT:
        pytest.skip(sshd.ABSENT)
    import contextlib

    with contextlib.ExitStack() as stack:

        def make(**kind: object) -> sshd.Device:
            folder = tmp_path / "device"
            folder.mkdir()
            return stack.enter_context(sshd.device(folder, **kind))  # type: ignore[arg-type]

        yield make


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TFLite model of a dozen weights."""
    # A name that a careless shell would trip over.
    path = tmp_path_factory.mktemp("models") / '-it\'s a "red" $(one); \\x.tflite'
    path.write_bytes(red_segmenter())
    return path
