"""Checkpoints: what is saved comes back, and nothing but a checkpoint is taken for one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras
import safetensors.numpy

from edgeseg import files
from edgeseg.errors import EdgesegError, FormatError, ModelContractError
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.checkpoint import Checkpoint, get_weights, load_checkpoint, set_weights
from edgeseg.training.networks.embedder import EMBEDDERS
from edgeseg.training.networks.tiramisu import TIRAMISUS

TINY = TIRAMISUS["test_tiny"]


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return Checkpoint(
        kind="segmenter",
        network=TINY,
        preprocessing=Preprocessing(32, "stretch", scale=1 / 127.5, offset=-1.0),
        weights=get_weights(TINY.build(keras, 32)),
        evaluation={"iou_mean/drawn": 0.5},
        run={"seed": 3, "recipe": {"batch": 4}},
        model_version="tiny-32",
    )


@pytest.fixture
def path(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    checkpoint.save(tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def test_round_trip(checkpoint: Checkpoint, path: Path) -> None:
    read = load_checkpoint(path)
    assert replace(read, weights={}) == replace(checkpoint, weights={})
    assert read.weights.keys() == checkpoint.weights.keys()
    for name, value in checkpoint.weights.items():
        assert read.weights[name].dtype == np.float32
        np.testing.assert_array_equal(read.weights[name], value)
    again = get_weights(read.build(keras))
    for name, value in checkpoint.weights.items():
        np.testing.assert_array_equal(again[name], value)


def test_round_trip_of_an_embedder(tmp_path: Path) -> None:
    network = EMBEDDERS["test_tiny"]
    model = network.build(keras, 32)
    pictures = np.random.default_rng(0).random((2, 32, 32, 3), dtype=np.float32)
    saved = Checkpoint("embedder", network, Preprocessing(32, "pad_white"), get_weights(model))
    saved.save(tmp_path / "e.safetensors")
    rebuilt = load_checkpoint(tmp_path / "e.safetensors").build(keras)
    embeddings = np.asarray(rebuilt(pictures))
    np.testing.assert_array_equal(embeddings, np.asarray(model(pictures)))
    assert embeddings.shape == (2, network.dim)
    # Rounding of a 16-term sum of squares.
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)


def refused(path: Path) -> str:
    with pytest.raises(FormatError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


def test_truncated(path: Path) -> None:
    data = path.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    for length in (0, 1, 7, 8, 9, 8 + header // 2, header - 1, header, header + 1, len(data) - 1):
        path.write_bytes(data[:length])
        refused(path)
    path.write_bytes(data + b"\0")
    refused(path)


def test_damaged_header(path: Path) -> None:
    data = path.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    rng = np.random.default_rng(0)
    told = []
    for place in rng.integers(0, header, size=300):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x15]) + data[place + 1 :])
        try:
            # A letter of a name may change unseen here; a build with such weights is refused.
            load_checkpoint(path)
        except FormatError as error:
            told.append(str(error))
    assert len(told) > 100
    assert not [message for message in told if "\n" in message]


def metadata_of(checkpoint: Checkpoint, path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    read: dict[str, Any] = json.loads(header["__metadata__"]["edgeseg"])
    return read


def test_foreign_files(checkpoint: Checkpoint, path: Path) -> None:
    fine = metadata_of(checkpoint, path)
    foreign = {
        "no metadata": None,
        "another program's": {"format": "pt"},
        "no JSON": {"edgeseg": "{"},
        "a list": {"edgeseg": "[]"},
        "deep": {"edgeseg": "[" * 100_000},
        "no kind": {"edgeseg": json.dumps({**fine, "kind": "classifier"})},
        "odd kind": {"edgeseg": json.dumps({**fine, "kind": []})},
        "odd network": {"edgeseg": json.dumps({**fine, "network": {"down": [1], "depth": 3}})},
        "network of the other kind": {"edgeseg": json.dumps({**fine, "kind": "embedder"})},
        "no network": {"edgeseg": json.dumps({**fine, "network": None})},
        "odd preprocessing": {"edgeseg": json.dumps({**fine, "preprocessing": {"input_px": 1}})},
        "missing": {"edgeseg": json.dumps({k: v for k, v in fine.items() if k != "run"})},
    }
    for metadata in foreign.values():
        path.write_bytes(safetensors.numpy.save(checkpoint.weights, metadata=metadata))
        refused(path)
    for data in (b"PK\x03\x04" + bytes(100), b"\x89HDF\r\n\x1a\n" + bytes(500), bytes(64)):
        path.write_bytes(data)
        refused(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(EdgesegError):
            load_checkpoint(path)


def test_weights_of_another_network(checkpoint: Checkpoint) -> None:
    other = replace(TINY, down=(1, 3)).build(keras, 32)
    with pytest.raises(ModelContractError, match="names differ"):
        set_weights(other, checkpoint.weights)
    wider = replace(TINY, growth_rate=12).build(keras, 32)
    before = get_weights(wider)
    with pytest.raises(ModelContractError, match=r"is \(.*\), not \("):
        set_weights(wider, checkpoint.weights)
    for name, value in get_weights(wider).items():
        np.testing.assert_array_equal(value, before[name])


def test_a_failing_save_leaves_the_old_checkpoint(
    checkpoint: Checkpoint, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = path.read_bytes()

    def full(descriptor: int, piece: memoryview) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "write", full)
    with pytest.raises(EdgesegError, match="disk is full"):
        replace(checkpoint, model_version="newer").save(path)
    monkeypatch.undo()
    assert path.read_bytes() == old
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
