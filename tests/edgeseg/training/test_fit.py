"""Training goes on where it was interrupted, and only there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

from edgeseg.errors import DatasetError, FormatError
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.checkpoint import load_checkpoint
from edgeseg.training.dataset import Dataset, load_dataset
from edgeseg.training.embedder import EmbedderRun, train_embedder
from edgeseg.training.fit import STATE_FILE, History
from edgeseg.training.instances import Instance
from edgeseg.training.networks.tiramisu import TIRAMISUS
from edgeseg.training.recipe import EmbedderRecipe, SegmenterRecipe, load_recipe
from edgeseg.training.segmenter import CHECKPOINT_FILE, SegmenterRun, train_segmenter
from tests.edgeseg.training.conftest import EMBEDDER_RECIPE, WriteRecipe


class InterruptedRunError(Exception):
    """Stands for a kill after an epoch."""


@pytest.fixture(scope="module")
def dataset(drawn_folder: Path) -> Dataset:
    return load_dataset([drawn_folder], 48)


@pytest.fixture
def run(dataset: Dataset, write_recipe: WriteRecipe, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Four epochs of a tiny network with dropout: what it drops is part of where it stands."""
    dropping = replace(TIRAMISUS["test_tiny"], dropout=0.4)
    monkeypatch.setitem(TIRAMISUS, "test_tiny", dropping)
    recipe = load_recipe(SegmenterRecipe, str(write_recipe()))
    return SegmenterRun(recipe, dataset, [1.0], (), seed=3)


def trained(run: SegmenterRun, folder: Path, until: int | None = None) -> list[dict[str, float]]:
    """The epochs' records; training is broken off after ``until`` epochs."""
    records: list[dict[str, float]] = []

    def on_epoch(record: dict[str, float]) -> None:
        records.append(record)
        if record["epoch"] + 1 == until:
            raise InterruptedRunError

    try:
        history = train_segmenter(run, folder, on_epoch=on_epoch)
    except InterruptedRunError:
        return records
    assert [record["epoch"] for record in history.epochs] == list(range(run.recipe.epochs))
    return history.epochs


@pytest.mark.slow
def test_an_interrupted_run_ends_as_an_uninterrupted_one(run: SegmenterRun, tmp_path: Path) -> None:
    straight = trained(run, tmp_path / "straight")
    broken = tmp_path / "broken"
    assert len(trained(run, broken, until=2)) == 2
    # As a kill between an epoch's two files leaves it.
    (broken / "history.json").write_text("[]")
    resumed = trained(run, broken)
    for one, other in zip(straight, resumed, strict=True):
        assert one["learning_rate"] == other["learning_rate"]
        # The same operations in float32, summed by two threads in an order that may differ: 1e-7
        # a step, and a few hundredfold of it after eight steps. Other dropout moves it by 1e-2.
        assert other["loss"] == pytest.approx(one["loss"], rel=5e-4)
    assert json.loads((broken / "history.json").read_text()) == resumed
    # Going on with a run that is done trains nothing, and mends its history.
    (broken / "history.json").unlink()
    before = (broken / STATE_FILE).read_bytes()
    assert trained(run, broken) == resumed
    assert (broken / STATE_FILE).read_bytes() == before
    assert json.loads((broken / "history.json").read_text()) == resumed
    weights = [
        load_checkpoint(folder / CHECKPOINT_FILE) for folder in (tmp_path / "straight", broken)
    ]
    assert weights[0].network == weights[1].network
    assert sorted(p.name for p in broken.iterdir()) == [
        "history.json", CHECKPOINT_FILE, STATE_FILE,
    ]  # fmt: skip
    refuse_others(run, broken)
    refuse_damage(run, broken)


def refuse_others(run: SegmenterRun, folder: Path) -> None:
    state = (folder / STATE_FILE).read_bytes()
    others = (
        replace(run, seed=4),
        replace(run, dataset=replace(run.dataset, train=run.dataset.train[1:])),
    )
    for other in others:
        with pytest.raises(FormatError, match="another run"):
            train_segmenter(other, folder)
    assert (folder / STATE_FILE).read_bytes() == state


def refuse_damage(run: SegmenterRun, folder: Path) -> None:
    path = folder / STATE_FILE
    data = path.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    renamed = data.replace(b"optimizer/0001", b"optimizer/9901")
    for damaged in (b"", data[: header + 5], renamed):
        path.write_bytes(damaged)
        with pytest.raises(FormatError, match="delete the folder to start anew") as caught:
            train_segmenter(run, folder)
        assert "\n" not in str(caught.value)
        assert path.read_bytes() == damaged


def test_training_learns_and_keeps_the_best(
    dataset: Dataset, write_recipe: WriteRecipe, tmp_path: Path
) -> None:
    path = write_recipe(epochs=12, augmentation={"flip": 0.0})
    run = SegmenterRun(load_recipe(SegmenterRecipe, str(path)), dataset, [1.0], (), seed=1)
    steps: list[tuple[int, int]] = []
    history: History = train_segmenter(
        run, tmp_path, on_step=lambda epoch, step, _: steps.append((epoch, step))
    )
    losses = [record["loss"] for record in history.epochs]
    assert losses[-1] < 0.9 * losses[0]
    assert steps == [(epoch, step) for epoch in range(12) for step in (1, 2)]
    checkpoint = load_checkpoint(tmp_path / CHECKPOINT_FILE)
    best = history.epochs[history.best_epoch]
    assert checkpoint.evaluation == best
    assert checkpoint.run["recipe"]["input_px"] == 32
    assert checkpoint.preprocessing == Preprocessing(32, "stretch")
    assert best["score"] == max(record["score"] for record in history.epochs)


def test_folders_without_weight(
    dataset: Dataset, write_recipe: WriteRecipe, tmp_path: Path
) -> None:
    recipe = load_recipe(SegmenterRecipe, str(write_recipe(epoch_samples=8)))
    with pytest.raises(DatasetError, match="weight 0"):
        train_segmenter(SegmenterRun(recipe, dataset, [0.0], ()), tmp_path)
    lone = replace(dataset, names=(*dataset.names, "empty"))
    with pytest.raises(DatasetError, match="empty: nothing to train on"):
        train_segmenter(SegmenterRun(recipe, lone, [1.0, 1.0], ()), tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


def test_an_embedder_needs_items_on_both_sides(tmp_path: Path, write_recipe: WriteRecipe) -> None:
    recipe = load_recipe(EmbedderRecipe, str(write_recipe(EMBEDDER_RECIPE)))
    square = np.full((40, 40, 3), 255, np.uint8)
    square[8:-8, 10:-10] = 90
    items = [Instance(f"S{n}", [square], [square], [square]) for n in range(3)]
    for train, val in ((items, []), ([], items), (items[:1], items[1:])):
        with pytest.raises(DatasetError, match="to train on"):
            train_embedder(EmbedderRun(recipe, train, val), tmp_path)
