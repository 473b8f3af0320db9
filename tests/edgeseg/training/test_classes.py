"""Networks that tell classes apart: recipes, crops, both kinds of statistics, and training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from edgeseg.cli import main
from edgeseg.errors import DatasetError, EdgesegError, FormatError, ModelContractError
from edgeseg.evaluation.classes import VOID
from edgeseg.evaluation.labelled import LabelledPhoto
from edgeseg.imaging import encode_png, read_photo
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.checkpoint import Checkpoint, get_weights, load_checkpoint, set_weights
from edgeseg.training.class_predictor import ClassPredictor
from edgeseg.training.classes import CHECKPOINT_FILE, ClassesRun, train_classes
from edgeseg.training.classes_data import (
    ClassDataset,
    ClassSample,
    load_classes,
    random_crop,
    reflected,
)
from edgeseg.training.classes_recipe import load_classes_recipe, with_stage_epochs
from edgeseg.training.networks.tiramisu import TIRAMISUS

CLASSES = ["ground", "disc", "bar"]
SIZE = (40, 56)
TRAIN, VAL = 12, 4
STAGE: dict[str, Any] = {
    "name": "crops",
    "crop_px": 32,
    "flip": 0.5,
    "batch": 4,
    "epochs": 12,
    "optimizer": {"name": "rmsprop", "learning_rate": 0.01, "weight_decay": 0.0},
    "schedule": {"name": "exponential", "factor": 0.95},
    "early_stopping_patience": 100,
}
WHOLE = {**STAGE, "name": "whole", "crop_px": None, "batch": 1, "epochs": 2}
RECIPE: dict[str, Any] = {
    "network": "test_tiny",
    "classes": CLASSES,
    "input_px": 48,
    "scale": 1 / 255,
    "offset": 0.0,
    "weight_decay": 1e-4,
    "validation_statistics": "batch",
    "validation_batch": 3,
    "stages": [STAGE, WHOLE],
}


def drawing(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A disc and a bar, each of its own colour on a third, and their class ids with some void."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    ids = np.zeros(SIZE, np.uint8)
    top, left = rng.integers(10, 30), rng.integers(12, 44)
    ids[(rows - top) ** 2 + (columns - left) ** 2 < 64] = 1
    bar = int(rng.integers(0, SIZE[1] - 8))
    ids[:, bar : bar + 8] = 2
    colours = np.array([(90, 110, 90), (210, 40, 40), (40, 50, 200)])
    photo = colours[ids] + rng.normal(0, 12, (*SIZE, 3))
    ids[:2] = len(CLASSES)
    return np.clip(photo, 0, 255).astype(np.uint8), ids


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawings laid out as CamVid is."""
    root: Path = tmp_path_factory.mktemp("classes")
    for split, seeds in (("train", range(TRAIN)), ("val", range(100, 100 + VAL))):
        (root / split).mkdir()
        (root / f"{split}annot").mkdir()
        for seed in seeds:
            photo, ids = drawing(seed)
            (root / split / f"d{seed}.png").write_bytes(encode_png(photo))
            (root / f"{split}annot" / f"d{seed}.png").write_bytes(encode_png(ids))
    return root


@pytest.fixture(scope="module")
def dataset(folder: Path) -> ClassDataset:
    return load_classes(folder, len(CLASSES))


@pytest.fixture
def recipe_path(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(RECIPE))
    return path


def sample(photo: np.ndarray, ids: np.ndarray) -> ClassSample:
    return ClassSample(LabelledPhoto("x", Path("x"), Path("y")), photo, ids)


