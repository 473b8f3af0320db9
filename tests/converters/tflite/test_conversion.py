"""The converted graph itself: its operations, its input, its bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from converters.representative import calibration_input, drawn_photographs, network_input
from converters.tflite.conversion import anatomy, to_tflite
from edgeseg.interpreter import Interpreter
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.networks.tiramisu import TIRAMISUS
from tests.converters.conftest import STRETCH, build

PICTURES = network_input(drawn_photographs(8, 0), STRETCH)
INT8_OPERATIONS = {
    "CONV_2D",
    "CONCATENATION",
    "MAX_POOL_2D",
    "RESIZE_NEAREST_NEIGHBOR",
    "RESIZE_BILINEAR",
    "LOGISTIC",
    "QUANTIZE",
}


@pytest.fixture(scope="module")
def models() -> dict[str, bytes]:
    model = build(TIRAMISUS["test_tiny"])
    calibration = calibration_input(PICTURES, STRETCH)
    return {q: to_tflite(model, q, calibration) for q in ("none", "float16", "dynamic", "static")}


def test_batch_normalization_folds_away(models: dict[str, bytes]) -> None:
    convolutions = anatomy(models["none"]).operations["CONV_2D"]
    for quantization in ("none", "static"):
        operations = anatomy(models[quantization]).operations
        assert set(operations) <= INT8_OPERATIONS, operations
        assert operations["CONV_2D"] == convolutions


def test_int8_input_is_the_photos_bytes(models: dict[str, bytes]) -> None:
    found = anatomy(models["static"])
    assert found.input_bytes
    assert np.float32(found.input_scale) == np.float32(1 / 255)
    assert found.input_zero_point == 0
    assert found.takes_bytes(STRETCH)
    assert not found.takes_bytes(replace(STRETCH, scale=1 / 127.5, offset=-1.0))
    interpreter = Interpreter(models["static"])
    assert interpreter.input_dtype == np.uint8
    assert interpreter.output_dtype == np.uint8
    assert interpreter.input_shape == (1, 32, 32, 3)
    assert not anatomy(models["none"]).takes_bytes(STRETCH)


def test_another_scaling_takes_bytes_too() -> None:
    model = build(TIRAMISUS["test_tiny"])
    preprocessing = Preprocessing(32, "stretch", 1 / 127.5, -1.0)
    converted = to_tflite(model, "static", calibration_input(PICTURES, preprocessing))
    # -1 + 255 * 2 / 255 = 1: 255 steps, and zero lies between two of them. int8 must hold zero
    # exactly, so a byte may be off by one there; off by two would be a wrong scale.
    found = anatomy(converted)
    every_byte = np.arange(256, dtype=np.uint8)
    steps = preprocessing.normalized(every_byte) / found.input_scale + found.input_zero_point
    assert np.abs(np.rint(steps) - every_byte).max() <= 1


def test_smaller_recipes_are_smaller(models: dict[str, bytes]) -> None:
    sizes = {name: len(model) for name, model in models.items()}
    assert sizes["none"] > sizes["float16"] > sizes["static"]
    assert sizes["none"] > sizes["dynamic"]


@pytest.mark.parametrize(
    ("quantization", "tolerance", "reason"),
    [
        ("none", 1e-4, "float32, another order of sums"),
        ("float16", 0.02, "11 bits of each weight"),
        ("dynamic", 0.1, "8 bits of each weight"),
        ("static", 0.15, "8 bits of weights and activations, ten layers deep"),
    ],
)
def test_the_converted_network_says_the_same(
    models: dict[str, bytes], quantization: str, tolerance: float, reason: str
) -> None:
    model = build(TIRAMISUS["test_tiny"])
    interpreter = Interpreter(models[quantization])
    batch = STRETCH.normalized(PICTURES)
    expected = model.predict(batch, verbose=0)
    assert expected.max() - expected.min() > 0.3, "a flat mask would prove nothing"
    actual = np.concatenate([interpreter.run(picture[None]) for picture in batch])
    assert np.abs(actual - expected).max() < tolerance, reason


def test_the_papers_order_converts_to_int8_too() -> None:
    # Transposed convolutions, and a batch normalization that cannot fold: slower, but it runs.
    network = replace(TIRAMISUS["fcdensenet56"], down=(1,), bottleneck=1, stem_filters=8)
    model = build(network)
    converted = to_tflite(model, "static", calibration_input(PICTURES, STRETCH))
    assert "TRANSPOSE_CONV" in anatomy(converted).operations
    assert Interpreter(converted).output_shape == (1, 32, 32, 1)


def test_static_needs_calibration(tiny: Any) -> None:
    with pytest.raises(ValueError, match="calibration"):
        to_tflite(tiny, "static", None)
