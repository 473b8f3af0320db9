"""The rewritten network gives the same bytes, in one partition."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from converters.evaluation.layers import layer_errors
from converters.representative import calibration_input, drawn_photographs, network_input
from converters.tflite.conversion import anatomy, to_tflite
from converters.tflite.delegation import delegation
from converters.tflite.one_partition import without_nearest_resize
from edgeseg.interpreter import Interpreter
from edgeseg.runtime import load_model
from edgeseg.training.networks.tiramisu import TIRAMISUS
from tests.converters.conftest import STRETCH, build

layers = tf_keras.layers
PICTURES = network_input(drawn_photographs(4, 0), STRETCH)
CALIBRATION = calibration_input(PICTURES, STRETCH)


def _cut(model: bytes) -> int:
    return anatomy(model).operations.get("RESIZE_NEAREST_NEIGHBOR", 0)


def _resized(**options: Any) -> bytes:
    inputs = tf_keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    return to_tflite(tf_keras.Model(inputs, layers.UpSampling2D(**options)(x)), "none")


@pytest.mark.parametrize("quantization", ["none", "float16", "static"])
def test_a_tiramisu_gives_the_same_bits_in_one_partition(quantization: Any) -> None:
    before = to_tflite(build(TIRAMISUS["test_tiny"]), quantization, CALIBRATION)
    after = without_nearest_resize(before)
    assert _cut(before) == 2
    assert _cut(after) == 0
    assert delegation(before).partitions == 3
    found = delegation(after)
    assert found.partitions == 1
    # A photo's bytes come in and confidences go out as uint8.
    assert {each.operator for each in found.kept} <= {"QUANTIZE"}
    one, other = Interpreter(before), Interpreter(after)
    assert (other.input_dtype, other.output_dtype) == (one.input_dtype, one.output_dtype)
    for picture in STRETCH.normalized(PICTURES):
        np.testing.assert_array_equal(other.run(picture[None]), one.run(picture[None]))


def test_layers_are_still_found_by_their_names() -> None:
    model = build(TIRAMISUS["test_tiny"])
    names = [layer.name for layer in model.layers]
    before = to_tflite(model, "none")
    after = without_nearest_resize(to_tflite(model, "static", CALIBRATION))
    found = {each.layer: each for each in layer_errors(before, after, names, [CALIBRATION[:1]])}
    assert found["up0_transition_resize"].snr_db > 10


def test_the_signature_stays() -> None:
    before = _resized(size=2, interpolation="nearest")
    signatures = [
        load_model(model)[0].get_signature_list()
        for model in (before, without_nearest_resize(before))
    ]
    assert signatures[0] == signatures[1] != {}


@pytest.mark.parametrize(
    "options",
    [{"size": 3, "interpolation": "nearest"}, {"size": (1, 2), "interpolation": "nearest"}],
)
def test_another_factor_stays(options: Any) -> None:
    model = _resized(**options)
    assert _cut(model) == 1
    assert without_nearest_resize(model) is model


def test_aligned_corners_stay() -> None:
    function = tf.function(
        lambda x: tf.compat.v1.image.resize_nearest_neighbor(x, (8, 8), align_corners=True)
    ).get_concrete_function(tf.TensorSpec((1, 4, 4, 3), tf.float32))
    model = bytes(tf.lite.TFLiteConverter.from_concrete_functions([function]).convert())
    assert _cut(model) == 1
    assert without_nearest_resize(model) is model


def test_int16_stays() -> None:
    model = to_tflite(build(TIRAMISUS["test_tiny"]), "static", CALIBRATION, "int16")
    assert _cut(model) == 2
    assert without_nearest_resize(model) is model


def test_a_network_without_any_stays_as_it_is() -> None:
    network = replace(TIRAMISUS["test_tiny"], upsampling="bilinear")
    model = to_tflite(build(network), "none")
    assert without_nearest_resize(model) is model