# --- recipes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [56, 67, 103])
def test_the_papers_recipes(name: int) -> None:
    recipe = load_classes_recipe(f"camvid{name}")
    crops, whole = recipe.stages
    assert len(recipe.classes) == 11
    assert recipe.network == f"fcdensenet{name}"
    # Section 4.1 of arXiv 1611.09326.
    assert recipe.weight_decay == 1e-4
    assert recipe.architecture.dropout == 0.2
    assert (crops.crop_px, crops.batch, whole.crop_px, whole.batch) == (224, 3, None, 1)
    assert {stage.optimizer["name"] for stage in recipe.stages} == {"rmsprop"}
    rates = [stage.optimizer["learning_rate"] for stage in recipe.stages]
    assert rates == [1e-3, 1e-4]
    assert [stage.early_stopping_patience for stage in recipe.stages] == [100, 50]
    assert crops.schedule.rate(1e-3, 122 * 10, 122, 750, 0) == pytest.approx(1e-3 * 0.995**10)
    assert recipe.validation_statistics == "batch"


def test_the_network_has_a_channel_for_each_class() -> None:
    recipe = load_classes_recipe("camvid_quick")
    model = recipe.architecture.build(keras, 32, sigmoid=True)
    assert model.output_shape == (None, 32, 32, 11)
    scores = np.asarray(model(np.random.default_rng(0).random((1, 32, 32, 3), dtype=np.float32)))
    np.testing.assert_allclose(scores.sum(axis=-1), 1, atol=1e-5)


def test_epochs_of_every_stage(recipe_path: Path) -> None:
    recipe = load_classes_recipe(str(recipe_path))
    assert with_stage_epochs(recipe, None) is recipe
    assert [stage.epochs for stage in with_stage_epochs(recipe, 5).stages] == [5, 5]


ODD: dict[str, Any] = {
    "unknown": {"colour": 1},
    "unknown network": {"network": "unet"},
    "one class": {"classes": ["a"]},
    "classes of one name": {"classes": ["a", "b", "a"]},
    "a class without a name": {"classes": ["a", ""]},
    "a class that is a number": {"classes": ["a", 1]},
    "classes as text": {"classes": "abc"},
    "a long name": {"classes": ["a", "b" * 101]},
    "too many": {"classes": [str(number) for number in range(255)]},
    "a size that does not fit": {"input_px": 50},
    "no size": {"input_px": None},
    "no scale": {"scale": 0.0},
    "statistics": {"validation_statistics": "both"},
    "no batch": {"validation_batch": 0},
    "decay": {"weight_decay": -1},
    "decay that is true": {"weight_decay": True},
    "no stages": {"stages": []},
    "stages as an object": {"stages": STAGE},
    "a stage as text": {"stages": ["crops"]},
    "two stages of one name": {"stages": [STAGE, STAGE]},
    **{
        f"stage: {name} {value!r}": {"stages": [{**STAGE, name: value}]}
        for name, value in {
            "name": "../up",
            "crop_px": 33,
            "flip": 1.5,
            "batch": 0,
            "epochs": "3",
            "early_stopping_patience": True,
            "more": 1,
            "optimizer": {"name": "sgd", "learning_rate": 0.1, "weight_decay": 0},
            "schedule": "cosine",
        }.items()
    },
    "a schedule": {"stages": [{**STAGE, "schedule": {"name": "linear"}}]},
    "a schedule's field": {"stages": [{**STAGE, "schedule": {"name": "cosine", "cycles": 2}}]},
    "no rate": {"stages": [{**STAGE, "optimizer": {"name": "rmsprop"}}]},
    "rate 0": {
        "stages": [
            {**STAGE, "optimizer": {"name": "rmsprop", "learning_rate": 0, "weight_decay": 0}}
        ]
    },
}


@pytest.mark.parametrize("case", ODD)
def test_odd_recipes(case: str, recipe_path: Path) -> None:
    recipe_path.write_text(json.dumps({**RECIPE, **ODD[case]}))
    with pytest.raises(DatasetError, match="training recipe") as caught:
        load_classes_recipe(str(recipe_path))
    assert "\n" not in str(caught.value)


def test_files_that_are_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="camvid103"):
        load_classes_recipe("none")
    path = tmp_path / "recipe.json"
    for data in (b"", b"[]", b"3", b"\xff\xfe", b"[" * 200_000):
        path.write_bytes(data)
        with pytest.raises(EdgesegError) as caught:
            load_classes_recipe(str(path))
        assert "\n" not in str(caught.value)
    for name in RECIPE:
        path.write_text(json.dumps({k: v for k, v in RECIPE.items() if k != name}))
        with pytest.raises(DatasetError, match=name):
            load_classes_recipe(str(path))


