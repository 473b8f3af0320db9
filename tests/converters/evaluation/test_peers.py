"""The peers quantize the same float network, agree with it, and say so when they are not there."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import tf_keras

from converters.evaluation import peers
from converters.representative import calibration_input, drawn_photographs, network_input
from converters.tflite.conversion import anatomy, to_tflite
from converters.tflite.delegation import delegation
from edgeseg.errors import MissingExtraError, ModelContractError
from edgeseg.interpreter import Interpreter
from tests.converters.conftest import STRETCH
from tests.edgeseg.handmade import red_segmenter

PICTURES = network_input(drawn_photographs(8, 0), STRETCH)
CALIBRATION = calibration_input(PICTURES, STRETCH)
# Confidences of the tiny network correlate by 0.61 between one drawing and another, and by 0.98 or
# more between float and int8.
LEAST_CORRELATION = 0.95


def _correlation(model: Any, converted: bytes) -> float:
    batch = STRETCH.normalized(PICTURES)
    expected = model.predict(batch, verbose=0)
    interpreter = Interpreter(converted)
    actual = np.concatenate([interpreter.run(picture[None]) for picture in batch])
    return float(np.corrcoef(actual.ravel(), expected.ravel())[0, 1])


def test_tf_lite_int8_is_the_guides_full_integer_model(tiny: Any) -> None:
    converted = peers.tf_lite_int8(tiny, CALIBRATION)
    interpreter = Interpreter(converted)
    assert interpreter.input_dtype == interpreter.output_dtype == np.uint8
    assert _correlation(tiny, converted) > LEAST_CORRELATION
    assert "DEQUANTIZE" not in anatomy(converted).operations, "no float island"


def test_ai_edge_quantizer_int8_is_full_integer_too(
    tiny: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ai_edge_quantizer", reason="needs the peers extra")
    float_model = to_tflite(tiny, "none")
    capfd.readouterr()
    converted = peers.ai_edge_quantizer_int8(float_model, CALIBRATION)
    assert "Calibration" not in capfd.readouterr().err, "its progress bar is not ours"
    interpreter = Interpreter(converted)
    assert interpreter.input_dtype == interpreter.output_dtype == np.int8
    assert _correlation(tiny, converted) > LEAST_CORRELATION
    assert "DEQUANTIZE" not in anatomy(converted).operations, "no float island"
    assert delegation(converted).delegated["CONV_2D"] == anatomy(float_model).operations["CONV_2D"]


@pytest.mark.parametrize("make", ["tf_lite", "ai_edge_quantizer"])
def test_the_calibration_sets_the_input_range(make: str) -> None:
    halved = CALIBRATION * np.float32(0.5)
    inputs = tf_keras.Input(CALIBRATION.shape[1:])
    model = tf_keras.Model(inputs, tf_keras.layers.Conv2D(16, 3, padding="same")(inputs))
    if make == "tf_lite":
        found = Interpreter(peers.tf_lite_int8(model, halved))
    else:
        pytest.importorskip("ai_edge_quantizer", reason="needs the peers extra")
        found = Interpreter(peers.ai_edge_quantizer_int8(to_tflite(model, "none"), halved))
    # ai-edge-quantizer averages the pictures' ranges, and few of them are wholly black and white.
    assert found._input["quantization"][0] == pytest.approx(0.5 / 255, rel=0.1)


def test_a_missing_package_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_quantizer", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'edgeseg\[peers\]'"):
        peers.ai_edge_quantizer_int8(b"", CALIBRATION)


def test_a_model_without_a_signature_is_refused() -> None:
    pytest.importorskip("ai_edge_quantizer", reason="needs the peers extra")
    with pytest.raises(ModelContractError, match="signature"):
        peers.ai_edge_quantizer_int8(red_segmenter(8), CALIBRATION)
