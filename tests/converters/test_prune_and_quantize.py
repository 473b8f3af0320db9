"""Magnitude pruning reaches its sparsity; fine-tuning learns from what it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.fine_tune import Batches, TuningData, bce_soft_iou, fine_tune, self_taught
from converters.photographs import resized_mask
from converters.pruning.magnitude import prune
from converters.recipe import FineTuning, Pruning
from converters.representative import (
    calibration_input,
    drawn_photographs,
    network_input,
    representative_set,
)
from converters.tflite.conversion import anatomy, to_tflite
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.dataset import Sample
from tests.converters.conftest import PADDED, STRETCH

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


@pytest.mark.parametrize("preprocessing", [STRETCH, PADDED])
def test_a_target_is_learnt_in_place_of_the_mask(preprocessing: Preprocessing) -> None:
    image = np.full((40, 40, 3), 90, np.uint8)
    mask = np.ones((40, 40), np.uint8)
    target = np.full((40, 40), 51, np.uint8)
    samples = (Sample(image, mask, 0, Path("a.png"), target),)
    options = FineTuning(epochs=1, batch=1)
    _, learnt = Batches(TuningData("", samples=samples), preprocessing, options, 0)[0]
    # Away from the border, which a variant may have moved into the frame.
    assert learnt[0, 12:20, 12:20] == pytest.approx(51 / 255, abs=0.01)
