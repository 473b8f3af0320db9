"""The Tiramisu against its paper, and every network in the other frameworks."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from edgeseg.preprocessing import Preprocessing
from edgeseg.training.checkpoint import Checkpoint, get_weights, set_weights
from edgeseg.training.networks.embedder import EMBEDDERS
from edgeseg.training.networks.tiramisu import TIRAMISUS, Tiramisu

PAPER_NAMES = ("fcdensenet56", "fcdensenet67", "fcdensenet103")
DEVICE_NAMES = ("compact", "test_tiny")
PAPER_STYLE = Tiramisu(down=(2, 2), bottleneck=2, growth_rate=4, stem_filters=6)
SEPARABLE = replace(TIRAMISUS["test_tiny"], separable=True)


@cache
def built(name: str) -> Any:
    """A network of open size, built once."""
    return TIRAMISUS[name].build(keras)


def convolutions(model: Any) -> list[Any]:
    kinds = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def feature_maps(name: str, block: str, layers: int) -> int:
    """Feature maps at a dense block's end: what its last layer takes in and what it adds."""
    last = built(name).get_layer(f"{block}_layer{layers - 1}_conv")
    return int(last.kernel.shape[2] + last.kernel.shape[3])


def parameters_by_the_paper(network: Tiramisu) -> int:
    """Counted from tables 1 and 2 alone; batch normalization has its two moving statistics."""

    def layer(maps: int, kernel: int, filters: int) -> int:
        return 4 * maps + kernel**2 * maps * filters + filters

    k = network.growth_rate
    total, maps, skips = 3 * 9 * network.stem_filters + network.stem_filters, 48, []
    for count in network.down:
        total += sum(layer(maps + i * k, 3, k) for i in range(count))
        maps += count * k
        skips.append(maps)
        total += layer(maps, 1, maps)
    total += sum(layer(maps + i * k, 3, k) for i in range(network.bottleneck))
    new = network.bottleneck * k
    for count in reversed(network.down):
        total += 9 * new * new + new
        maps = new + skips.pop()
        total += sum(layer(maps + i * k, 3, k) for i in range(count))
        new = count * k
        maps += new
    return total + maps * network.classes + network.classes


@pytest.mark.parametrize("name", PAPER_NAMES)
def test_the_number_in_the_name_is_the_number_of_convolutions(name: str) -> None:
    found = convolutions(built(name))
    network = TIRAMISUS[name]
    assert len(found) == int(name.removeprefix("fcdensenet"))
    by_end = {
        "stem": 1,
        "layer": 2 * sum(network.down) + network.bottleneck,
        "down": len(network.down),
        "up": len(network.down),
        "head": 1,
    }
    counted = dict.fromkeys(by_end, 0)
    for conv in found:
        kind = "layer" if "_layer" in conv.name else conv.name.rstrip("_conv").split("_")[0]
        counted[kind.rstrip("0123456789")] += 1
    assert counted == by_end


@pytest.mark.parametrize(
    ("name", "millions", "counted", "tolerance"),
    [
        # The paper's own description of the smallest (4 layers a block, k = 12) holds 1.4 million
        # weights; the 1.5 that it prints is 7 % more than its tables give.
        ("fcdensenet56", 1.5, 1_396_033, 0.11),
        # The paper rounds to a tenth of a million, so half of that either way.
        ("fcdensenet67", 3.5, 3_500_033, 0.05),
        ("fcdensenet103", 9.4, 9_422_593, 0.05),
    ],
)
def test_parameters(name: str, millions: float, counted: int, tolerance: float) -> None:
    assert built(name).count_params() == counted
    assert counted == parameters_by_the_paper(TIRAMISUS[name])
    assert counted / 1e6 == pytest.approx(millions, abs=tolerance)


def test_feature_maps_of_table_2() -> None:
    name, network = "fcdensenet103", TIRAMISUS["fcdensenet103"]
    assert built(name).get_layer("stem_conv").kernel.shape[-1] == 48
    down = [feature_maps(name, f"down{i}", n) for i, n in enumerate(network.down)]
    assert down == [112, 192, 304, 464, 656]
    assert feature_maps(name, "bottleneck", network.bottleneck) == 896
    up = [feature_maps(name, f"up{i}", n) for i, n in reversed(list(enumerate(network.down)))]
    # The paper prints 578 for the third, a misprint: 160 new + 304 skipped + 7 layers of 16 = 576.
    assert up == [1088, 816, 576, 384, 256]
    # Transitions down keep the number of maps.
    for level, maps in enumerate(down):
        assert built(name).get_layer(f"down{level}_transition_conv").kernel.shape == (
            1, 1, maps, maps,
        )  # fmt: skip


