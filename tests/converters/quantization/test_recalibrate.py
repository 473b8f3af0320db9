"""Every batch normalization gets the exact statistics of its input, whatever the batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tf_keras
from numpy.typing import NDArray

from converters.quantization.recalibrate import recalibrate_batch_norm
from converters.representative import drawn_photographs, network_input
from edgeseg.errors import ModelContractError
from edgeseg.training.networks.embedder import EMBEDDERS
from edgeseg.training.networks.tiramisu import TIRAMISUS
from tests.converters.conftest import SIDE_PX, STRETCH, build, lively

layers = tf_keras.layers
PICTURES = STRETCH.normalized(network_input(drawn_photographs(7, 0), STRETCH))


def _normalizations(model: Any) -> list[Any]:
    return [each for each in model.layers if isinstance(each, layers.BatchNormalization)]


def _inputs_of(model: Any, found: list[Any]) -> list[NDArray[np.float64]]:
    tapped = tf_keras.Model(model.input, [each.input for each in found])
    outputs = tapped.predict(PICTURES, verbose=0)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return [np.asarray(each, np.float64).reshape(-1, each.shape[-1]) for each in outputs]


def test_against_a_hand_computation() -> None:
    inputs = tf_keras.Input((2, 1, 1))
    x = layers.Conv2D(1, 1, use_bias=False, name="conv")(inputs)
    x = layers.BatchNormalization(epsilon=0.25, name="bn0")(x)
    x = layers.ReLU()(x)
    model = tf_keras.Model(inputs, layers.BatchNormalization(epsilon=0.25, name="bn1")(x))
    model.get_layer("conv").set_weights([np.full((1, 1, 1, 1), 2.0)])
    model.get_layer("bn0").set_weights([np.array([w]) for w in (3.0, 1.0, 9.0, 9.0)])
    pictures = np.array([0, 1, 2, 1], np.float32).reshape(2, 2, 1, 1)
    recalibrate_batch_norm(model, pictures, batch=1)
    # Times 2: 0, 2, 4, 2 of mean 2 and variance 2. Over sqrt(2.25), times 3, plus 1: -3, 1, 5, 1,
    # and after the ReLU 0, 1, 5, 1 of mean 7/4 and variance 27/4 - 49/16 = 59/16.
    assert model.get_layer("bn0").get_weights() == [3.0, 1.0, 2.0, 2.0]
    after = [float(weight[0]) for weight in model.get_layer("bn1").get_weights()]
    assert after == pytest.approx([1, 0, 7 / 4, 59 / 16], rel=1e-6)


@pytest.mark.parametrize("order", ["conv_bn_relu", "bn_relu_conv"])
def test_each_layer_of_a_tiramisu_has_its_inputs_statistics(order: Any) -> None:
    model = build(replace(TIRAMISUS["test_tiny"], order=order))
    before = {w.name: w.numpy() for w in model.weights}
    recalibrate_batch_norm(model, PICTURES, batch=3)
    found = _normalizations(model)
    assert len(found) > 9
    for layer, values in zip(found, _inputs_of(model, found), strict=True):
        # float32 sums in another order, through up to ten layers.
        np.testing.assert_allclose(layer.moving_mean, values.mean(0), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(layer.moving_variance, values.var(0), rtol=1e-3, atol=1e-5)
    for weight in model.weights:
        moved = not np.array_equal(before[weight.name], weight.numpy())
        assert moved == ("moving_" in weight.name), weight.name


def test_sums_and_poolings_of_an_embedder_are_followed() -> None:
    tf_keras.utils.set_random_seed(0)
    model = lively(EMBEDDERS["test_tiny"].build(tf_keras, SIDE_PX))
    recalibrate_batch_norm(model, PICTURES)
    found = _normalizations(model)
    for layer, values in zip(found, _inputs_of(model, found), strict=True):
        np.testing.assert_allclose(layer.moving_mean, values.mean(0), rtol=1e-3, atol=1e-4)


def test_the_batch_makes_no_difference(tiny: Any) -> None:
    other = tf_keras.models.clone_model(tiny)
    other.set_weights(tiny.get_weights())
    recalibrate_batch_norm(tiny, PICTURES, batch=2)
    recalibrate_batch_norm(other, PICTURES[::-1], batch=5)
    for one, another in zip(tiny.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, another, rtol=1e-3, atol=1e-5)


def test_what_cannot_be_followed_is_refused(tiny: Any) -> None:
    with pytest.raises(ValueError, match="0 pictures"):
        recalibrate_batch_norm(tiny, PICTURES[:0])
    with pytest.raises(ValueError, match="batches of 0"):
        recalibrate_batch_norm(tiny, PICTURES, batch=0)
    inputs = tf_keras.Input((4, 4, 3))
    shared = layers.Conv2D(3, 1, name="shared")
    with pytest.raises(ModelContractError, match="shared is used 2 times"):
        recalibrate_batch_norm(tf_keras.Model(inputs, shared(shared(inputs))), PICTURES)
    odd = layers.BatchNormalization(axis=1, name="odd")(inputs)
    with pytest.raises(ModelContractError, match="odd normalizes another axis"):
        recalibrate_batch_norm(tf_keras.Model(inputs, odd), PICTURES)
