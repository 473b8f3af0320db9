"""Simulated quantization gives the int8 graph that was meant: ranges and joints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from converters.fine_tune import TuningData, fine_tune
from converters.photographs import resized_mask
from converters.quantization.ranges import HEAD, shared_ranges
from converters.quantization.simulation import simulate_int8
from converters.recipe import FineTuning
from converters.representative import calibration_input, drawn_photographs, network_input
from converters.tflite.conversion import anatomy, to_tflite
from converters.tflite.joints import joints
from edgeseg.errors import ModelContractError
from edgeseg.interpreter import Interpreter
from edgeseg.training.networks.tiramisu import TIRAMISUS
from tests.converters.conftest import STRETCH, build

DRAWN = drawn_photographs(8, 0)
PICTURES = network_input(DRAWN, STRETCH)
INPUTS = STRETCH.normalized(PICTURES)
CALIBRATION = calibration_input(PICTURES, STRETCH)
TINY = TIRAMISUS["test_tiny"]
# Without a ceiling every tensor has a range of its own, unless it is made to share one.
UNBOUNDED = replace(TINY, activation_ceiling=None)


def _simulated(model: Any) -> Any:
    return simulate_int8(model, STRETCH, shared_ranges(model, CALIBRATION))


def _run(model: bytes) -> Any:
    interpreter = Interpreter(model)
    return np.concatenate([interpreter.run(picture[None]) for picture in INPUTS])


def test_it_is_what_the_int8_graph_does(tiny: Any) -> None:
    ranges = shared_ranges(tiny, CALIBRATION, to_ceiling=True)
    quantized = simulate_int8(tiny, STRETCH, ranges)
    masks = np.stack([resized_mask(p.mask, STRETCH) for p in DRAWN if p.mask is not None])
    data = TuningData("", pictures=PICTURES, targets=masks[..., None].astype(np.float32))
    fine_tune(quantized, data, STRETCH, FineTuning(epochs=1, batch=4, learning_rate=1e-4), 0)
    converted = to_tflite(quantized, "aware")
    found = anatomy(converted)
    # One at each end: nothing in between is rescaled.
    assert found.operations["QUANTIZE"] == 2, found.operations
    assert "DEQUANTIZE" not in found.operations
    assert found.takes_bytes(STRETCH)
    simulated = quantized.predict(INPUTS, verbose=0)
    # Rounding on a tie may go the other way in a layer, and the layers behind carry it on; a
    # wrong range would show in every pixel.
    assert np.abs(_run(converted) - simulated).mean() < 2 / 255


@pytest.mark.parametrize("network", [TINY, UNBOUNDED, replace(TINY, separable=True)])
def test_it_starts_near_the_float_network(network: Any) -> None:
    model = build(network)
    expected = model.predict(INPUTS, verbose=0)
    quantized = _simulated(model)
    error = np.abs(quantized.predict(INPUTS, verbose=0) - expected)
    assert error.mean() < 0.02, "kernels in a range of [-6, 6] would be far off"
    converted = to_tflite(quantized, "aware")
    assert np.abs(_run(converted) - expected).mean() < 0.02
    assert "DEQUANTIZE" not in anatomy(converted).operations, "a layer fell back to float"


def test_shared_ranges_leave_no_rescaling_where_tflites_own_do() -> None:
    model = build(UNBOUNDED)
    own = joints(to_tflite(model, "static", CALIBRATION))
    assert own.needless_conversions > 0, "nothing to improve on: the test proves nothing"
    shared = joints(to_tflite(_simulated(model), "aware"))
    assert shared.needless_conversions == 0, shared
    assert shared.unlike_concatenations == 0
    assert shared.concatenations == own.concatenations


def test_loud_logits_are_not_cut_off_before_they_are_resized(tiny: Any) -> None:
    head = tiny.get_layer("head_conv")
    # Logits of thirty: between a loud pixel and a quiet one the outline lies near the quiet one,
    # and cutting both to like values would move it to the middle.
    head.set_weights([weights * 3 for weights in head.get_weights()])
    expected = tiny.predict(INPUTS, verbose=0)
    ranges = shared_ranges(tiny, CALIBRATION)
    low, high = ranges[HEAD]
    cut = {**ranges, HEAD: (max(low, -8.0), min(high, 8.0))}
    assert low < -8, "nothing would be cut off: the test proves nothing"
    errors = [
        float(np.abs(_run(to_tflite(simulate_int8(tiny, STRETCH, r), "aware")) - expected).mean())
        for r in (ranges, cut)
    ]
    assert errors[0] < 0.8 * errors[1], errors


def test_tensors_that_meet_share_the_widest_range() -> None:
    model = build(UNBOUNDED)
    ranges = shared_ranges(model, CALIBRATION)
    # The dense block, what enters it and what it is joined with on the way up.
    joined = ("stem_relu", "down0_layer0_relu", "up0_transition_relu", "up0_layer0_relu")
    assert len({ranges[name] for name in joined}) == 1
    # A convolution stands between the two blocks.
    assert ranges["down1_layer0_relu"] != ranges["stem_relu"]
    low, high = ranges[HEAD]
    assert low < 0 < high
    ceilings = shared_ranges(build(TINY), CALIBRATION * 1e-6, to_ceiling=True)
    assert ceilings["stem_relu"] == (0.0, 6.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"order": "bn_relu_conv"}, "conv_bn_relu"), ({"upsampling": "transposed"}, "transposed")],
)
def test_a_network_that_cannot_be_simulated_is_refused(change: dict[str, Any], said: str) -> None:
    model = build(replace(TINY, **change))
    with pytest.raises(ModelContractError, match=said):
        _simulated(model)
