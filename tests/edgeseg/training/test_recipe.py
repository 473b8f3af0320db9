"""Recipes are read strictly, learning rates move as they say, and a history knows when to stop."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("safetensors", reason="needs the train extra")

from edgeseg.errors import DatasetError, EdgesegError
from edgeseg.training.fit import History
from edgeseg.training.recipe import (
    EmbedderRecipe,
    Schedule,
    SegmenterRecipe,
    load_recipe,
    recipe_names,
    with_epochs,
)
from tests.edgeseg.training.conftest import EMBEDDER_RECIPE, SEGMENTER_RECIPE, WriteRecipe


@pytest.mark.parametrize("kind", [SegmenterRecipe, EmbedderRecipe])
def test_shipped_recipes(kind: Any, tmp_path: Path) -> None:
    names = recipe_names(kind)
    assert "default" in names
    for name in names:
        recipe = load_recipe(kind, name)
        # What a run's record holds can be given back as a recipe.
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(recipe.to_dict()))
        assert load_recipe(kind, str(path)) == recipe


def test_the_seed_recipe_is_the_published_variants() -> None:
    recipe = load_recipe(SegmenterRecipe, "seed")
    assert (recipe.network, recipe.input_px, recipe.batch) == ("seed", 224, 4)
    # (x - 0.4) / 0.3 on 0..255.
    assert recipe.scale == pytest.approx(1 / 0.3)
    assert recipe.offset == pytest.approx(-0.4 / 0.3)
    assert recipe.optimizer["name"] == "adam_amsgrad"
    assert recipe.iou_weight == 0


def test_with_epochs() -> None:
    recipe = load_recipe(SegmenterRecipe, "default")
    assert with_epochs(recipe, None) is recipe
    assert with_epochs(recipe, 3).epochs == 3
    assert with_epochs(recipe, 3).batch == recipe.batch


ODD_SEGMENTER_RECIPES: dict[str, dict[str, Any]] = {
    "unknown": {"colour": 1},
    "unknown augmentation": {"augmentation": {"flop": 1}},
    "unknown schedule field": {"schedule": {"name": "cosine", "cycles": 2}},
    "unknown network": {"network": "unet"},
    "unknown optimizer": {"optimizer": {"name": "sgd", "learning_rate": 1, "weight_decay": 0}},
    "optimizer without rate": {"optimizer": {"name": "adamw"}},
    "unknown schedule": {"schedule": {"name": "linear"}},
    "schedule of another type": {"schedule": "cosine"},
    "a size that does not fit": {"input_px": 36},
    "a batch of text": {"batch": "4"},
    "a batch of nothing": {"batch": 0},
    "no epochs": {"epochs": -1},
    "epochs that are true": {"epochs": True},
    "no samples": {"epoch_samples": 0},
    "a fraction of a photograph": {"batch": 2.5},
}


@pytest.mark.parametrize("case", ODD_SEGMENTER_RECIPES)
def test_odd_recipes(case: str, write_recipe: WriteRecipe) -> None:
    path = write_recipe(**ODD_SEGMENTER_RECIPES[case])
    with pytest.raises(DatasetError, match="training recipe") as caught:
        load_recipe(SegmenterRecipe, str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("base", [SEGMENTER_RECIPE, EMBEDDER_RECIPE], ids=["segmenter", "embedder"])
def test_every_field_must_be_there(base: dict[str, Any], tmp_path: Path) -> None:
    kind: Any = SegmenterRecipe if base is SEGMENTER_RECIPE else EmbedderRecipe
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(base))
    load_recipe(kind, str(path))
    for name in base:
        path.write_text(json.dumps({k: v for k, v in base.items() if k != name}))
        with pytest.raises(DatasetError, match=name):
            load_recipe(kind, str(path))


def test_files_that_are_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="default"):
        load_recipe(SegmenterRecipe, "none")
    path = tmp_path / "recipe.json"
    for data in (b"", b"{", b"[]", b"3", b"\xff\xfe\x00", b'{"a": ' * 50_000, b"[" * 200_000):
        path.write_bytes(data)
        with pytest.raises(EdgesegError) as caught:
            load_recipe(SegmenterRecipe, str(path))
        assert "\n" not in str(caught.value)


def test_cosine_with_warm_up() -> None:
    schedule = Schedule("cosine", warmup_epochs=2)
    rates = [schedule.rate(0.1, step, 10, 20, 0) for step in range(200)]
    # Linear over two epochs, never 0, at its peak when the warm-up ends.
    for step in range(20):
        assert rates[step] == pytest.approx(0.1 * (step + 1) / 20)
    assert max(rates) == pytest.approx(0.1)
    assert rates.index(max(rates)) in (19, 20)
    assert all(later < earlier for earlier, later in pairwise(rates[20:]))
    assert rates[110] == pytest.approx(0.05)
    # The last step is 1/180 of half a turn short of 0.
    assert 0 < rates[-1] == pytest.approx(0.05 * (1 - math.cos(math.pi / 180)))
    assert schedule.rate(0.1, 500, 10, 20, 0) == pytest.approx(0)
    assert Schedule("cosine").rate(0.1, 0, 10, 20, 0) == pytest.approx(0.1)


def test_plateau() -> None:
    schedule = Schedule("plateau", factor=0.5, patience=3)
    assert [schedule.rate(0.1, 77, 10, 20, n) for n in range(3)] == [0.1, 0.05, 0.025]


def history(*scores: float) -> History:
    return History({}, [{"epoch": i, "score": score} for i, score in enumerate(scores)])


@pytest.mark.parametrize(
    ("scores", "patience", "drops", "stale", "best"),
    [
        ((), 2, 0, 0, -1),
        ((0.1,), 2, 0, 0, 0),
        ((0.1, 0.2, 0.3), 1, 0, 0, 2),
        ((0.3, 0.2), 2, 0, 1, 0),
        ((0.3, 0.2, 0.3), 2, 1, 2, 0),
        ((0.3, 0.2, 0.2, 0.1), 2, 1, 3, 0),
        ((0.3, 0.2, 0.2, 0.1, 0.1), 2, 2, 4, 0),
        ((0.3, 0.2, 0.2, 0.4, 0.1), 2, 1, 1, 3),
        ((0.3, 0.2, 0.4, 0.1, 0.1), 2, 1, 2, 2),
        ((0.0, 0.0, 0.0), 1, 2, 2, 0),
    ],
)
def test_histories(
    scores: tuple[float, ...], patience: int, drops: int, stale: int, best: int
) -> None:
    told = history(*scores)
    assert (told.drops(patience), told.stale_epochs(), told.best_epoch) == (drops, stale, best)
