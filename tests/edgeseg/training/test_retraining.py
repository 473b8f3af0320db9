"""``edgeseg train segmenter --replay --gate``: what is kept, and that nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from edgeseg.cli import main
from edgeseg.errors import ModelContractError
from edgeseg.evaluation.comparison import Change, Comparison, JudgedPhoto
from edgeseg.evaluation.labelled import LabelledPhoto
from edgeseg.files import sha256_hex
from edgeseg.training.checkpoint import load_checkpoint
from edgeseg.training.dataset import held_out
from edgeseg.training.gate import KEPT_FILE, VERDICT_FILE, decide, settle
from edgeseg.training.predictor import CheckpointSegmenter
from edgeseg.training.recipe import SegmenterRecipe, load_recipe
from edgeseg.training.start import retraining
from examples.drawing.folder import write_snapshot, write_split
from tests.edgeseg.training.conftest import EMBEDDER_RECIPE, PHOTO_PX, WriteRecipe


def comparison(**gains: list[float]) -> Comparison:
    return Comparison(
        tuple(
            Change(
                JudgedPhoto(LabelledPhoto("x", Path("x"), Path("x")), str(i), part), 0.8, 0.8 + g
            )
            for part, values in gains.items()
            for i, g in enumerate(values)
        )
    )


@pytest.mark.parametrize(
    ("gains", "passed", "told"),
    [
        ({"new": [0.05, 0.06, 0.04, 0.05, 0.05, 0.07]}, True, "better beyond noise"),
        ({"new": [0.05, -0.06, 0.04, -0.05, 0.05, 0.0]}, False, "not better beyond noise"),
        ({"new": [0.05, 0.06, 0.04]}, False, "not better beyond noise"),
        ({"new": [-0.1] * 8}, False, "worse on new by 0.1000"),
        # What was learnt anew does not make up for what was forgotten.
        ({"new": [0.3, 0.31] * 10, "old": [-0.02, -0.03] * 10}, False, "worse on old by 0.0250"),
        ({"new": [0.3, 0.31] * 10, "old": [0.0] * 20}, True, "better beyond noise"),
    ],
)
def test_the_rule_of_the_gate(gains: dict[str, list[float]], passed: bool, told: str) -> None:
    gate = decide(comparison(**gains))
    assert gate.passed is passed
    assert gate.reason.startswith(told)
    assert "held out" in gate.reason


def test_nothing_is_lost(tmp_path: Path) -> None:
    old, new = tmp_path / "old.safetensors", tmp_path / "run" / "segmenter.safetensors"
    new.parent.mkdir()
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    for gain, kept in ((0.1, b"new"), (-0.1, b"old")):
        gate = decide(comparison(data=[gain] * 8))
        path = settle(gate, old, new, new.parent)
        assert path.read_bytes() == kept
        assert path.name == KEPT_FILE
        assert json.loads((new.parent / VERDICT_FILE).read_text())["passed"] is (gain > 0)
        assert (old.read_bytes(), new.read_bytes()) == (b"old", b"new")


@pytest.fixture(scope="module")
def wide_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As ``drawn_folder``, with enough held out for a verdict."""
    folder: Path = tmp_path_factory.mktemp("wide")
    for name in ("images", "masks"):
        (folder / name).mkdir()
    rows = [write_snapshot(i, folder, 11, PHOTO_PX) for i in range(24)]
    for row in rows[12:]:
        row["split"] = "val"
    write_split(folder, rows)
    return folder


