"""The gate: what it measures, what it refuses, and which layer it blames."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from converters.evaluation import parity
from converters.evaluation.layers import layer_errors
from converters.evaluation.parity import EmbeddingParity, FolderParity, MaskParity, MaskReference
from converters.recipe import Floor
from converters.representative import calibration_input, drawn_photographs, network_input
from converters.tflite.conversion import to_tflite
from edgeseg.errors import ParityError
from edgeseg.training.networks.tiramisu import TIRAMISUS
from tests.converters.conftest import STRETCH, build

PHOTOGRAPHS = drawn_photographs(6, 5)
PICTURES = network_input(PHOTOGRAPHS, STRETCH)
BATCHES = [picture[None] for picture in STRETCH.normalized(PICTURES)]
GOOD = MaskParity("tests", 6, 6, 0.9, 0.895, 0.005, 0.97, 0.01, 0.2)


@pytest.fixture(scope="module")
def float_model() -> bytes:
    return to_tflite(build(TIRAMISUS["test_tiny"]), "none")


def _with_noise(layer: str, level: float) -> Any:
    model = build(TIRAMISUS["test_tiny"])
    target = model.get_layer(layer)
    weights = target.get_weights()
    noise = np.random.default_rng(0).normal(0, level * weights[0].std(), weights[0].shape)
    target.set_weights([weights[0] + noise, *weights[1:]])
    return model


def test_a_network_agrees_with_itself(float_model: bytes) -> None:
    found = MaskReference(float_model, PHOTOGRAPHS, STRETCH, "drawings").compare(float_model)
    assert found.iou_agreement == 1.0
    assert found.iou_drop == 0.0
    assert found.mask_error_max == 0.0
    assert found.labelled == 6
    parity.check("segmenter", found, Floor(0.0, 1.0, 1.0))


def test_labels_are_optional(float_model: bytes) -> None:
    unlabelled = [replace(p, mask=None) for p in PHOTOGRAPHS]
    found = MaskReference(float_model, unlabelled, STRETCH, "drawings").compare(float_model)
    assert found.labelled == 0
    assert found.iou_drop is None
    assert found.failure(Floor()) is None


@pytest.mark.parametrize("layer", ["stem", "bottleneck_layer1"])
def test_the_layer_that_was_broken_is_blamed(float_model: bytes, layer: str) -> None:
    broken = to_tflite(_with_noise(f"{layer}_conv", 1.0), "none")
    names = [each.name for each in build(TIRAMISUS["test_tiny"]).layers]
    worst = layer_errors(float_model, broken, names, BATCHES)[0]
    assert worst.layer == f"{layer}_relu"
    assert worst.snr_db < 20
    found = MaskReference(float_model, PHOTOGRAPHS, STRETCH, "drawings").compare(broken)
    with pytest.raises(ParityError, match=f"worst layer: {layer}_relu"):
        parity.check(
            "segmenter", replace(found, iou_drop=0.2, worst_layer=worst), Floor(iou_drop=0.01)
        )


def test_every_convolution_of_the_int8_network_is_compared(float_model: bytes) -> None:
    model = build(TIRAMISUS["test_tiny"])
    converted = to_tflite(model, "static", calibration_input(PICTURES, STRETCH))
    names = [layer.name for layer in model.layers]
    errors = layer_errors(float_model, converted, names, BATCHES)
    compared = {error.layer for error in errors}
    assert {name for name in names if name.endswith("_relu")} <= compared
    assert "head_conv" in compared
    # 8 bits are some 50 dB at best, a network of ten layers well above 10 dB.
    assert all(10 < error.snr_db < 99 for error in errors), errors


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"iou_drop": 0.0101}, "IoU drops by 0.0101"),
        ({"iou_drop": float("nan")}, "IoU drops"),
        ({"iou_drop": None, "iou_agreement": 0.9499}, "agreement is 0.9499"),
        ({"iou_drop": None, "iou_agreement": float("nan")}, "agreement"),
    ],
)
def test_below_the_floor_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ParityError, match=said):
        parity.check("segmenter", replace(GOOD, **change), Floor())


def test_each_folder_has_to_meet_the_floor(float_model: bytes) -> None:
    photographs = [replace(p, folder="ab"[i % 2]) for i, p in enumerate(PHOTOGRAPHS)]
    found = MaskReference(float_model, photographs, STRETCH, "drawings").compare(float_model)
    assert {name: folder.labelled for name, folder in found.folders.items()} == {"a": 3, "b": 3}
    mean = (found.folders["a"].iou_float + found.folders["b"].iou_float) / 2
    assert found.iou_float == pytest.approx(mean)
    folders = {"a": FolderParity(50, 0.9, 0.92), "b": FolderParity(50, 0.9, 0.885)}
    with pytest.raises(ParityError, match=r"IoU on b drops by 0\.0150"):
        parity.check("segmenter", replace(GOOD, iou_drop=-0.0025, folders=folders), Floor())
    assert found.to_dict()["folders"]["a"]["iou_drop"] == 0.0


@pytest.mark.parametrize("drop", [0.01, 0.0, -0.3])
def test_at_or_above_the_floor_passes(drop: float) -> None:
    parity.check("segmenter", replace(GOOD, iou_drop=drop), Floor())


def test_embeddings_are_compared_by_direction(float_model: bytes) -> None:
    parity.check("embedder", EmbeddingParity("tests", 3, 0.98, 0.9), Floor())
    with pytest.raises(ParityError, match="cosine"):
        parity.check("embedder", EmbeddingParity("tests", 3, 0.979, 0.9), Floor())
    with pytest.raises(ParityError, match="cosine"):
        parity.check("embedder", EmbeddingParity("tests", 3, float("nan"), 0.9), Floor())