# --- crops ---------------------------------------------------------------------------------------


def test_crops_are_cut_out_and_not_stretched() -> None:
    ids = np.arange(40 * 56).reshape(40, 56)
    # Each pixel says where it is from, in the photo and in the ids alike.
    photo = np.dstack([ids // 56, ids % 56, ids * 0]).astype(np.uint8)
    whole = sample(photo, (ids % 56).astype(np.uint8))
    corners, mirrored = set(), 0
    for seed in range(60):
        image, cut = random_crop(whole, 32, 0.5, 8, np.random.default_rng(seed))
        assert image.shape == (32, 32, 3)
        np.testing.assert_array_equal(image[..., 1], cut)
        rows, columns = image[:, 0, 0].astype(int), image[0, :, 1].astype(int)
        assert (np.diff(rows) == 1).all()
        assert set(np.diff(columns)) in ({1}, {-1})
        mirrored += columns[0] > columns[1]
        corners.add((rows[0], columns.min()))
    # 60 fair draws: 30, give or take three standard deviations of 3.9.
    assert 18 <= mirrored <= 42
    assert {row for row, _ in corners} >= {0, 8}, "the last row can be reached"
    assert max(column for _, column in corners) > 16
    again = random_crop(whole, 32, 0.5, 8, np.random.default_rng(7))
    np.testing.assert_array_equal(
        again[0], random_crop(whole, 32, 0.5, 8, np.random.default_rng(7))[0]
    )


def test_whole_photographs_are_reflected_and_void_beyond_the_frame() -> None:
    photo, ids = drawing(3)
    image, labels = random_crop(sample(photo, ids), None, 0.0, 32, np.random.default_rng(0))
    assert image.shape == (64, 64, 3)
    np.testing.assert_array_equal(image[12:52, 4:60], photo)
    np.testing.assert_array_equal(labels[12:52, 4:60], ids)
    np.testing.assert_array_equal(image[11, 4:60], photo[1])
    outside = np.ones((64, 64), bool)
    outside[12:52, 4:60] = False
    assert (labels[outside] == VOID).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (5, 5), (6, 9)])
