"""Tiny untrained networks whose confidences spread over the whole range, as a trained one's do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

pytest.importorskip("tensorflow_model_optimization", reason="needs the convert extra")

import tf_keras

from converters.representative import drawn_photographs
from edgeseg.imaging import encode_png
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.checkpoint import Checkpoint, get_weights
from edgeseg.training.networks.embedder import EMBEDDERS
from edgeseg.training.networks.tiramisu import TIRAMISUS, Tiramisu

SIDE_PX = 32
STRETCH = Preprocessing(SIDE_PX, "stretch")
PADDED = Preprocessing(SIDE_PX, "pad_white")


def lively(model: Any, seed: int = 0) -> Any:
    """Random batch statistics and a loud head: otherwise every confidence is near one half."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            count = layer.gamma.shape[0]
            layer.set_weights(
                [
                    rng.uniform(0.6, 1.6, count),
                    rng.normal(0.4, 0.4, count),
                    rng.normal(0, 0.2, count),
                    rng.uniform(0.3, 1.2, count),
                ]
            )
        if layer.name == "head_conv":
            kernel, bias = layer.get_weights()
            kernel -= kernel.mean()
            layer.set_weights([kernel * 2, bias])
    return model


def build(network: Tiramisu) -> Any:
    """A lively ``tf_keras`` segmenter."""
    tf_keras.utils.set_random_seed(1)
    return lively(network.build(tf_keras, SIDE_PX, sigmoid=True))


@pytest.fixture
def tiny() -> Any:
    return build(TIRAMISUS["test_tiny"])


@pytest.fixture(scope="session")
def segmenter_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoints") / "segmenter.safetensors"
    network = TIRAMISUS["test_tiny"]
    weights = get_weights(build(network))
    Checkpoint("segmenter", network, STRETCH, weights, model_version="tiny-1").save(path)
    return path


@pytest.fixture(scope="session")
def embedder_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoints") / "embedder.safetensors"
    network = EMBEDDERS["test_tiny"]
    tf_keras.utils.set_random_seed(2)
    weights = get_weights(lively(network.build(tf_keras, SIDE_PX)))
    Checkpoint("embedder", network, PADDED, weights, model_version="tiny-2").save(path)
    return path


def labelled_folder(folder: Path, count: int = 8) -> Path:
    """Fills a folder with drawings and their masks, half of them for validation."""
    rows = ["image,mask,split"]
    for index, drawn in enumerate(drawn_photographs(count, 9, side_px=48)):
        assert drawn.mask is not None
        (folder / f"{index}.png").write_bytes(encode_png(drawn.image))
        (folder / f"{index}m.png").write_bytes(encode_png(drawn.mask.astype(np.uint8) * 255))
        rows.append(f"{index}.png,{index}m.png,{'val' if index % 2 else 'train'}")
    (folder / "split.csv").write_text("\n".join(rows))
    return folder