@pytest.mark.parametrize("name", [*PAPER_NAMES, *DEVICE_NAMES])
def test_the_path_up_carries_new_features_only(name: str) -> None:
    network = TIRAMISUS[name]
    below = [*network.down[1:], network.bottleneck]
    for level, layers in enumerate(below):
        taken = built(name).get_layer(f"up{level}_transition_conv").input.shape[-1]
        assert taken == layers * network.growth_rate


@pytest.mark.parametrize("name", DEVICE_NAMES)
def test_the_device_family_folds_and_concatenates_by_four(name: str) -> None:
    layers = built(name).layers
    joins = [layer for layer in layers if isinstance(layer, keras.layers.Concatenate)]
    assert max(len(join.input) for join in joins) <= 4
    convs = {c.output._keras_history.operation.name for c in convolutions(built(name))}
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    followed = {norm.input._keras_history.operation.name for norm in norms}
    assert followed == convs - {"head_conv"}
    assert len(norms) == len(followed)
    # Folding also needs the convolution's output to go nowhere else, and to have no bias.
    readers: dict[str, int] = dict.fromkeys(followed, 0)
    for layer in layers:
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        for tensor in inputs:
            source = tensor._keras_history.operation.name
            if source in readers and source != layer.name:
                readers[source] += 1
    assert set(readers.values()) == {1}
    assert not any(built(name).get_layer(conv).use_bias for conv in followed)


def test_a_separable_layer_works_on_each_channel_then_across_them() -> None:
    model = SEPARABLE.build(keras)
    full = built("test_tiny")
    for name in ("down0_layer0", "down1_layer1", "bottleneck_layer1", "up0_layer0"):
        taken = full.get_layer(f"{name}_conv").kernel.shape[2]
        assert model.get_layer(f"{name}_depthwise_conv").kernel.shape == (3, 3, taken, 1)
        assert model.get_layer(f"{name}_conv").kernel.shape == (1, 1, taken, SEPARABLE.growth_rate)
    depthwise = [layer for layer in model.layers if isinstance(layer, keras.layers.DepthwiseConv2D)]
    assert len(depthwise) == 2 * sum(SEPARABLE.down) + SEPARABLE.bottleneck
    # Everything but the dense layers is as it was.
    others = {w for w in get_weights(full) if "_layer" not in w}
    assert {w for w in get_weights(model) if "_layer" not in w} == others


