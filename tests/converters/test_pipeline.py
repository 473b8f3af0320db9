"""From checkpoint to bundle: every recipe, every refusal, and a kill at any time."""

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

from converters.evaluation import parity as parity_module
from converters.pipeline import convert
from converters.recipe import FineTuning, Pruning, Recipe
from converters.recipes import ladder, load_recipe
from converters.representative import drawn_photographs
from converters.sources import Sources
from converters.summary import bought_table, change_table, layer_table, notes
from edgeseg.cli import main
from edgeseg.embedder import Embedder
from edgeseg.errors import EdgesegError, ModelContractError, ParityError
from edgeseg.formats.bundle import Bundle
from edgeseg.segmenter import Segmenter
from edgeseg.training.checkpoint import load_checkpoint
from tests.converters.conftest import labelled_folder

# An untrained network's masks hang on a hair: what the gate lets pass is tested on its own.
OPEN = {"iou_drop": 1.0, "iou_agreement": 0.0, "embedding_cosine": 0.0}


def _recipe(name: str, **changes: Any) -> Recipe:
    recipe = load_recipe(name)
    return replace(
        recipe,
        calibration_pictures=6,
        floor=replace(recipe.floor, **OPEN),
        fine_tuning=FineTuning(epochs=1, batch=4, learning_rate=1e-4),
        **changes,
    )


@pytest.fixture(scope="module")
def small_recipe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One's own recipe for the command line, on few pictures."""
    path = tmp_path_factory.mktemp("recipes") / "small.json"
    values = {
        "name": "small",
        "description": "",
        "quantization": "float16",
        "calibration_pictures": 4,
        "floor": OPEN,
    }
    path.write_text(json.dumps(values))
    return str(path)