@pytest.mark.slow
def test_retrain_and_gate(
    tmp_path: Path,
    wide_folder: Path,
    drawn_folder: Path,
    write_recipe: WriteRecipe,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def train(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["train", "segmenter", *map(str, arguments), "--json"])
        told = capsys.readouterr()
        return code, told.out, told.err

    first = tmp_path / "first"
    # A rate so small that the first network has learnt next to nothing.
    idle = {"name": "adamw", "learning_rate": 1e-9, "weight_decay": 0.0}
    recipe = write_recipe(optimizer=idle, epochs=1)
    code, _, err = train("--data", wide_folder, "--recipe", recipe, "-o", first)
    assert code == 0, err
    old = first / "segmenter.safetensors"
    before = sha256_hex(old.read_bytes())

    replay = ("--data", wide_folder, "--replay", drawn_folder, "--from", old, "--gate")
    better = tmp_path / "better"
    recipe = write_recipe(epochs=25, augmentation={"flip": 0.5})
    code, out, err = train(*replay, "--recipe", recipe, "-o", better)
    assert code == 0, err
    told = json.loads(out)
    gate = told["gate"]
    assert gate["passed"] is True
    assert gate["parts"].keys() == {wide_folder.name, drawn_folder.name}
    assert gate["photos"] == 16
    kept = (better / KEPT_FILE).read_bytes()
    assert kept == (better / "segmenter.safetensors").read_bytes()
    assert gate["kept"] == str(better / KEPT_FILE)
    assert load_checkpoint(better / KEPT_FILE).run["replayed"] == [drawn_folder.name]

    # A run that learns nothing does not pass, however often it is tried.
    worse = tmp_path / "worse"
    recipe = write_recipe(optimizer=idle, epochs=1)
    for _ in range(2):
        code, out, err = train(*replay, "--recipe", recipe, "-o", worse)
        assert code == 1
        assert json.loads(out)["gate"]["passed"] is False
        assert f"{old} stays" in err.splitlines()[-1]
        assert (worse / KEPT_FILE).read_bytes() == old.read_bytes()
    assert sha256_hex(old.read_bytes()) == before
    assert (worse / "segmenter.safetensors").is_file()


def test_a_retraining_keeps_the_networks_own_input(tmp_path: Path, tiny_segmenter: Path) -> None:
    recipe = load_recipe(SegmenterRecipe, "retrain")
    assert recipe.input_px != 32
    fitted = retraining(recipe, tiny_segmenter)
    assert (fitted.input_px, fitted.epochs) == (32, recipe.epochs)
    assert (
        fitted.optimizer["learning_rate"]
        < load_recipe(SegmenterRecipe, "default").optimizer["learning_rate"]
    )


def test_a_checkpoint_on_photographs(tiny_segmenter: Path, drawn_folder: Path) -> None:
    photos = held_out([drawn_folder])
    assert len(photos) == 4
    assert {judged.part for judged in photos} == {drawn_folder.name}
    segmenter = CheckpointSegmenter(load_checkpoint(tiny_segmenter), keras)
    from edgeseg.imaging import read_photo

    photo = read_photo(photos[0].photo.image)
    confidence = segmenter.network_confidence(photo)
    assert confidence.shape == (32, 32)
    assert 0 <= confidence.min() <= confidence.max() <= 1
    assert segmenter.mask(photo).shape == photo.shape[:2]


def test_an_embedder_is_refused(
    tmp_path: Path,
    studio_folder: Path,
    tiny_segmenter: Path,
) -> None:
    from dataclasses import replace

    from edgeseg.training.networks.embedder import EMBEDDERS

    checkpoint = load_checkpoint(tiny_segmenter)
    with pytest.raises(ModelContractError, match="finds no garment"):
        CheckpointSegmenter(
            replace(checkpoint, network=EMBEDDERS[EMBEDDER_RECIPE["network"]]), keras
        )
    with pytest.raises(ModelContractError, match="several classes"):
        CheckpointSegmenter(replace(checkpoint, classes=("sky", "road")), keras)


@pytest.mark.parametrize("option", [("--replay", "old"), ("--gate",)])
def test_retraining_needs_a_start(
    option: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["train", "segmenter", "--data", "new", "-o", str(tmp_path / "run"), *option])
    assert code == 2
    assert "--from" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def tiny_segmenter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a segmenter as it is drawn from its seed."""
    from edgeseg.preprocessing import Preprocessing
    from edgeseg.training.checkpoint import Checkpoint, get_weights
    from edgeseg.training.networks.tiramisu import TIRAMISUS

    network = TIRAMISUS["test_tiny"]
    keras.utils.set_random_seed(1)
    path: Path = tmp_path_factory.mktemp("tiny") / "tiny.safetensors"
    Checkpoint(
        kind="segmenter",
        network=network,
        preprocessing=Preprocessing(input_px=32, resize="stretch", scale=1 / 255, offset=0.0),
        weights=get_weights(network.build(keras, 32)),
    ).save(path)
    return path
