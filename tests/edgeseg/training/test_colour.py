"""The fitted colour descriptor weighs what tells items apart, and starts fit what they start."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg.colour_descriptor import root_histogram
from edgeseg.errors import ModelContractError
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.checkpoint import Checkpoint, get_weights, load_checkpoint
from edgeseg.training.colour import fit_colour
from edgeseg.training.instances import Instance
from edgeseg.training.networks.embedder import EMBEDDERS
from edgeseg.training.networks.tiramisu import TIRAMISUS
from edgeseg.training.recipe import EmbedderRecipe, load_recipe
from edgeseg.training.start import embedder_weights
from tests.edgeseg.training.conftest import EMBEDDER_RECIPE, WriteRecipe

PREPROCESSING = Preprocessing(32, "pad_white")


def square(hue: int, value: int) -> np.ndarray:
    """A garment of one hue (of 12) and brightness (of 6) on white."""
    import cv2

    picture = np.full((40, 40, 3), 255, np.uint8)
    hsv = np.array([[[15 * hue + 7, 200, 43 * value + 20]]], np.uint8)
    picture[6:-6, 8:-8] = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return picture


def items(hues: range, rng: np.random.Generator) -> list[Instance]:
    """Items of one hue each, whose pictures and scenes are of any brightness."""
    return [
        Instance(
            f"S{hue}",
            [square(hue, int(rng.integers(1, 5)))],
            [square(hue, int(value)) for value in rng.integers(1, 5, size=12)],
        )
        for hue in hues
        for _ in range(3)
    ]


def test_what_varies_within_items_counts_less_than_what_tells_them_apart() -> None:
    rng = np.random.default_rng(0)
    colour = fit_colour(items(range(12), rng), PREPROCESSING, dim=11, share=0.5)
    assert colour.projection.shape == (432, 11)
    one, darker, other = (PREPROCESSING.resized(square(*each)) for each in ((3, 4), (3, 2), (8, 4)))
    # By their bins alone a garment in the shade has nothing in common with itself.
    assert float(root_histogram(one) @ root_histogram(darker)) < 0.3
    same = float(colour.describe(one) @ colour.describe(darker))
    different = float(colour.describe(one) @ colour.describe(other))
    assert same > 0.9
    assert different < 0.5


def test_a_fit_repeats_and_is_as_a_bundle_holds_it() -> None:
    fits = [
        fit_colour(items(range(6), np.random.default_rng(1)), PREPROCESSING, 4, 0.5)
        for _ in range(2)
    ]
    assert fits[0].to_bytes() == fits[1].to_bytes()
    rounded = fits[0].projection.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(rounded, fits[0].projection)


@pytest.fixture
def recipe(write_recipe: WriteRecipe) -> EmbedderRecipe:
    return load_recipe(EmbedderRecipe, str(write_recipe(EMBEDDER_RECIPE)))


def test_an_embedder_starts_from_the_layers_that_it_shares(
    recipe: EmbedderRecipe, tmp_path: Path
) -> None:
    import keras

    wider = EMBEDDERS["test_tiny"].from_dict({**EMBEDDERS["test_tiny"].to_dict(), "dim": 24})
    weights = get_weights(wider.build(keras, 32))
    colour = fit_colour(items(range(4), np.random.default_rng(0)), PREPROCESSING, 3, 0.5)
    path = tmp_path / "wider.safetensors"
    Checkpoint("embedder", wider, PREPROCESSING, weights, colour=colour).save(path)
    loaded = load_checkpoint(path)
    assert loaded.colour is not None
    assert loaded.colour.to_bytes() == colour.to_bytes()
    assert loaded.weights.keys() == weights.keys()
    started = embedder_weights(recipe, path)
    # All but the projection, whose length differs.
    assert {name.split("/")[0] for name in weights.keys() - started.keys()} == {"projection"}
    np.testing.assert_array_equal(started["stem_conv/kernel"], weights["stem_conv/kernel"])


def test_a_start_that_does_not_fit_is_refused(recipe: EmbedderRecipe, tmp_path: Path) -> None:
    import keras

    path = tmp_path / "start.safetensors"
    tiramisu = TIRAMISUS["test_tiny"]
    weights = get_weights(tiramisu.build(keras, 32))
    Checkpoint("segmenter", tiramisu, Preprocessing(32, "stretch"), weights).save(path)
    with pytest.raises(ModelContractError, match="a segmenter's checkpoint"):
        embedder_weights(recipe, path)
    network = EMBEDDERS["test_tiny"]
    scaled = Preprocessing(32, "pad_white", scale=1 / 128, offset=-1.0)
    Checkpoint("embedder", network, scaled, get_weights(network.build(keras, 32))).save(path)
    with pytest.raises(ModelContractError, match="pixels times"):
        embedder_weights(recipe, path)
    foreign = {"elsewhere/kernel": np.zeros((2, 2), np.float32)}
    Checkpoint("embedder", network, PREPROCESSING, foreign).save(path)
    with pytest.raises(ModelContractError, match="shares no layer"):
        embedder_weights(recipe, path)
