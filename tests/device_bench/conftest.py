"""Tiny models for the bench, made once a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SEGMENTER_PX, EMBEDDER_PX, DIM = 32, 32, 16


def _converted(inputs: Any, outputs: Any, keras: Any, tf: Any) -> bytes:
    return bytes(tf.lite.TFLiteConverter.from_keras_model(keras.Model(inputs, outputs)).convert())


@pytest.fixture(scope="session")
def tiny_models() -> dict[str, bytes]:
    """A segmenter and an embedder of a few hundred weights, as TFLite bytes."""
    tf = pytest.importorskip("tensorflow", reason="TensorFlow makes the tiny models")
    keras = pytest.importorskip("tf_keras", reason="TensorFlow makes the tiny models")
    keras.utils.set_random_seed(1)
    photo = keras.Input((SEGMENTER_PX, SEGMENTER_PX, 3), batch_size=1)
    mask = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(photo)
    picture = keras.Input((EMBEDDER_PX, EMBEDDER_PX, 3), batch_size=1)
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 3)(picture))
    embedding = keras.layers.UnitNormalization()(keras.layers.Dense(DIM)(pooled))
    return {
        "segmenter": _converted(photo, mask, keras, tf),
        "embedder": _converted(picture, embedding, keras, tf),
    }


@pytest.fixture(scope="session")
def tiny_model(tiny_models: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The segmenter as a bare file."""
    path = tmp_path_factory.mktemp("models") / "tiny.tflite"
    path.write_bytes(tiny_models["segmenter"])
    return path


@pytest.fixture(scope="session")
def tiny_bundle(tiny_models: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both in a bundle."""
    from edgeseg.formats.bundle import write_bundle
    from edgeseg.formats.manifest import Manifest, NetworkManifest
    from edgeseg.preprocessing import Preprocessing

    segmenter = NetworkManifest(
        section="segmenter.tflite",
        preprocessing=Preprocessing(SEGMENTER_PX, "stretch"),
        parameters=28,
        recipe="float32",
        model_version="test",
        dim=None,
        outputs="confidence_mask",
    )
    embedder = NetworkManifest(
        section="embedder.tflite",
        preprocessing=Preprocessing(EMBEDDER_PX, "pad_white"),
        parameters=368,
        recipe="float32",
        model_version="test",
        dim=DIM,
        outputs="embedding",
    )
    path = tmp_path_factory.mktemp("bundles") / "tiny.bundle"
    write_bundle(
        path,
        Manifest(segmenter, embedder),
        {
            "segmenter.tflite": tiny_models["segmenter"],
            "embedder.tflite": tiny_models["embedder"],
        },
    )
    return path
