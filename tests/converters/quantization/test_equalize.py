"""Gains that change no output, stop at a ceiling, and help where a tensor has one scale."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from converters.quantization.equalize import equalize
from converters.representative import drawn_photographs, network_input
from edgeseg.errors import ModelContractError
from edgeseg.interpreter import Interpreter
from edgeseg.training.networks.embedder import EMBEDDERS
from edgeseg.training.networks.tiramisu import TIRAMISUS
from tests.converters.conftest import SIDE_PX, STRETCH, build, lively

layers = tf_keras.layers
PICTURES = STRETCH.normalized(network_input(drawn_photographs(6, 0), STRETCH))
# Per channel, in steps of a factor of ten.
UNEQUAL = np.array([100.0, 10.0, 1.0, 0.1, 0.01, 100.0, 1.0, 0.01])


def _chain(ceiling: float | None = None) -> Any:
    """Two convolutions whose common channels have unequal ranges and equal effect."""
    tf_keras.utils.set_random_seed(0)
    inputs = tf_keras.Input((SIDE_PX, SIDE_PX, 3))
    x = layers.Conv2D(8, 3, padding="same", name="first")(inputs)
    x = layers.ReLU(ceiling, name="relu")(x)
    model = tf_keras.Model(inputs, layers.Conv2D(4, 3, padding="same", name="second")(x))
    first, second = model.get_layer("first"), model.get_layer("second")
    kernel, bias = first.get_weights()
    first.set_weights([kernel * UNEQUAL, (bias + 0.1) * UNEQUAL])
    kernel, bias = second.get_weights()
    second.set_weights([kernel / UNEQUAL[:, None], bias])
    return model


def _ranges(model: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    before = np.abs(model.get_layer("first").get_weights()[0]).max(axis=(0, 1, 2))
    behind = np.abs(model.get_layer("second").get_weights()[0]).max(axis=(0, 1, 3))
    return before, behind


def _per_tensor_error(model: Any) -> float:
    """Mean squared error of int8 with one scale a weight tensor, over the output's variance."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([p[None]] for p in PICTURES)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter._experimental_disable_per_channel = True
    interpreter = Interpreter(bytes(converter.convert()))
    expected = model.predict(PICTURES, verbose=0)
    actual = np.concatenate([interpreter.run(p[None]) for p in PICTURES])
    return float(np.mean((actual - expected) ** 2) / np.var(expected))


def test_both_sides_get_the_range_of_equation_11() -> None:
    model = _chain()
    before, behind = _ranges(model)
    after = _ranges(equalize(model))
    for side in after:
        np.testing.assert_allclose(side, np.sqrt(before * behind), rtol=1e-5)
    np.testing.assert_array_equal(_ranges(model)[0], before, "the original stays as it is")


def test_it_helps_weights_of_one_scale() -> None:
    model = _chain()
    # Of eight channels' ranges, four orders of magnitude apart, one int8 scale keeps the largest.
    assert _per_tensor_error(model) > 0.05
    assert _per_tensor_error(equalize(model)) < 0.01


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear", "transposed"])
@pytest.mark.parametrize("separable", [False, True])
def test_a_tiramisu_without_a_ceiling_says_the_same(upsampling: Any, separable: bool) -> None:
    network = replace(
        TIRAMISUS["test_tiny"],
        activation_ceiling=None,
        upsampling=upsampling,
        separable=separable,
    )
    model = build(network)
    equalized = equalize(model)
    expected = model.predict(PICTURES, verbose=0)
    # float32 in another order, through ten layers.
    np.testing.assert_allclose(equalized.predict(PICTURES, verbose=0), expected, atol=1e-4)
    moved = [
        layer.name
        for layer, old in zip(equalized.layers, model.layers, strict=True)
        if isinstance(layer, layers.BatchNormalization)
        and not np.allclose(layer.gamma, old.gamma, rtol=0.01)
    ]
    assert len(moved) >= 5, "concatenated features have gains too"


def test_below_a_ceiling_the_pictures_output_stays() -> None:
    model = build(TIRAMISUS["test_tiny"])
    equalized = equalize(model, PICTURES)
    expected = model.predict(PICTURES, verbose=0)
    np.testing.assert_allclose(equalized.predict(PICTURES, verbose=0), expected, atol=1e-4)
    names = [each.name for each in model.layers if isinstance(each, layers.ReLU)]
    tapped = [
        tf_keras.Model(each.input, [each.get_layer(name).output for name in names])
        for each in (model, equalized)
    ]
    changed = 0
    for old, new in zip(*(each.predict(PICTURES, verbose=0) for each in tapped), strict=True):
        old_high, new_high = old.max(axis=(0, 1, 2)), new.max(axis=(0, 1, 2))
        np.testing.assert_array_equal(new_high[old_high == 6], 6)
        changed += int(np.sum(np.abs(new_high - old_high) > 0.01))
    assert changed > 10


def test_a_channel_at_its_ceiling_keeps_its_gain() -> None:
    model = _chain(ceiling=6.0)
    highest = tf_keras.Model(model.input, model.get_layer("relu").output)(PICTURES)
    at_ceiling = np.asarray(highest).max(axis=(0, 1, 2)) == 6
    assert 0 < at_ceiling.sum() < 8
    gains = _ranges(equalize(model, PICTURES))[0] / _ranges(model)[0]
    np.testing.assert_allclose(gains[at_ceiling], 1.0)
    assert np.all(gains[~at_ceiling] != 1.0)


def test_residual_sums_stay_and_what_is_inside_them_moves() -> None:
    tf_keras.utils.set_random_seed(0)
    model = lively(EMBEDDERS["test_tiny"].build(tf_keras, SIDE_PX))
    equalized = equalize(model, PICTURES)
    expected = model.predict(PICTURES, verbose=0)
    np.testing.assert_allclose(equalized.predict(PICTURES, verbose=0), expected, atol=1e-4)
    gains = {
        each.name: equalized.get_layer(each.name).gamma.numpy() / each.gamma.numpy()
        for each in model.layers
        if isinstance(each, layers.BatchNormalization)
    }
    assert np.all(gains["stage0_block0_expand_bn"] == 1)
    assert np.any(gains["stage0_block0_squeeze_bn"] != 1)


def test_where_nothing_may_be_rescaled_it_says_so() -> None:
    with pytest.raises(ModelContractError, match="no channel may be rescaled"):
        equalize(build(TIRAMISUS["test_tiny"]))
    paper = replace(
        TIRAMISUS["test_tiny"], order="bn_relu_conv", activation_ceiling=None, dropout=0.2
    )
    with pytest.raises(ModelContractError, match="no channel may be rescaled"):
        equalize(build(paper), PICTURES)
