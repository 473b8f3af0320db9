"""Layers kept in float32: in the graph that is meant, and worth it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from converters.evaluation.layers import layer_errors
from converters.quantization.islands import keep_float
from converters.representative import calibration_input, drawn_photographs, network_input
from converters.tflite.conversion import anatomy, to_tflite
from converters.tflite.joints import ISLAND, joints
from edgeseg.errors import ModelContractError
from edgeseg.interpreter import Interpreter
from edgeseg.training.networks.tiramisu import TIRAMISUS
from tests.converters.conftest import STRETCH, build

PICTURES = network_input(drawn_photographs(6, 0), STRETCH)
INPUTS = STRETCH.normalized(PICTURES)
CALIBRATION = calibration_input(PICTURES, STRETCH)
TINY = TIRAMISUS["test_tiny"]
HEAD = ("head_*", "output")


class Trio:
    """A network, its int8 form and its float form."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.int8 = to_tflite(model, "static", CALIBRATION)
        self.plain = to_tflite(model, "none")
        self.expected = _run(self.plain)

    def kept(self, *patterns: str) -> bytes:
        return keep_float(self.model, self.int8, self.plain, patterns)

    def error(self, model: bytes) -> float:
        return float(np.abs(_run(model) - self.expected).mean())


def _run(model: bytes) -> Any:
    interpreter = Interpreter(model)
    return np.concatenate([interpreter.run(picture[None]) for picture in INPUTS])


@pytest.fixture(scope="module")
def trio() -> Trio:
    return Trio(build(TINY))


@pytest.mark.parametrize(
    ("patterns", "conversions"),
    [
        (HEAD, 2),
        (("head_conv",), 2),
        # The photo's bytes are entered, and the block behind is left once.
        (("stem_bn",), 2),
        # Entered by the concatenation in front, and left for the concatenation behind.
        (("bottleneck_layer0_conv",), 2),
        # The skip and what is resized enter; the head's concatenation is left.
        (("up0_*",), 3),
    ],
)
def test_an_island_is_entered_and_left(
    trio: Trio, patterns: tuple[str, ...], conversions: int
) -> None:
    kept = trio.kept(*patterns)
    told = joints(kept)
    assert told.conversions[ISLAND] == conversions, told
    assert told.needless_conversions == 0
    assert anatomy(kept).takes_bytes(STRETCH)
    assert Interpreter(kept).output_dtype == np.uint8
    before, after = anatomy(trio.int8).operations, anatomy(kept).operations
    for changed in ("QUANTIZE", "DEQUANTIZE"):
        before.pop(changed, None)
        after.pop(changed, None)
    assert after == before, "the same layers"
    assert len(kept) > len(trio.int8), "float32 weights"
    # An island may shift an error, and 8 bits are still on both its shores.
    assert trio.error(kept) < 1.5 * trio.error(trio.int8) + 1 / 255


def test_all_in_float_is_the_float_network_behind_an_int8_photo(trio: Trio) -> None:
    kept = trio.kept("*")
    assert joints(kept).conversions[ISLAND] == 2
    # What is left is the rounding of the confidence itself: half of a 256th.
    assert np.abs(_run(kept) - trio.expected).max() <= 0.51 / 256


def test_a_float_end_brings_the_network_nearer(trio: Trio) -> None:
    # The head alone is where an untrained network loses nothing that could be won back.
    assert trio.error(trio.kept("up0_*", *HEAD)) < 0.95 * trio.error(trio.int8)


def test_a_layer_of_the_island_has_less_error(trio: Trio) -> None:
    names = [layer.name for layer in trio.model.layers]
    batches = [each[None] for each in INPUTS]

    def snr_db(model: bytes) -> float:
        found = layer_errors(trio.plain, model, names, batches)
        return next(error.snr_db for error in found if error.layer == "stem_relu")

    assert snr_db(trio.kept("stem_*")) > snr_db(trio.int8)


def test_the_papers_network_has_constants_of_its_own() -> None:
    # Its batch normalization does not fold: MUL and ADD of int8 constants.
    network = replace(TIRAMISUS["fcdensenet56"], down=(1,), bottleneck=1, stem_filters=8)
    trio = Trio(build(network))
    assert np.abs(_run(trio.kept("*")) - trio.expected).max() < 0.05


def test_a_pattern_that_names_nothing_is_refused(trio: Trio) -> None:
    with pytest.raises(ModelContractError, match="tail_conv"):
        trio.kept("tail_conv")


def test_another_networks_weights_are_refused(trio: Trio) -> None:
    other = to_tflite(build(replace(TINY, bottleneck=1)), "none")
    with pytest.raises(ModelContractError, match="convolutions"):
        keep_float(trio.model, trio.int8, other, HEAD)
