"""Pruning reaches its sparsity; simulated quantization gives the int8 graph that was meant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from converters.fine_tune import TuningData, bce_soft_iou, fine_tune, self_taught
from converters.photographs import resized_mask
from converters.prune import prune
from converters.quantize import quantize_aware
from converters.recipe import FineTuning, Pruning
from converters.representative import (
    calibration_input,
    drawn_photographs,
    network_input,
    representative_set,
)
from converters.tflite import anatomy, to_tflite
from edgeseg.errors import ModelContractError
from edgeseg.interpreter import Interpreter
from edgeseg.training.networks.tiramisu import TIRAMISUS
from tests.converters.conftest import STRETCH, build

PICTURES = network_input(drawn_photographs(8, 0), STRETCH)
FEW_STEPS = FineTuning(epochs=3, batch=4, learning_rate=1e-3)


def _kernels(model: Any) -> dict[str, Any]:
    return {
        layer.name: layer.get_weights()[0] for layer in model.layers if layer.name.endswith("_conv")
    }


def _drawn_data() -> TuningData:
    drawn = drawn_photographs(8, 0)
    masks = np.stack([resized_mask(p.mask, STRETCH) for p in drawn if p.mask is not None])
    return TuningData("drawings", pictures=PICTURES, targets=masks[..., None].astype(np.float32))


def test_pruning_reaches_its_sparsity_and_repeats(tiny: Any) -> None:
    before = _kernels(tiny)
    pruning = Pruning(0.6, fine_tuning=FEW_STEPS)
    first = prune(tiny, pruning, _drawn_data(), STRETCH, seed=3)
    assert [type(layer).__name__ for layer in first.layers] == [
        type(layer).__name__ for layer in tiny.layers
    ], "wrappers are stripped"
    for name, kernel in _kernels(first).items():
        share = float(np.mean(kernel == 0))
        if name in ("stem_conv", "head_conv"):
            assert share == 0, name
        else:
            # tfmot prunes a whole number of weights: at most one off.
            assert share == pytest.approx(0.6, abs=1.5 / kernel.size), name
    assert all(np.array_equal(before[name], kernel) for name, kernel in _kernels(tiny).items())
    again = _kernels(prune(tiny, pruning, _drawn_data(), STRETCH, seed=3))
    assert all(np.array_equal(again[name], kernel) for name, kernel in _kernels(first).items())
    int8 = to_tflite(first, "static", calibration_input(PICTURES, STRETCH))
    assert anatomy(int8).sparsity > 0.5, "zeros stay zeros in int8"


def test_fine_tuning_lowers_the_loss(tiny: Any) -> None:
    data = _drawn_data()
    steps = []
    # The random statistics of this network are not its pictures': left to learn them, sixteen
    # steps would tell of nothing else.
    for layer in tiny.layers:
        if layer.name.endswith("_bn"):
            layer.trainable = False
    inputs = STRETCH.normalized(PICTURES)

    def loss() -> float:
        return float(np.mean(bce_soft_iou(data.targets, tiny.predict(inputs, verbose=0))))

    before = loss()
    options = FineTuning(epochs=8, batch=4, learning_rate=5e-3)
    fine_tune(
        tiny, data, STRETCH, options, 0, on_progress=lambda done, all_: steps.append((done, all_))
    )
    assert loss() < before
    assert steps[-1] == (16, 16)


def test_the_loss_is_finite_at_the_ends_of_a_quantized_sigmoid() -> None:
    ends = np.array([0.0, 1.0], np.float32).reshape(1, 1, 2, 1)
    assert np.isfinite(bce_soft_iou(1 - ends, ends)).all()
    assert float(bce_soft_iou(ends, ends)[0]) < 0.02


def test_without_labels_the_float_network_teaches(tiny: Any) -> None:
    data = self_taught(tiny, representative_set((), 4, 0), STRETCH)
    assert data.targets is not None
    assert data.targets.shape == (4, 32, 32, 1)
    assert "drawn" in data.source
    assert "float network" in data.source


def test_simulated_quantization_is_what_the_int8_graph_does(tiny: Any) -> None:
    calibration = calibration_input(PICTURES, STRETCH)
    quantized = quantize_aware(tiny, STRETCH, calibration)
    options = FineTuning(epochs=1, batch=4, learning_rate=1e-4)
    fine_tune(quantized, _drawn_data(), STRETCH, options, 0)
    converted = to_tflite(quantized, "aware")
    found = anatomy(converted)
    # One at each end: nothing in between is rescaled.
    assert found.operations["QUANTIZE"] == 2, found.operations
    assert "DEQUANTIZE" not in found.operations
    assert found.takes_bytes(STRETCH)
    interpreter = Interpreter(converted)
    simulated = quantized.predict(STRETCH.normalized(PICTURES), verbose=0)
    actual = np.concatenate([interpreter.run(p[None]) for p in STRETCH.normalized(PICTURES)])
    # Rounding on a tie may go the other way in a layer, and the layers behind carry it on; a
    # wrong range would show in every pixel.
    assert np.abs(actual - simulated).mean() < 2 / 255


def test_simulated_quantization_starts_near_the_float_network(tiny: Any) -> None:
    inputs = STRETCH.normalized(PICTURES)
    quantized = quantize_aware(tiny, STRETCH, calibration_input(PICTURES, STRETCH))
    error = np.abs(quantized.predict(inputs, verbose=0) - tiny.predict(inputs, verbose=0))
    assert error.mean() < 0.02, "before any step; kernels in a range of [-6, 6] would be far off"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"order": "bn_relu_conv"}, "conv_bn_relu"),
        ({"activation_ceiling": None}, "ReLU"),
    ],
)
def test_a_network_that_cannot_be_simulated_is_refused(change: dict[str, Any], said: str) -> None:
    model = build(replace(TIRAMISUS["test_tiny"], **change))
    with pytest.raises(ModelContractError, match=said):
        quantize_aware(model, STRETCH, calibration_input(PICTURES, STRETCH))
