"""What is told of a converted graph's joints, and that the shipped family has no needless one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from converters.quantization.ranges import shared_ranges
from converters.quantization.simulation import simulate_int8
from converters.representative import calibration_input, drawn_photographs, network_input
from converters.tflite.conversion import to_tflite
from converters.tflite.joints import joints
from edgeseg.formats.bundle import Bundle
from edgeseg.training.networks.tiramisu import TIRAMISUS
from tests.converters.conftest import STRETCH, build

CALIBRATION = calibration_input(network_input(drawn_photographs(4, 0), STRETCH), STRETCH)
TINY = TIRAMISUS["test_tiny"]
AT_THE_ENDS = {"takes a photo's bytes as they are": 1, "gives confidences as bytes": 1}


def _bundles(repository: Path) -> list[Path]:
    return sorted((repository / "edgeseg" / "presets").glob("*.bundle"))


def test_the_shipped_bundles_have_no_needless_joint(repository: Path) -> None:
    bundles = _bundles(repository)
    assert bundles
    for path in bundles:
        found = joints(Bundle.open(path).segmenter_model)
        assert found.needless_conversions == 0, path
        assert found.unlike_concatenations == 0, path
        assert found.wide_concatenations == 0, path
        assert set(found.conversions) <= set(AT_THE_ENDS), path


@pytest.mark.parametrize(
    "change", [{}, {"activation_ceiling": None}, {"separable": True}, {"upsampling": "bilinear"}]
)
def test_nor_has_any_network_of_the_family(change: dict[str, Any]) -> None:
    model = build(replace(TINY, bottleneck=6, **change))
    simulated = simulate_int8(model, STRETCH, shared_ranges(model, CALIBRATION))
    found = joints(to_tflite(simulated, "aware"))
    assert found.conversions == AT_THE_ENDS
    assert found.unlike_concatenations == found.wide_concatenations == 0
    assert f"{found.concatenations} concatenations; 0 of unlike scales" in str(found)


def test_the_papers_network_has_them() -> None:
    paper = replace(TIRAMISUS["fcdensenet56"], down=(2,), bottleneck=5, stem_filters=8)
    found = joints(to_tflite(build(paper), "static", CALIBRATION))
    assert found.wide_concatenations == 1, "the five new features of the bottleneck"
    assert found.needless_conversions > 0
    assert sum(found.conversions.values()) == found.needless_conversions + 2


def test_weights_in_fewer_bits_are_told_apart() -> None:
    found = joints(to_tflite(build(TINY), "float16"))
    assert set(found.conversions) == {"unpacks weights that are stored in fewer bits"}
    assert found.needless_conversions == 0


def test_int16_activations_are_entered_and_left() -> None:
    found = joints(to_tflite(build(TINY), "static", CALIBRATION, "int16"))
    assert found.conversions["takes float input"] == found.conversions["gives float output"] == 1
    # int16 has calibrated ranges, so tensors that meet may differ in scale.
    assert found.conversions.keys() <= {
        "takes float input",
        "gives float output",
        "rescales a tensor for another one's scale",
    }