@pytest.mark.parametrize(("stride", "kernel"), [(1, 3), (2, 3), (4, 7)])
def test_a_stem_of_any_stride_reads_every_pixel(stride: int, kernel: int) -> None:
    network = replace(TIRAMISUS["test_tiny"], stem_stride=stride)
    model = network.build(keras, 32)
    assert model.get_layer("stem_conv").kernel.shape == (kernel, kernel, 3, 8)
    assert model.get_layer("down0_layer0_conv").input.shape[1:3] == (32 // stride,) * 2
    assert model.output_shape == (None, 32, 32, 1)
    stem = keras.Model(model.input, model.get_layer("stem_conv").output)
    everywhere = np.asarray(stem(np.zeros((1, 32, 32, 3), np.float32)))
    for pixel in range(8, 16):
        picture = np.zeros((1, 32, 32, 3), np.float32)
        picture[0, pixel, pixel] = 1
        assert np.abs(np.asarray(stem(picture)) - everywhere).max() > 0


@pytest.mark.parametrize("name", ["fcdensenet56", "compact", "test_tiny"])
def test_sizes_that_are_no_multiple_of_the_total_stride(name: str) -> None:
    network = TIRAMISUS[name]
    assert network.total_stride == {"fcdensenet56": 32, "compact": 32, "test_tiny": 8}[name]
    for side in (network.total_stride - 1, 3 * network.total_stride + 4, 0, -network.total_stride):
        with pytest.raises(ValueError, match="total stride"):
            network.build(keras, side)


def test_any_multiple_of_the_total_stride_gives_an_output_of_the_inputs_size() -> None:
    for side in (8, 24, 40, 104):
        model = TIRAMISUS["test_tiny"].build(keras, side)
        assert model.output_shape == (None, side, side, 1)
    open_sized = built("test_tiny")
    for height, width in ((8, 8), (24, 40), (56, 16)):
        logits = np.asarray(open_sized(np.zeros((2, height, width, 3), np.float32)))
        assert logits.shape == (2, height, width, 1)
        assert logits.dtype == np.float32
    for name in ("compact", "fcdensenet56"):
        shape = built(name).compute_output_shape((1, 96, 160, 3))
        assert tuple(shape) == (1, 96, 160, 1)


def test_networks_survive_json() -> None:
    import json

    for network in (*TIRAMISUS.values(), *EMBEDDERS.values()):
        assert type(network).from_dict(json.loads(json.dumps(network.to_dict()))) == network


def lively(weights: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    """Weights with uneven batch statistics: fresh ones would hide a swap of mean and variance."""
    rng = np.random.default_rng(seed)
    spans = {
        "gamma": (0.6, 1.5),
        "beta": (-0.3, 0.6),
        "moving_mean": (-0.3, 0.3),
        "moving_variance": (0.4, 1.6),
        "bias": (-0.1, 0.1),
    }
    changed = dict(weights)
    for name, value in weights.items():
        span = spans.get(name.rsplit("/")[-1])
        if span is not None:
            changed[name] = rng.uniform(*span, value.shape).astype(np.float32)
    return changed


def both_outputs(network: Any, other: ModuleType, side: int) -> tuple[Any, Any]:
    keras.utils.set_random_seed(3)
    first = network.build(keras, side)
    weights = lively(get_weights(first))
    set_weights(first, weights)
    second = network.build(other, side)
    set_weights(second, weights)
    pictures = np.random.default_rng(1).random((2, side, side, 3), dtype=np.float32)
    return np.asarray(first(pictures)), np.asarray(second(pictures))


@pytest.mark.parametrize(
    ("network", "side"),
    [
        (TIRAMISUS["compact"], 64),
        (PAPER_STYLE, 32),
        (replace(PAPER_STYLE, separable=True), 32),
        (SEPARABLE, 32),
        (EMBEDDERS["test_tiny"], 32),
    ],
    ids=["compact", "paper_style", "separable_paper_style", "separable", "embedder"],
)
def test_keras_and_tf_keras_agree(network: Any, side: int) -> None:
    tf_keras = pytest.importorskip("tf_keras", reason="needs the convert extra")
    ours, theirs = both_outputs(network, tf_keras, side)
    assert ours.std() > 1e-3, "an output without contrast would agree with anything"
    # One algorithm in float32, but fused and ordered differently: each of some 50 layers may
    # round by 2**-24 of its sums, which stay within about 100 of the output's own scale.
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-5 * max(1, np.abs(ours).max()))


ON_PYTORCH = """
import sys
import keras
import numpy as np
from pathlib import Path
from edgeseg.training.checkpoint import load_checkpoint
from edgeseg.training.dataset import load_dataset
from edgeseg.training.recipe import SegmenterRecipe, load_recipe
from edgeseg.training.segmenter import CHECKPOINT_FILE, SegmenterRun, train_segmenter
assert keras.backend.backend() == "torch"
folder, data, recipe = map(Path, sys.argv[1:])
pictures = np.load(folder / "pictures.npy")
model = load_checkpoint(folder / "tiny.safetensors").build(keras, sigmoid=True)
np.save(folder / "confidence.npy", model.predict_on_batch(pictures))
run = SegmenterRun(load_recipe(SegmenterRecipe, str(recipe)), load_dataset([data], 48), [1.0], ())
for _ in range(2):
    history = train_segmenter(run, folder / "run")
assert len(history.epochs) == 1 and history.epochs[0]["loss"] > 0, history
assert load_checkpoint(folder / "run" / CHECKPOINT_FILE).weights.keys() == {
    *load_checkpoint(folder / "tiny.safetensors").weights
}
"""


@pytest.mark.slow
def test_keras_on_pytorch_gives_the_same_and_trains(
    tmp_path: Path, drawn_folder: Path, write_recipe: Any
) -> None:
    pytest.importorskip("torch", reason="Keras's PyTorch backend needs PyTorch")
    network, preprocessing = TIRAMISUS["test_tiny"], Preprocessing(32, "stretch")
    model = network.build(keras, 32, sigmoid=True)
    weights = lively(get_weights(model))
    set_weights(model, weights)
    Checkpoint("segmenter", network, preprocessing, weights).save(tmp_path / "tiny.safetensors")
    pictures = np.random.default_rng(2).random((3, 32, 32, 3), dtype=np.float32)
    np.save(tmp_path / "pictures.npy", pictures)
    done = subprocess.run(
        [sys.executable, "-c", ON_PYTORCH, tmp_path, drawn_folder, write_recipe(epochs=1)],
        env={**os.environ, "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    here, there = np.asarray(model(pictures)), np.load(tmp_path / "confidence.npy")
    assert here.std() > 1e-3
    # As above; a sigmoid is flatter than its logits, so no scale is needed.
    np.testing.assert_allclose(there, here, rtol=0, atol=2e-5)
