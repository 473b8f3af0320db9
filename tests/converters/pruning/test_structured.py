"""Structured pruning: what is cut is what was silenced, and the budget is met."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from converters.evaluation.latency import Latency
from converters.fine_tune import TuningData, bce_soft_iou, fine_tune
from converters.photographs import resized_mask
from converters.pruning import structured
from converters.pruning.cost import Cost
from converters.pruning.importance import frames, taylor_importance
from converters.pruning.selection import Goal, select
from converters.pruning.stand_in import int8_stand_in
from converters.pruning.structured import prune_checkpoint, prune_structured
from converters.pruning.surgery import masked, shrink
from converters.pruning.wiring import Wiring, trace
from converters.recipe import FineTuning, StructuredPruning
from converters.representative import drawn_photographs, network_input
from converters.tflite.conversion import anatomy, to_tflite
from edgeseg.errors import ModelContractError
from edgeseg.imaging import encode_png
from edgeseg.interpreter import Interpreter
from edgeseg.training.checkpoint import Checkpoint, get_weights, load_checkpoint
from edgeseg.training.networks.embedder import EMBEDDERS
from edgeseg.training.networks.tiramisu import TIRAMISUS, Tiramisu
from tests.converters.conftest import SIDE_PX, STRETCH, build

TINY = TIRAMISUS["test_tiny"]
VARIANTS = {
    "tiny": TINY,
    "transposed": replace(TINY, upsampling="transposed"),
    "bilinear, dropout, no ceiling": replace(
        TINY, upsampling="bilinear", dropout=0.1, activation_ceiling=None, max_concat_inputs=None
    ),
    "wide stem, narrow joints": replace(TINY, down=(3, 2), stem_stride=4, max_concat_inputs=2),
}
PICTURES = network_input(drawn_photographs(8, 0), STRETCH)
# Gone or silenced, the terms that are summed are the same, but they are grouped otherwise: each of
# a dozen layers rounds anew at 6e-8 of its value, and activations are below ten.
ROUNDING = 1e-5


def checkpoint_of(network: Tiramisu) -> Checkpoint:
    return Checkpoint(
        "segmenter", network, STRETCH, get_weights(build(network)), evaluation={"score": 0.9}
    )


def confidences(checkpoint: Checkpoint) -> Any:
    model = checkpoint.build(tf_keras, sigmoid=True)
    return model.predict(STRETCH.normalized(PICTURES), verbose=0)


def random_keep(wiring: Wiring, seed: int) -> dict[str, Any]:
    """About half of the filters of most units, one at least."""
    rng = np.random.default_rng(seed)
    keep = {}
    for unit in wiring.units:
        if rng.random() < 0.8:
            keep[unit] = rng.random(wiring.widths[unit]) < rng.uniform(0.2, 0.9)
            keep[unit][rng.integers(wiring.widths[unit])] = True
    return keep


def tuning() -> TuningData:
    masks = [resized_mask(p.mask, STRETCH) for p in drawn_photographs(8, 0) if p.mask is not None]
    targets = np.stack(masks)[..., None].astype(np.float32)
    return TuningData("drawings", pictures=PICTURES, targets=targets)


@pytest.fixture(scope="module")
def tiny_checkpoint() -> Checkpoint:
    return checkpoint_of(TINY)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_wiring_is_the_keras_graph(name: str) -> None:
    model = VARIANTS[name].build(tf_keras, SIDE_PX, sigmoid=True)
    nodes = trace(VARIANTS[name], SIDE_PX).nodes
    shapes = {layer.name: tuple(layer.output.shape)[1:] for layer in model.layers}
    assert {node.name: node.shape for node in nodes} == shapes
    for node in nodes:
        assert node.shape[2] == sum(trace(VARIANTS[name], SIDE_PX).widths[u] for u in node.units)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_cut_is_what_was_silenced(name: str, seed: int) -> None:
    checkpoint = checkpoint_of(VARIANTS[name])
    keep = random_keep(trace(VARIANTS[name], SIDE_PX), seed)
    expected, actual = confidences(masked(checkpoint, keep)), confidences(shrink(checkpoint, keep))
    assert np.ptp(expected) > 0.1, "a flat mask would prove nothing"
    assert np.abs(expected - confidences(checkpoint)).max() > 0.01, "something was silenced"
    assert np.abs(actual - expected).max() < ROUNDING


@pytest.mark.parametrize(
    "layers",
    [
        ("bottleneck_layer0",),
        ("down1_layer1", "up1_layer0"),
        # Blocks on the way down, and the last one, may go altogether.
        ("down0_layer0", "down1_layer0", "down1_layer1", "up0_layer0"),
    ],
)
def test_whole_layers_are_cut(tiny_checkpoint: Checkpoint, layers: tuple[str, ...]) -> None:
    keep = {layer: np.zeros(8, np.bool_) for layer in layers}
    keep["up0_transition"] = np.arange(16) % 3 > 0
    smaller = shrink(tiny_checkpoint, keep)
    assert not any(name.startswith(layers) for name in smaller.weights)
    difference = confidences(smaller) - confidences(masked(tiny_checkpoint, keep))
    assert np.abs(difference).max() < ROUNDING


def test_cutting_twice_is_cutting_once(tiny_checkpoint: Checkpoint) -> None:
    first = shrink(tiny_checkpoint, {"down1_layer0": np.zeros(8, np.bool_)})
    second = shrink(first, {"stem": np.arange(8) < 4})
    once = shrink(
        tiny_checkpoint, {"down1_layer0": np.zeros(8, np.bool_), "stem": np.arange(8) < 4}
    )
    assert dict(second.network.to_dict()["widths"]) == dict(once.network.to_dict()["widths"])
    assert all(np.array_equal(second.weights[name], once.weights[name]) for name in once.weights)


def test_a_pruned_network_is_a_checkpoint_like_any_other(
    tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    smaller = shrink(tiny_checkpoint, random_keep(trace(TINY, SIDE_PX), 3))
    assert smaller.evaluation == {}, "the figures are the larger network's"
    smaller.save(tmp_path / "small.safetensors")
    loaded = load_checkpoint(tmp_path / "small.safetensors")
    assert loaded.network == smaller.network
    model = loaded.build(tf_keras, sigmoid=True)
    expected = model.predict(STRETCH.normalized(PICTURES[:1]), verbose=0)
    assert np.abs(
        Interpreter(to_tflite(model, "none")).run(PICTURES[:1] / 255) - expected
    ).max() < (ROUNDING)
    before = get_weights(model)
    fine_tune(model, tuning(), STRETCH, FineTuning(epochs=1, batch=8), 0)
    assert all(
        (before[f"{u}/kernel"] != get_weights(model)[f"{u}/kernel"]).any() for u in ("head_conv",)
    )


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (replace(TINY, order="bn_relu_conv"), "conv_bn_relu"),
        (replace(TINY, separable=True), "separable"),
        (EMBEDDERS["test_tiny"], "Tiramisu"),
    ],
)
def test_networks_that_cannot_be_cut_are_refused(network: Any, said: str) -> None:
    checkpoint = Checkpoint("segmenter", network, STRETCH, {})
    with pytest.raises(ModelContractError, match=said):
        prune_structured(checkpoint, StructuredPruning(share=0.5), tuning(), 0)


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        ({"head": np.ones(1, np.bool_)}, "no unit head"),
        ({"stem": np.ones(9, np.bool_)}, "no unit stem of 9"),
        ({"stem": np.zeros(8, np.bool_)}, "stem needs 1"),
        ({f"bottleneck_layer{i}": np.zeros(8, np.bool_) for i in range(2)}, "bottleneck needs"),
    ],
)
def test_cuts_that_make_no_network_are_refused(
    tiny_checkpoint: Checkpoint, keep: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        shrink(tiny_checkpoint, keep)


@pytest.mark.parametrize("name", VARIANTS)
def test_weights_are_counted_without_building(name: str) -> None:
    wiring = trace(VARIANTS[name], SIDE_PX)
    cost = Cost(wiring)
    widths = dict(wiring.widths)
    for keep in ({}, random_keep(wiring, 1), {"up0_layer0": np.zeros(8, np.bool_)}):
        left = {**widths, **{unit: int(mask.sum()) for unit, mask in keep.items()}}
        chosen = tuple((unit, left[unit]) for unit in wiring.units)
        model = replace(VARIANTS[name], widths=chosen).build(tf_keras, SIDE_PX)
        assert cost.parameters(cost.widths(left)) == model.count_params()


def test_the_estimate_falls_where_the_tiles_say() -> None:
    wiring = trace(TIRAMISUS["compact"], 160)
    cost = Cost(wiring)

    def latency(**widths: int) -> float:
        return float(cost.latency_ms(cost.widths({**wiring.widths, **widths})))

    assert latency(down0_layer0=0) < latency(down0_layer0=8) < latency()
    # 104 filters fill seven tiles, 96 six; 100 fill seven too, and feed as many channels on.
    assert latency() - latency(down1_transition=100) < latency(down1_transition=100) - latency(
        down1_transition=96
    )


def test_importance_is_the_derivative_by_a_gate(tiny_checkpoint: Checkpoint) -> None:
    pictures, targets = frames(tuning(), STRETCH, 5, 0)
    found = taylor_importance(tiny_checkpoint, trace(TINY, SIDE_PX), pictures, targets)
    # Only the head takes this layer's filters, so a gate is a factor on the head's kernel.
    model = tiny_checkpoint.build(tf_keras, sigmoid=True)
    head = model.get_layer("head_conv")
    kernel, bias = head.get_weights()

    def losses(channel: int, gate: float) -> Any:
        changed = kernel.copy()
        changed[:, :, channel] *= gate
        head.set_weights([changed, bias])
        inputs = STRETCH.normalized(pictures)
        return np.asarray(bce_soft_iou(targets, model.predict(inputs, verbose=0)))

    for filter_index in range(8):
        channel = kernel.shape[2] - 8 + filter_index
        slope = (losses(channel, 1.05) - losses(channel, 0.95)) / 0.1
        # The central difference is off by the third derivative times 0.05 squared; the loss itself
        # is float32, 1e-7 over 0.1.
        assert found["up0_layer0"][filter_index] == pytest.approx(
            np.mean(slope**2), rel=0.02, abs=1e-9
        )


def test_the_least_important_filters_go_for_the_most_they_save() -> None:
    wiring = trace(TIRAMISUS["compact"], 160)
    cost = Cost(wiring)
    rng = np.random.default_rng(0)
    importance = {unit: rng.random(wiring.widths[unit]) for unit in wiring.units}
    importance["down0_layer1"][:] *= 1e-3
    before = cost.latency_ms(cost.widths(wiring.widths))
    goals = [Goal(cost.latency_ms, 0.6 * float(before)), Goal(cost.parameters, 500_000)]
    keep = select(cost, wiring.widths, importance, goals, granularity=4)
    left = {unit: int(mask.sum()) for unit, mask in keep.items()}
    widths = cost.widths({**wiring.widths, **left})
    latency = float(cost.latency_ms(widths) / (0.6 * before))
    parameters = float(cost.parameters(widths) / 500_000)
    # A whole layer less is up to a tenth, but what no goal needed is given back.
    assert 0.97 < max(latency, parameters) <= 1
    assert left["down0_layer1"] == 0, "cheap to lose, dear to keep"
    for unit, mask in keep.items():
        assert left[unit] % 4 == 0 or left[unit] == wiring.widths[unit]
        if 0 < left[unit] < len(mask):
            assert importance[unit][mask].min() >= importance[unit][~mask].max()
    replace(TIRAMISUS["compact"], widths=tuple(left.items())).build(tf_keras)


def test_a_budget_below_the_least_network_is_refused() -> None:
    wiring = trace(TINY, SIDE_PX)
    cost = Cost(wiring)
    importance = {unit: np.ones(wiring.widths[unit]) for unit in wiring.units}
    with pytest.raises(ModelContractError, match="budget"):
        select(cost, wiring.widths, importance, [Goal(cost.parameters, 10)], granularity=4)


def test_rounds_prune_and_learn(tiny_checkpoint: Checkpoint) -> None:
    steps: list[tuple[str, int, int]] = []
    learning = FineTuning(epochs=1, batch=4)
    pruning = StructuredPruning(
        share=0.4,
        max_parameters=4000,
        rounds=2,
        fine_tuning=learning,
        last_fine_tuning=replace(learning, epochs=2),
    )

    def prune() -> Any:
        return prune_structured(tiny_checkpoint, pruning, tuning(), 0, lambda *a: steps.append(a))

    result = prune()
    model = result.checkpoint.build(tf_keras, sigmoid=True)
    assert model.count_params() == result.rounds[-1].parameters <= 4000
    assert result.rounds[-1].estimated_ratio <= 0.6 < result.rounds[0].estimated_ratio
    assert result.checkpoint.evaluation == {}
    assert result.checkpoint.run["structured_pruning"]["rounds"][1]["parameters"] <= 4000
    learnt = [total for name, _, total in steps if "fine-tuning" in name]
    assert learnt == [2, 2, 4, 4, 4, 4]
    assert "filters" in result.text()
    again = prune()
    assert again.checkpoint.network == result.checkpoint.network, "a share is no measurement"


def test_a_latency_budget_is_corrected_by_what_is_measured(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def estimate(network: Tiramisu) -> float:
        wiring = trace(network, SIDE_PX)
        return float(Cost(wiring).latency_ms(Cost(wiring).widths(wiring.widths)))

    def slower(before: Any, after: Any, invocations: int) -> Latency:
        # Three tenths of the time never go, and the estimate knows nothing of it.
        left = 0.3 + 0.7 * estimate(after) / estimate(before)
        return Latency(1, left, 1, left, invocations, "none")

    monkeypatch.setattr(structured, "int8_stand_in", lambda network, _input_px: network)
    monkeypatch.setattr(structured, "measure_latency", slower)
    pruning = StructuredPruning(latency_budget=0.85, rounds=2, fine_tuning=None)
    result = prune_structured(tiny_checkpoint, pruning, tuning(), 0)
    assert result.rounds[-1].ratio <= 0.85 < result.rounds[0].ratio
    assert result.rounds[-1].estimated_ratio < 0.83, "an estimate of 0.85 is not enough"


def test_no_budget_is_a_mistake(tiny_checkpoint: Checkpoint) -> None:
    with pytest.raises(ValueError, match="budget"):
        prune_structured(tiny_checkpoint, StructuredPruning(), tuning(), 0)


def test_a_checkpoint_file_is_pruned_into_another(segmenter_path: Path, tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for index, photograph in enumerate(drawn_photographs(12, 0)):
        assert photograph.mask is not None
        (tmp_path / "images" / f"{index}.png").write_bytes(encode_png(photograph.image))
        mask = encode_png(photograph.mask.astype(np.uint8) * 255)
        (tmp_path / "masks" / f"{index}.png").write_bytes(mask)
    target = tmp_path / "pruned.safetensors"
    pruning = StructuredPruning(share=0.3, rounds=1, fine_tuning=None)
    result = prune_checkpoint(segmenter_path, [tmp_path], target, pruning)
    assert load_checkpoint(target).network == result.checkpoint.network
    assert load_checkpoint(target).model_version == "tiny-1"


def test_the_stand_in_has_the_operators_of_a_conversion() -> None:
    model = build(TINY)
    calibration = STRETCH.normalized(PICTURES)
    real, made = (
        anatomy(to_tflite(model, "static", calibration)),
        anatomy(int8_stand_in(TINY, SIDE_PX)),
    )
    # A conversion also rescales, and its input and output are of another type.
    operations = {name: n for name, n in real.operations.items() if name != "QUANTIZE"}
    assert made.operations == operations
