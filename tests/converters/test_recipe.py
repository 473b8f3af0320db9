"""Recipes: what comes with the package, and what is refused in one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from converters.recipe import FineTuning, Pruning, Recipe, StructuredPruning
from converters.recipes import ladder, load_recipe, recipe_names
from edgeseg.errors import EdgesegError

BASE = {"name": "own", "description": "", "quantization": "static"}


def test_the_recipes_come_with_the_package() -> None:
    assert recipe_names() == [
        "dynamic_wi8",
        "float16",
        "float32",
        "qat_wi8_ai8",
        "static_wi8_ai16",
        "static_wi8_ai8",
        "static_wi8_ai8_equalized",
        "static_wi8_ai8_float_head",
        "static_wi8_ai8_recalibrated",
    ]


def test_auto_tries_every_recipe_once_but_int16() -> None:
    names = [recipe.name for recipe in ladder()]
    assert sorted([*names, "static_wi8_ai16"]) == recipe_names()
    assert names[0] == "static_wi8_ai8"
    assert names[-1] == "float32"


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_has_its_files_name_and_prunes_nothing_unless_asked(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description
    assert recipe.pruning is None
    assert recipe.structured is None
    assert recipe.floor.iou_drop == 0.01
    assert recipe.full_int8 == ("ai8" in name)


def test_ones_own_recipe_is_a_json_file(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    pruning = {"final_sparsity": 0.7, "fine_tuning": {"epochs": 2, "batch": 4}}
    own = {**BASE, "pruning": pruning, "floor": {"iou_drop": 0.02}, "float_layers": ["head_*"]}
    own["structured"] = {"share": 0.4, "fine_tuning": None, "last_fine_tuning": {"epochs": 3}}
    path.write_text(json.dumps(own))
    recipe = load_recipe(str(path))
    assert recipe.float_layers == ("head_*",)
    assert recipe.structured == StructuredPruning(0.4, None, None, 4, None, FineTuning(epochs=3))
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert recipe.pruning is not None
    assert recipe.pruning.final_sparsity == 0.7
    assert recipe.pruning.fine_tuning.epochs == 2
    assert recipe.floor.iou_drop == 0.02


def test_overrides() -> None:
    recipe = load_recipe("float32").with_overrides(iou_drop=0.0, sparsity=0.05)
    assert recipe.floor.iou_drop == 0.0
    # The schedule may not start above where it ends.
    assert recipe.pruning == Pruning(0.05, initial_sparsity=0.05)
    assert load_recipe("float32").with_overrides() == load_recipe("float32")
    with pytest.raises(EdgesegError, match="final_sparsity"):
        recipe.with_overrides(sparsity=1.0)
    structured = recipe.with_overrides(structured_share=0.4, latency_budget=0.5).structured
    assert structured == StructuredPruning(share=0.4, latency_budget=0.5)
    with pytest.raises(EdgesegError, match="share"):
        recipe.with_overrides(structured_share=0.99)


@pytest.mark.parametrize(
    "change",
    [
        {"quantization": "int4"},
        {"quantisation": "static"},
        {"calibration_pictures": 0},
        {"calibration_pictures": "many"},
        {"floor": {"iou_drop": float("nan")}},
        {"floor": {"iou": 0.1}},
        {"floor": 3},
        {"pruning": {"final_sparsity": 1.5}},
        {"pruning": {}},
        {"pruning": "hard"},
        {"fine_tuning": {"epochs": 0}},
        {"activations": "int4"},
        {"activations": "int16", "quantization": "aware"},
        {"activations": "int16", "float_layers": ["head_conv"]},
        {"float_layers": ["head_conv"], "quantization": "float16"},
        {"float_layers": [3]},
        {"structured": {}},
        {"structured": {"share": 0.99}},
        {"structured": {"share": 0.4, "last_fine_tuning": {"epochs": 0}}},
        {"equalise": True},
        {"equalize": "yes"},
        {"fine_tuning": {"learning_rate": -1}},
    ],
)
def test_a_wrong_recipe_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(EdgesegError, match="own"):
        Recipe.from_dict({**BASE, **change}, "own")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"name": "x"}', "[" * 100_000])
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.json"
    path.write_text(text)
    with pytest.raises(EdgesegError):
        load_recipe(str(path))


@pytest.mark.parametrize("name", ["nope", "", "../recipe", "missing.json"])
def test_an_unknown_recipe_is_refused(name: str) -> None:
    with pytest.raises(EdgesegError):
        load_recipe(name)
