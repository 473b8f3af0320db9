"""Recipes: what comes with the package, and what is refused in one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from converters.recipe import Pruning, Recipe, load_recipe, recipe_names
from edgeseg.errors import EdgesegError

BASE = {"name": "own", "description": "", "quantization": "static"}


def test_the_five_recipes_come_with_the_package() -> None:
    assert recipe_names() == [
        "dynamic_wi8",
        "float16",
        "float32",
        "qat_wi8_ai8",
        "static_wi8_ai8",
    ]


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_has_its_files_name_and_prunes_nothing_unless_asked(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description
    assert recipe.pruning is None
    assert recipe.floor.iou_drop == 0.01
    assert recipe.full_int8 == name.endswith("ai8")


def test_ones_own_recipe_is_a_json_file(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    pruning = {"final_sparsity": 0.7, "fine_tuning": {"epochs": 2, "batch": 4}}
    path.write_text(json.dumps({**BASE, "pruning": pruning, "floor": {"iou_drop": 0.02}}))
    recipe = load_recipe(str(path))
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
