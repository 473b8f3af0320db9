"""``edgeseg train``, from drawn photographs to a checkpoint, also when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

from edgeseg.cli import main
from edgeseg.imaging import read_photo
from edgeseg.presets import preset_path
from edgeseg.training.checkpoint import load_checkpoint, weights_digest
from edgeseg.training.fit import STATE_FILE
from tests.edgeseg.sync.test_confirmations import confirmation
from tests.edgeseg.training.conftest import EMBEDDER_RECIPE, SEGMENTER_RECIPE, WriteRecipe

KILLED_EPOCHS = 30
PATIENCE_S = 240.0
SEGMENTER_FILES = {
    "segmenter.safetensors", "state.safetensors", "history.json", "curves.png", "predictions.png",
}  # fmt: skip


def run_cli(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_train_segmenter(
    tmp_path: Path,
    drawn_folder: Path,
    write_recipe: WriteRecipe,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "runs" / "first"
    command: tuple[Any, ...] = (
        "train", "segmenter", "--data", f"{drawn_folder}=0.5", "--recipe", write_recipe(),
        "--backgrounds", drawn_folder / "images", "--epochs", "2", "-o", output,
    )  # fmt: skip
    code, out, err = run_cli(capsys, *command, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert [record["epoch"] for record in told["epochs"]] == [0, 1]
    assert told["best"] in told["epochs"]
    assert {path.name for path in output.iterdir()} == SEGMENTER_FILES
    assert json.loads((output / "history.json").read_text()) == told["epochs"]
    assert load_checkpoint(Path(told["checkpoint"])).evaluation == told["best"]
    for name in ("curves.png", "predictions.png"):
        assert read_photo(output / name).std() > 5

    # Once more is a run that is done: the same figures, for people.
    code, out, err = run_cli(capsys, *command)
    assert code == 0, err
    assert f"{told['best']['score']:.4g}" in out
    assert "Traceback" not in err

    # Another seed is another run, and is told so on one line.
    code, out, err = run_cli(capsys, *command, "--seed", "5")
    assert code == 1
    assert "another run" in err
    assert len(err.strip().splitlines()) == 1, err


def test_a_student_learns_from_a_teacher(
    tmp_path: Path,
    drawn_folder: Path,
    write_recipe: WriteRecipe,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = tmp_path / "first"
    recipe = write_recipe(network="test_tiny")
    command = ("train", "segmenter", "--data", drawn_folder, "--recipe", recipe, "--epochs", "1")
    code, _, err = run_cli(capsys, *command, "-o", first)
    assert code == 0, err
    checkpoint = first / "segmenter.safetensors"

    taught = tmp_path / "taught"
    optimizer = {**SEGMENTER_RECIPE["optimizer"], "ema_momentum": 0.9}
    recipe = write_recipe(optimizer=optimizer, teacher_share=0.7, confidence_floor=0.01)
    student = (
        *command, "-o", taught, "--from", checkpoint, "--teacher", checkpoint,
        "--unlabelled", f"{drawn_folder / 'images'}=0.5",
    )  # fmt: skip
    code, _, err = run_cli(capsys, *student)
    assert code == 0, err
    assert "the teacher is sure of" in err
    before, after = load_checkpoint(checkpoint), load_checkpoint(taught / "segmenter.safetensors")
    assert after.network == before.network
    assert after.run["start_digest"] == weights_digest(before.weights)
    assert after.run["folders"] == [drawn_folder.name, "images"]
    assert any(not np.array_equal(before.weights[k], after.weights[k]) for k in before.weights)

    recipe = write_recipe(confidence_floor=1.0)
    code, _, err = run_cli(capsys, *student[:-1], drawn_folder / "images", "-o", tmp_path / "none")
    assert code == 1
    assert "sure of none" in err


@pytest.mark.parametrize(
    ("changed", "code", "told"),
    [
        ({"--data": "no-such-folder"}, 1, "needs split.csv"),
        ({"--recipe": "no-such-recipe"}, 1, "no training recipe"),
        ({"--backgrounds": "no-such-folder"}, 1, "no such folder"),
        ({"--data": "folder=-1"}, 2, "must be a number"),
        ({"--unlabelled": "photos"}, 2, "needs a --teacher"),
        ({"--encoder": "a.tflite", "--from": "b.safetensors"}, 2, "choose one"),
        ({"--encoder": "a.tflite"}, 1, "fits the network mobilenet_unet"),
        ({"--from": "no-such-file"}, 1, "no-such-file"),
        ({"--epochs": "0"}, 2, "--epochs"),
    ],
)
def test_unusable_options(
    changed: dict[str, str],
    code: int,
    told: str,
    tmp_path: Path,
    drawn_folder: Path,
    write_recipe: WriteRecipe,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = {"--data": drawn_folder, "--recipe": write_recipe(), "-o": tmp_path / "run"}
    flat = [word for pair in {**options, **changed}.items() for word in pair]
    found, out, err = run_cli(capsys, "train", "segmenter", *flat)
    assert found == code
    assert told in err
    assert not out
    assert "Traceback" not in err
    assert not (tmp_path / "run" / STATE_FILE).exists()


def epochs_done(output: Path) -> int:
    try:
        return len(json.loads((output / "history.json").read_text()))
    except FileNotFoundError:
        return 0


@pytest.mark.slow
def test_a_killed_run_goes_on(
    tmp_path: Path,
    drawn_folder: Path,
    write_recipe: WriteRecipe,
    repository: Path,
) -> None:
    output = tmp_path / "run"
    recipe = write_recipe(epochs=KILLED_EPOCHS, augmentation={"flip": 0.5})
    arguments = ["train", "segmenter", "--data", drawn_folder, "--recipe", recipe, "-o", output]
    command = [
        sys.executable, "-c", "import sys; from edgeseg.cli import main; sys.exit(main())",
        *map(str, arguments), "--json",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (tmp_path / "told.txt").open("wb") as told:
        process = subprocess.Popen(command, cwd=repository, env=environment, stderr=told)
        deadline = time.monotonic() + PATIENCE_S
        while epochs_done(output) < 2 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, (tmp_path / "told.txt").read_text()
    done = epochs_done(output)
    assert 2 <= done < KILLED_EPOCHS
    before = json.loads((output / "history.json").read_text())
    load_checkpoint(output / "segmenter.safetensors")
    # What a kill in the midst of a write leaves is swept by a later write, an hour on.
    (output / ".edgeseg-0123456789abcdef.tmp").write_bytes(b"half a state")
    for left in output.glob(".edgeseg-*.tmp"):
        os.utime(left, (time.time() - 7200,) * 2)

    again = subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, check=False, timeout=300
    )
    assert again.returncode == 0, again.stderr.decode()
    epochs = json.loads(again.stdout)["epochs"]
    assert [record["epoch"] for record in epochs] == list(range(KILLED_EPOCHS))
    # What was done stays done, to the second that it took.
    assert epochs[:done] == before
    assert {path.name for path in output.iterdir()} == SEGMENTER_FILES
    checkpoint = load_checkpoint(output / "segmenter.safetensors")
    assert checkpoint.evaluation["score"] == max(record["score"] for record in epochs)


def test_train_embedder(
    tmp_path: Path,
    studio_folder: Path,
    drawn_folder: Path,
    write_recipe: WriteRecipe,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not preset_path().is_file():
        pytest.skip("the default bundle is not built here")
    output = tmp_path / "run"
    command: tuple[Any, ...] = (
        "train", "embedder", "--data", studio_folder, "--data", drawn_folder,
        "--backgrounds", drawn_folder / "images", "--recipe", write_recipe(EMBEDDER_RECIPE),
        "-o", output, "--json",
    )  # fmt: skip
    code, out, err = run_cli(capsys, *command)
    assert code == 0, err
    told = json.loads(out)
    assert len(told["epochs"]) == EMBEDDER_RECIPE["epochs"]
    # 12 SKUs, and the 8 photographs of the training split as items of their own.
    assert told["best"]["catalogue_items"] == 20
    assert 0 <= told["best"]["match_recall_at_1"] <= told["best"]["match_recall_at_10"] <= 1
    checkpoint = load_checkpoint(Path(told["checkpoint"]))
    assert checkpoint.kind == "embedder"
    assert checkpoint.preprocessing.resize == "pad_white"
    assert {path.name for path in output.iterdir()} == {
        "embedder.safetensors", "state.safetensors", "history.json", "curves.png",
    }  # fmt: skip
    code, out, err = run_cli(capsys, *command)
    assert code == 0, err
    assert json.loads(out) == told


def test_train_embedder_by_what_workers_confirmed(
    tmp_path: Path,
    studio_folder: Path,
    write_recipe: WriteRecipe,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not preset_path().is_file():
        pytest.skip("the default bundle is not built here")
    said = tmp_path / "fleet" / "confirmations.jsonl"
    said.parent.mkdir()
    shown = (("S1", 0.1), ("gone", 0.2), ("S2", 0.3), ("S3", 0.31))
    lines = [replace(confirmation(1, "S2"), shown=shown).to_line(), confirmation(2, None).to_line()]
    said.write_bytes(b"".join(lines) + b"torn")
    command: tuple[Any, ...] = (
        "train", "embedder", "--data", studio_folder, "--backgrounds", studio_folder,
        "--confirmations", said.parent, "-o", tmp_path / "run", "--epochs", "1",
    )  # fmt: skip
    code, _, err = run_cli(capsys, *command, "--recipe", write_recipe(EMBEDDER_RECIPE))
    assert code == 2
    assert "hard_group must be 2 or more" in err
    recipe = write_recipe(EMBEDDER_RECIPE, hard_group=2, validation_share=0.1)
    code, _, err = run_cli(capsys, *command, "--recipe", recipe)
    assert code == 0, err
    assert "1 damaged lines" in err
    assert "1 items confirmed: 2 pairs to tell apart; 1 are left out" in err
    run = load_checkpoint(tmp_path / "run" / "embedder.safetensors").run
    assert run["confused"]["pairs"] == 2
    code, _, err = run_cli(capsys, *command, "--confirmations", tmp_path / "no", "--recipe", recipe)
    assert code == 1
    assert "no such file or folder" in err