def test_photographs_smaller_than_the_crop(size: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert reflected(photo, 8, 8).shape == (8, max(8, size[1]), 3)
    image, labels = random_crop(
        sample(photo, np.ones(size, np.uint8)), 8, 0.5, 8, np.random.default_rng(0)
    )
    assert image.shape == (8, 8, 3)
    assert (labels != VOID).sum() == min(8, size[0]) * min(8, size[1])


# --- statistics ----------------------------------------------------------------------------------


def lively_predictor(statistics: Any, **changes: Any) -> ClassPredictor:
    """Random weights, and moving averages that are nothing like a batch's statistics."""
    network = replace(TIRAMISUS["test_tiny"], classes=3, dropout=0.4, **changes)
    predictor = ClassPredictor(network, Preprocessing(48, "stretch"), statistics)
    rng = np.random.default_rng(5)
    weights = {
        name: value + rng.uniform(0, 0.8, value.shape).astype(np.float32)
        if name.endswith(("moving_mean", "moving_variance", "gamma", "beta"))
        else rng.normal(0, 0.15, value.shape).astype(np.float32)
        for name, value in sorted(get_weights(predictor.model).items())
    }
    predictor.load(weights)
    return predictor


def test_batch_statistics_are_those_of_training_without_dropout() -> None:
    predictor = lively_predictor("batch")
    photos = [drawing(seed)[0][:40, :40] for seed in range(3)]
    inputs = predictor.preprocessing.normalized(np.stack(photos))
    weights = get_weights(predictor.model)
    twin = replace(predictor.network, dropout=0.0).build(keras, None)
    set_weights(twin, weights)
    expected = np.asarray(twin(inputs, training=True))
    np.testing.assert_allclose(
        np.asarray(predictor.model.predict_on_batch(inputs)), expected, rtol=1e-4, atol=1e-4
    )
    moving = lively_predictor("moving")
    set_weights(twin, weights)
    by_moving = np.asarray(moving.model.predict_on_batch(inputs))
    np.testing.assert_allclose(
        by_moving, np.asarray(twin(inputs, training=False)), rtol=1e-4, atol=1e-4
    )
    assert np.abs(by_moving - expected).max() > 0.05
    # Predicting leaves the averages alone.
    for name, value in get_weights(predictor.model).items():
        np.testing.assert_array_equal(value, weights[name])


def test_by_moving_averages_a_photograph_does_not_depend_on_its_neighbours() -> None:
    photos = [drawing(seed)[0] for seed in range(4)]
    photos[3] = 255 - photos[3]
    for statistics, depends in (("moving", False), ("batch", True)):
        predictor = lively_predictor(statistics)
        alone, beside = predictor(photos[:1])[0], predictor(photos)[0]
        assert alone.shape == SIZE
        assert bool((alone != beside).any()) == depends


def test_padding_is_cut_off_where_it_was_put() -> None:
    """A network that copies its input's channels: what comes out is what went in."""
    predictor = lively_predictor("moving")

    class Copying:
        def predict_on_batch(self, inputs: np.ndarray) -> np.ndarray:
            assert inputs.shape[1] % predictor.network.total_stride == 0
            assert inputs.shape[2] % predictor.network.total_stride == 0
            return inputs

    predictor.model = Copying()
    for height, width in ((40, 56), (41, 57), (8, 8), (1, 3)):
        photo = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
        (ids,) = predictor([photo])
        np.testing.assert_array_equal(ids, np.argmax(photo, axis=2))


def test_checkpoints_of_garments_are_refused() -> None:
    network = TIRAMISUS["test_tiny"]
    weights = get_weights(network.build(keras, 32))
    checkpoint = Checkpoint("segmenter", network, Preprocessing(32, "stretch"), weights)
    with pytest.raises(ModelContractError, match="tells no classes apart"):
        ClassPredictor.of(checkpoint, "moving")


# --- training ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(folder: Path, dataset: ClassDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of both stages."""
    root: Path = tmp_path_factory.mktemp("trained")
    (root / "recipe.json").write_text(json.dumps(RECIPE))
    recipe = load_classes_recipe(str(root / "recipe.json"))
    train_classes(ClassesRun(recipe, dataset, seed=1), root / "run")
    return root / "run"


def test_a_network_learns_the_classes(trained: Path, dataset: ClassDataset) -> None:
    checkpoint = load_checkpoint(trained / CHECKPOINT_FILE)
    assert checkpoint.classes == tuple(CLASSES)
    assert checkpoint.network.classes == 3
    # The ground alone is 0.25 in mean IoU; chance is below that.
    assert checkpoint.evaluation["val/mean_iou"] > 0.7
    assert checkpoint.evaluation["statistics"] == "batch"
    scores = {
        stage: max(r["score"] for r in json.loads((trained / stage / "history.json").read_text()))
        for stage in ("crops", "whole")
    }
    assert checkpoint.evaluation["score"] == max(scores.values())
    assert checkpoint.evaluation["stage"] == max(scores, key=lambda stage: scores[stage])
    predicted = ClassPredictor.of(checkpoint, "batch")([s.image for s in dataset.val])
    right = [
        (p == s.ids)[s.ids != VOID].mean() for p, s in zip(predicted, dataset.val, strict=True)
    ]
    assert np.mean(right) > 0.85


@pytest.mark.slow
def test_a_run_goes_on_in_the_stage_where_it_was_interrupted(
    trained: Path, dataset: ClassDataset, tmp_path: Path, recipe_path: Path
) -> None:
    recipe = load_classes_recipe(str(recipe_path))
    run = ClassesRun(recipe, dataset, seed=1)
    seen: list[tuple[str, int]] = []

    class InterruptedRunError(Exception):
        pass

    def on_epoch(stage: str, record: Any) -> None:
        seen.append((stage, int(record["epoch"])))
        if seen[-1] in (("crops", 4), ("whole", 0)):
            raise InterruptedRunError

    for _ in range(2):
        with pytest.raises(InterruptedRunError):
            train_classes(run, tmp_path / "run", on_epoch=on_epoch)
    histories = train_classes(run, tmp_path / "run", on_epoch=on_epoch)
    assert seen == [("crops", n) for n in range(12)] + [("whole", n) for n in range(2)]
    for stage, history in histories.items():
        straight = json.loads((trained / stage / "history.json").read_text())
        assert history.epochs[0]["loss"] == pytest.approx(straight[0]["loss"], rel=1e-3)
        assert [r["learning_rate"] for r in history.epochs] == [
            r["learning_rate"] for r in straight
        ]
    other = ClassesRun(recipe, dataset, seed=2)
    with pytest.raises(FormatError, match="another run"):
        train_classes(other, tmp_path / "run")


def test_photographs_of_two_sizes_do_not_fit_into_one_step(
    dataset: ClassDataset, tmp_path: Path, recipe_path: Path
) -> None:
    recipe_path.write_text(json.dumps({**RECIPE, "stages": [{**WHOLE, "batch": 2}]}))
    odd = sample(*(part[:32] for part in drawing(1)))
    run = ClassesRun(
        load_classes_recipe(str(recipe_path)), ClassDataset((*dataset.train, odd), dataset.val)
    )
    with pytest.raises(DatasetError, match="2 sizes"):
        train_classes(run, tmp_path / "run")


def test_folders_that_cannot_be_trained_on(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"needs train/ and trainannot/"):
        load_classes(tmp_path, 3)
    with pytest.raises(DatasetError, match="with 2 classes"):
        load_classes(folder, 2)
    for split in ("train", "val"):
        for kind in (split, f"{split}annot"):
            (tmp_path / kind).mkdir()
        photo, ids = drawing(0)
        (tmp_path / split / "a.png").write_bytes(encode_png(photo))
        (tmp_path / f"{split}annot" / "a.png").write_bytes(encode_png(ids * 0 + VOID))
    with pytest.raises(DatasetError, match="is void"):
        load_classes(tmp_path, 3)


def test_the_commands(
    folder: Path, tmp_path: Path, recipe_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    command = ["train", "classes", "--data", str(folder), "--recipe", str(recipe_path)]
    command += ["-o", str(output), "--epochs", "1"]
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {stage: len(epochs) for stage, epochs in told["stages"].items()} == {
        "crops": 1, "whole": 1,
    }  # fmt: skip
    assert {path.name for path in output.iterdir()} == {
        CHECKPOINT_FILE, "crops", "whole", "predictions.png",
    }  # fmt: skip
    assert {path.name for path in (output / "whole").iterdir()} == {
        CHECKPOINT_FILE, "curves.png", "history.json", "state.safetensors",
    }  # fmt: skip
    assert read_photo(output / "predictions.png").std() > 5
    figures = {}
    for statistics in ("moving", "batch"):
        asked = ["eval", "classes", "--data", str(folder), "--checkpoint", told["checkpoint"]]
        assert main([*asked, "--statistics", statistics, "--batch", "3", "--json"]) == 0
        figures[statistics] = json.loads(capsys.readouterr().out)
        assert figures[statistics]["statistics"] == statistics
    # After six steps the moving averages are far behind: two figures, not one.
    assert figures["moving"]["accuracy"] != figures["batch"]["accuracy"]
    assert figures["batch"]["mean_iou"] == pytest.approx(told["best"]["val/mean_iou"], abs=1e-3)

    assert main([*command, "--seed", "3"]) == 1
    err = capsys.readouterr().err
    assert "another run" in err
    assert len(err.strip().splitlines()) == 1, err
    assert main(["train", "segmenter", "--data", str(folder), "-o", str(tmp_path / "x")]) == 1
    assert "edgeseg train classes" in capsys.readouterr().err
