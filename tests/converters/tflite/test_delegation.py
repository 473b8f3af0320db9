"""What falls back, in how many pieces, and whether the reason told is the true one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from converters.representative import calibration_input, drawn_photographs, network_input
from converters.tflite.conversion import converter_of, to_tflite
from converters.tflite.delegation import UNEXPLAINED, Delegation, Kept, delegation
from edgeseg.errors import ModelContractError
from edgeseg.presets import PRESETS, open_bundle
from edgeseg.runtime import load_model, operators
from edgeseg.training.networks.tiramisu import TIRAMISUS
from tests.converters.conftest import STRETCH, build

layers = tf_keras.layers
SHAPE = (8, 8, 8)
Network = Callable[[Any], Any]


def _conv(x: Any, filters: int = 16) -> Any:
    # 16 filters: the converter leaves kernels of fewer than 1,024 weights in float32.
    return layers.Conv2D(filters, 3, padding="same")(x)


def _converted(network: Network, quantization: str) -> bytes:
    inputs = tf_keras.Input(SHAPE)
    model = tf_keras.Model(inputs, network(inputs))
    function = tf.function(lambda x: model(x)).get_concrete_function(
        tf.TensorSpec((1, *SHAPE), tf.float32)
    )
    converter = converter_of(function)
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(2, 1, *SHAPE)).astype(np.float32)
    if quantization != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization in ("int8", "int16"):
        converter.representative_dataset = lambda: ([p] for p in pictures)
    if quantization == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    if quantization == "int16":
        sixteen = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [sixteen]
    return bytes(converter.convert())


def _computed_kernel(x: Any) -> Any:
    kernel = tf.reshape(tf.reduce_mean(_conv(x), axis=[1, 2]), [1, 1, 16, 1])
    return tf.nn.conv2d(_conv(x), kernel, 1, "SAME")


NO_SUCH = "XNNPACK has no such operator"
FLOAT_ONLY = "XNNPACK takes it in float32 only"
INT16 = "int16 activations: XNNPACK takes float32 and int8"
FALLING_BACK: dict[str, tuple[Network, str, int, set[Kept]]] = {
    # A cut in the middle makes two of one.
    "nearest resize": (
        lambda x: _conv(layers.UpSampling2D(2, interpolation="nearest")(_conv(x))),
        "none",
        2,
        {Kept("RESIZE_NEAREST_NEIGHBOR", 1, NO_SUCH)},
    ),
    "reflected padding": (
        lambda x: _conv(tf.pad(_conv(x), [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT")),
        "int8",
        2,
        {Kept("MIRROR_PAD", 1, NO_SUCH)},
    ),
    "six concatenated": (
        lambda x: _conv(layers.Concatenate()([_conv(x) for _ in range(6)])),
        "int8",
        2,
        {Kept("CONCATENATION", 1, "6 inputs: XNNPACK takes up to 5")},
    ),
    "average pooling in int8": (
        lambda x: _conv(layers.AveragePooling2D(2)(_conv(x))),
        "int8",
        2,
        {Kept("AVERAGE_POOL_2D", 1, FLOAT_ONLY)},
    ),
    "softmax in int8": (
        lambda x: tf.nn.softmax(_conv(x)),
        "int8",
        1,
        {Kept("SOFTMAX", 1, FLOAT_ONLY)},
    ),
    "a ReLU of its own in int8": (
        lambda x: _conv(tf.nn.relu(x)),
        "int8",
        1,
        {Kept("RELU", 1, FLOAT_ONLY)},
    ),
    "int16 activations": (
        lambda x: _conv(_conv(x)),
        "int16",
        0,
        {Kept("CONV_2D", 2, INT16), Kept("QUANTIZE", 1, INT16), Kept("DEQUANTIZE", 1, INT16)},
    ),
    "dynamic-range depthwise": (
        lambda x: _conv(layers.DepthwiseConv2D(5, padding="same", depth_multiplier=8)(_conv(x))),
        "dynamic",
        2,
        {Kept("DEPTHWISE_CONV_2D", 1, "int8 weights with float32 activations")},
    ),
    "computed weights": (
        _computed_kernel,
        "none",
        1,
        {Kept("CONV_2D", 1, "its weights are computed, not constant")},
    ),
    "subsampling by pooling": (
        lambda x: _conv(layers.MaxPool2D(1, 2)(_conv(x))),
        "int8",
        2,
        {Kept("MAX_POOL_2D", 1, "its stride is larger than its window")},
    ),
    "a transposed convolution with gaps": (
        lambda x: _conv(layers.Conv2DTranspose(16, 1, strides=2, padding="same")(_conv(x))),
        "float16",
        2,
        {
            Kept("TRANSPOSE_CONV", 1, "its stride is larger than its kernel"),
            Kept("DEQUANTIZE", 1, "unpacks weights of an operator that is left"),
        },
    ),
    "a strided slice": (
        lambda x: _conv(_conv(x)[:, ::2, ::2]),
        "int8",
        2,
        {Kept("STRIDED_SLICE", 1, "a stride other than 1")},
    ),
    "a slice that drops an axis": (
        lambda x: _conv(tf.expand_dims(_conv(x), 1)[:, 0]),
        "none",
        2,
        {Kept("STRIDED_SLICE", 1, "it drops or adds axes")},
    ),
    "a cast": (
        lambda x: _conv(tf.cast(tf.cast(_conv(x), tf.int32), tf.float32)),
        "none",
        2,
        {Kept("CAST", 2, NO_SUCH)},
    ),
}
TAKEN: dict[str, tuple[Network, str]] = {
    "bilinear resize": (
        lambda x: _conv(layers.UpSampling2D(2, interpolation="bilinear")(x)),
        "int8",
    ),
    "five concatenated": (
        lambda x: _conv(layers.Concatenate()([_conv(x) for _ in range(5)])),
        "int8",
    ),
    "per-channel transposed convolution": (
        lambda x: _conv(layers.Conv2DTranspose(16, 3, strides=2, padding="same")(_conv(x))),
        "int8",
    ),
    "nearest resize by depth to space": (
        lambda x: _conv(tf.nn.depth_to_space(layers.Concatenate()([_conv(x)] * 4), 2)),
        "int8",
    ),
    "float16 weights": (lambda x: _conv(_conv(x)), "float16"),
    "dynamic-range convolutions": (lambda x: _conv(_conv(x)), "dynamic"),
}


@pytest.mark.parametrize("case", FALLING_BACK)
def test_each_operator_that_falls_back_is_told_with_its_reason(case: str) -> None:
    network, quantization, partitions, kept = FALLING_BACK[case]
    found = delegation(_converted(network, quantization))
    assert set(found.kept) == kept
    assert found.partitions == partitions
    assert UNEXPLAINED not in found.text()


@pytest.mark.parametrize("case", TAKEN)
def test_what_xnnpack_takes_is_one_partition(case: str) -> None:
    found = delegation(_converted(*TAKEN[case]))
    assert found.kept == ()
    assert found.partitions == 1


def test_the_device_network_is_told_as_it_is() -> None:
    model = build(TIRAMISUS["test_tiny"])
    calibration = calibration_input(network_input(drawn_photographs(2, 0), STRETCH), STRETCH)
    found = delegation(to_tflite(model, "static", calibration))
    kept = {each.operator: each for each in found.kept}
    # A photo's bytes come in and confidences go out as uint8.
    assert kept["QUANTIZE"] == Kept("QUANTIZE", 2, "changes between uint8 and int8")
    # Each of the two transitions up cuts the network once.
    assert kept["RESIZE_NEAREST_NEIGHBOR"].count == found.partitions - 1 == 2
    assert "CONV_2D" in found.delegated


@pytest.mark.parametrize("name", PRESETS)
def test_a_shipped_preset_runs_in_one_partition(name: str) -> None:
    bundle = open_bundle(name)
    for model in (bundle.segmenter_model, bundle.embedder_model):
        assert model is not None
        found = delegation(model)
        assert found.partitions == 1
        # At the two ends, where bytes come in and go out.
        assert {each.operator for each in found.kept} <= {"QUANTIZE"}


def test_tensors_inside_a_partition_have_no_memory_of_their_own() -> None:
    """The runtime's word on what it delegated, read in another way."""
    resize = layers.UpSampling2D(2, interpolation="nearest")
    model = _converted(lambda x: _conv(_conv(resize(_conv(_conv(x))))), "none")
    assert [each.partition for each in operators(model)] == [0, 0, None, 1, 1]
    interpreter, _ = load_model(model)
    made = [
        operator["outputs"][0]
        for operator in interpreter._get_ops_details()
        if operator["op_name"] != "DELEGATE"
    ]
    for tensor in (made[0], made[3]):
        with pytest.raises(ValueError, match="null"):
            interpreter.get_tensor(tensor)
    for tensor in (made[1], made[2], made[4]):
        interpreter.get_tensor(tensor)


def test_the_report_is_json_and_a_line() -> None:
    found = Delegation(
        2, {"CONV_2D": 3}, (Kept("GATHER", 1, NO_SUCH), Kept("CAST", 2, NO_SUCH)), "litert 1"
    )
    assert json.loads(json.dumps(found.to_dict())) == {
        "partitions": 2,
        "delegated": {"CONV_2D": 3},
        "kept": [
            {"operator": "GATHER", "count": 1, "reason": NO_SUCH},
            {"operator": "CAST", "count": 2, "reason": NO_SUCH},
        ],
        "runtime": "litert 1",
    }
    assert found.text() == (
        "XNNPACK runs 3 of 6 operators in 2 partitions; left: "
        f"1 GATHER ({NO_SUCH}), 2 CAST ({NO_SUCH})"
    )
    assert Delegation(1, {"CONV_2D": 1}, (), "r").text() == (
        "XNNPACK runs 1 of 1 operators in 1 partition"
    )


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(ModelContractError, match="not a TFLite file"):
        delegation(b"no model at all")