@pytest.mark.parametrize("name", [*(recipe.name for recipe in ladder()), "static_wi8_ai16"])
def test_a_bundle_of_each_recipe_runs(
    name: str, segmenter_path: Path, embedder_path: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.bundle"
    report = convert(segmenter_path, embedder_path, _recipe(name), output)
    bundle = Bundle.open(output)
    assert bundle.report == json.loads(json.dumps(report.to_dict()))
    assert [p.name for p in tmp_path.iterdir()] == ["out.bundle"]
    manifest = bundle.manifest
    assert manifest.segmenter.preprocessing == load_checkpoint(segmenter_path).preprocessing
    assert manifest.segmenter.recipe == name
    assert manifest.segmenter.model_version == "tiny-1"
    assert manifest.embedder is not None
    assert manifest.embedder.preprocessing == load_checkpoint(embedder_path).preprocessing
    assert manifest.embedder.dim == 16
    photo = drawn_photographs(1, 4)[0].image
    confidence = Segmenter(bundle).confidence(photo)
    assert confidence.shape == photo.shape[:2]
    embedding = Embedder(bundle).embed(photo)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
    networks = bundle.report["networks"]
    assert networks["embedder"]["parity"]["cosine_mean"] > 0.99
    if "recalibrated" not in name:  # This network's statistics are random, not its pictures'.
        assert networks["segmenter"]["parity"]["mask_error_mean"] < 0.02
    assert networks["segmenter"]["direct_input"] == ("ai8" in name)
    assert len(networks["segmenter"]["worst_layers"]) == 10
    if "ai16" not in name:
        assert networks["segmenter"]["joints"]["needless_conversions"] == 0
        assert networks["segmenter"]["delegation"]["partitions"] == 1
    ranges = "shared" if "ai8" in name else "calibrated" if "ai16" in name else None
    assert networks["segmenter"]["ranges"] == ranges
    assert networks["segmenter"]["parity"]["iou_drop"] is None, "a drawing's mask is no label here"
    assert "drawn" in bundle.report["representative"]
    assert bundle.report["tools"]["tensorflow"]


def test_pruned_and_trained_with_int8_simulated(segmenter_path: Path, tmp_path: Path) -> None:
    data = labelled_folder(tmp_path)
    pruning = Pruning(0.5, fine_tuning=FineTuning(epochs=1, batch=4, learning_rate=1e-4))
    sources = Sources(representative=(data,), parity=(data,), tuning=(data,))
    told: list[str] = []
    report = convert(
        segmenter_path,
        None,
        _recipe("qat_wi8_ai8", pruning=pruning),
        tmp_path / "out.bundle",
        sources,
        lambda step, _done, _total: told.append(step),
    )
    network = report.networks["segmenter"]
    assert network.sparsity_after > 0.4
    (bought,) = report.bought
    assert bought.kind == "magnitude"
    assert bought.measured_as == "static"
    assert bought.size_after.zstd_bytes < bought.size_before.zstd_bytes
    assert bought.iou_before is not None
    assert bought.iou_after is not None
    assert network.size_after.zstd_bytes < network.size_before.zstd_bytes
    assert network.parity["labelled"] == 4, "the val half"
    assert network.parity["iou_drop"] is not None
    assert report.representative == "4 photographs"
    assert report.tuning == "4 labelled photographs"
    assert {"magnitude pruning", "qat_wi8_ai8: training with int8 simulated", "packing"} <= set(
        told
    )
    for columns, rows in (bought_table(report), change_table(report), layer_table(report)):
        assert rows
        assert all(len(row) == len(columns) for row in rows)
    said = "\n".join(notes(report))
    assert "50% of the weights set to zero" in said
    assert "XNNPACK runs" in said
    assert "add the most error" in said


def test_the_same_seed_gives_the_same_bytes(segmenter_path: Path, tmp_path: Path) -> None:
    models = []
    for name in ("a", "b"):
        convert(segmenter_path, None, _recipe("static_wi8_ai8"), tmp_path / name)
        models.append(Bundle.open(tmp_path / name).segmenter_model)
    assert models[0] == models[1]


def test_below_the_floor_nothing_is_written(
    segmenter_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.bundle"
    compared = parity_module.MaskReference.compare

    def far_off(*arguments: Any) -> parity_module.MaskParity:
        return replace(compared(*arguments), iou_agreement=0.1)

    monkeypatch.setattr(parity_module.MaskReference, "compare", far_off)
    recipe = replace(_recipe("static_wi8_ai8"), floor=load_recipe("static_wi8_ai8").floor)
    output.write_bytes(b"the old one")
    with pytest.raises(ParityError, match=r"agreement is 0\.1000.*worst layer: \w+"):
        convert(segmenter_path, None, recipe, output)
    assert output.read_bytes() == b"the old one"
    assert [p.name for p in tmp_path.iterdir()] == ["out.bundle"]


def test_checkpoints_of_the_wrong_kind_are_refused(
    segmenter_path: Path, embedder_path: Path, tmp_path: Path
) -> None:
    for first, second in ((embedder_path, None), (segmenter_path, segmenter_path)):
        with pytest.raises(ModelContractError, match="is needed here"):
            convert(first, second, _recipe("float32"), tmp_path / "out.bundle")


def test_an_output_that_cannot_be_written_fails_before_the_work(
    segmenter_path: Path, tmp_path: Path
) -> None:
    for output in (tmp_path / "missing" / "out.bundle", tmp_path):
        with pytest.raises(EdgesegError, match="cannot write"):
            convert(tmp_path / "not even read", None, _recipe("float32"), output)


def test_the_command(
    segmenter_path: Path, small_recipe: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.bundle"
    arguments = ["convert", str(segmenter_path), "--recipe", small_recipe, "-o", str(output)]
    assert main([*arguments, "--json"]) == 0
    told = capfd.readouterr()
    document = json.loads(told.out)
    assert document["recipe"]["name"] == "small"
    assert document["networks"]["segmenter"]["parameters"] > 0
    assert told.err == "", "neither notes nor TensorFlow's banner"
    assert main(arguments) == 0
    told = capfd.readouterr()
    assert "segmenter: bytes" in told.out
    assert "drawn pictures" in told.out
    assert "packing" in told.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--recipe", "nope", "-o", "x.bundle"], 1),
        (["--recipe", "float32"], 2),
        (["--recipe", "float32", "-o", "x.bundle", "--prune", "magnitude:2"], 2),
        (["--recipe", "float32", "-o", "x.bundle", "--prune", "some:0.5"], 2),
        (["--recipe", "float32", "-o", "x.bundle", "--latency-budget", "2x"], 2),
        (["--recipe", "float32", "-o", "x.bundle", "--keep-checkpoint", "y"], 1),
        (["--recipe", "float32", "-o", "x.bundle", "--teacher", "y"], 1),
        (["--recipe", "qat_wi8_ai8", "-o", "x.bundle", "--teacher", "y"], 1),
        (["--recipe", "auto", "-o", "x.bundle"], 1),
        (["--recipe", "float32", "-o", "x.bundle", "--parity", "missing"], 1),
        (["--recipe", "float32", "-o", "x.bundle", "--embedder", "missing"], 1),
    ],
)
def test_the_command_refuses_in_one_line(
    arguments: list[str],
    code: int,
    segmenter_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["convert", str(segmenter_path), *arguments]) == code
    last_line = capfd.readouterr().err.strip().splitlines()[-1]
    assert last_line.startswith("edgeseg: ")
    assert "Traceback" not in last_line
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("step", ["small: comparing the segmenters", "packing"])
def test_killed_while_converting(
    step: str, segmenter_path: Path, small_recipe: str, tmp_path: Path, repository: Path
) -> None:
    output = tmp_path / "out.bundle"
    program = "import sys; from edgeseg.cli import main; sys.exit(main())"
    arguments = ["convert", str(segmenter_path), "--recipe", small_recipe, "-o", str(output)]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=repository,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if line.strip() == step:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert step in said, said
    _check_after_a_kill(output)
    convert(segmenter_path, None, _recipe("float16"), output)
    assert Bundle.open(output).manifest.segmenter.recipe == "float16"


def test_killed_while_writing(segmenter_path: Path, tmp_path: Path, repository: Path) -> None:
    output = tmp_path / "out.bundle"
    convert(segmenter_path, None, _recipe("float32"), output)
    # Rewrites the bundle for ever, a larger one each time; needs no TensorFlow, so it starts fast.
    program = """
import itertools, sys
from pathlib import Path
from edgeseg.formats.bundle import Bundle, write_bundle
path = Path(sys.argv[1])
first = Bundle.open(path)
print("ready", flush=True)
for size in itertools.count(1):
    model = first.segmenter_model + bytes(100_000 * (size % 7))
    write_bundle(path, first.manifest, {"segmenter.tflite": model})
"""
    rng = np.random.default_rng(0)
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(output)], cwd=repository, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(float(rng.uniform(0, 0.05)))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        Bundle.open(output)
        _check_after_a_kill(output)


def _check_after_a_kill(output: Path) -> None:
    """The bundle is whole or absent, and nothing else beside it passes for one."""
    for path in output.parent.iterdir():
        if path == output:
            Bundle.open(path)
        else:
            assert path.name.startswith(".edgeseg-"), path
            assert path.suffix == ".tmp", path
