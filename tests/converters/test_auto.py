"""The ladder: the first recipe that meets the floor is taken, and everything tried is told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from converters import auto
from converters.compress import Compressed
from converters.convert_segmenter import Attempt
from converters.evaluation.latency import Latency
from converters.evaluation.parity import FolderParity, MaskParity
from converters.pipeline import convert
from converters.recipe import Recipe
from converters.recipes import ladder
from converters.representative import drawn_photographs, network_input
from converters.sources import Sources
from converters.tflite.conversion import to_tflite
from converters.trials import COLUMNS
from edgeseg.cli import main
from edgeseg.errors import EdgesegError, MissingExtraError, ModelContractError
from edgeseg.formats.bundle import Bundle
from edgeseg.training.networks.tiramisu import TIRAMISUS
from tests.converters.conftest import STRETCH, build, labelled_folder

PICTURES = network_input(drawn_photographs(4, 0), STRETCH)


@dataclass
class Stage:
    """A conversion whose attempts have the IoU drops that a test gives them."""

    model: bytes
    drops: dict[str, float | str]
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.own_float = self.model
        self.reference = SimpleNamespace(source="2 photographs")
        self.pictures = PICTURES
        self.preprocessing = STRETCH

    def tell(self, step: str, _done: int, _total: int) -> None:
        self.told.append(step)

    def attempt(self, recipe: Recipe) -> Attempt:
        drop = self.drops[recipe.name]
        if isinstance(drop, str):
            raise ModelContractError(drop)
        return self.judged(recipe, Compressed(self.model, None), drop)

    def judged(self, recipe: Recipe, compressed: Compressed, drop: float = 0.5) -> Attempt:
        folders = {"a": FolderParity(2, 0.9, 0.9 - drop)}
        found = MaskParity("", 2, 2, 0.9, 0.9 - drop, drop, 0.97, 0.01, 0.2, folders)
        return Attempt(recipe, compressed, Latency(40.0, 10.0, 39.0, 9.0, 30, "test"), found)


@pytest.fixture(scope="module")
def float_model() -> bytes:
    return to_tflite(build(TIRAMISUS["test_tiny"]), "none")


@pytest.fixture
def peerless(monkeypatch: pytest.MonkeyPatch, float_model: bytes) -> None:
    """One peer that answers and one that is not installed."""

    def absent(_model: bytes, _calibration: Any) -> bytes:
        raise MissingExtraError("ai-edge-quantizer is not installed")

    monkeypatch.setattr(auto, "tf_lite_int8", lambda _model, _calibration: float_model)
    monkeypatch.setattr(auto, "ai_edge_quantizer_int8", absent)


def _stage(float_model: bytes, drops: dict[str, float | str]) -> Any:
    return Stage(float_model, drops)


def _rungs() -> list[Recipe]:
    return [recipe.with_overrides(iou_drop=0.003) for recipe in ladder()]


@pytest.mark.usefixtures("peerless")
def test_the_first_that_meets_the_floor_is_taken(float_model: bytes) -> None:
    drops: dict[str, float | str] = {
        "static_wi8_ai8": 0.0031,
        "static_wi8_ai8_recalibrated": 0.2,
        "static_wi8_ai8_equalized": "ReLU6 stands in the way",
        "qat_wi8_ai8": 0.003,
    }
    stage = _stage(float_model, drops)
    attempt, trials = auto.choose(stage, _rungs())
    assert attempt.recipe.name == "qat_wi8_ai8"
    assert [trial.name for trial in trials] == ["tf.lite int8", "ai-edge-quantizer int8", *drops]
    assert [trial.taken for trial in trials] == [False] * 5 + [True]
    assert [trial.peer for trial in trials] == [True] * 2 + [False] * 4
    verdicts = [trial.verdict for trial in trials]
    assert "not installed" in verdicts[1]
    assert "0.0031" in verdicts[2]
    assert "ReLU6" in verdicts[4]
    assert verdicts[5] == "taken"
    assert trials[1].figures is None
    figures = trials[5].figures
    assert figures is not None
    assert (figures.latency_ms, figures.ratio) == (10.0, 4.0)
    assert figures.raw_bytes == len(float_model)
    assert figures.iou_drop_by_folder == {"a": pytest.approx(0.003)}
    assert all(len(trial.row()) == len(COLUMNS) for trial in trials)
    assert "trying qat_wi8_ai8" in stage.told
    json.dumps([trial.to_dict() for trial in trials])


@pytest.mark.usefixtures("peerless")
def test_none_that_meets_it_is_an_error_with_the_table(float_model: bytes) -> None:
    rungs = _rungs()
    stage = _stage(float_model, {recipe.name: 0.1 for recipe in rungs})
    with pytest.raises(auto.NoRecipeError, match=r"none of 8 recipes.*0\.0030") as caught:
        auto.choose(stage, rungs)
    assert len(caught.value.trials) == 2 + len(rungs)
    assert not any(trial.taken for trial in caught.value.trials)


def test_without_labels_there_is_nothing_to_hold_it_against() -> None:
    drawn = drawn_photographs(2, 0, side_px=32)
    auto.check_labelled([replace(drawn[0], mask=None), drawn[1]])
    with pytest.raises(EdgesegError, match="--parity"):
        auto.check_labelled([replace(each, mask=None) for each in drawn])


def test_a_bundle_tells_what_was_tried(
    segmenter_path: Path, embedder_path: Path, tmp_path: Path
) -> None:
    data = labelled_folder(tmp_path)
    # A rung that no network can climb, then one that every network can.
    rungs = [
        replace(recipe, calibration_pictures=4, floor=replace(recipe.floor, iou_drop=drop))
        for recipe, drop in zip(ladder()[::5], (-1.0, 1.0), strict=False)
    ]
    output = tmp_path / "out.bundle"
    sources = Sources(representative=(data,), parity=(data,))
    report = convert(segmenter_path, embedder_path, rungs, output, sources)
    bundle = Bundle.open(output)
    assert bundle.manifest.segmenter.recipe == rungs[1].name == report.recipe["name"]
    told = bundle.report["trials"]
    assert [t["name"] for t in told if not t["peer"]] == [recipe.name for recipe in rungs]
    assert [t["taken"] for t in told if not t["peer"]] == [False, True]
    plain = next(t for t in told if t["name"] == "tf.lite int8")
    assert plain["figures"]["latency_ms"] > 0
    assert plain["figures"]["iou"] is not None
    assert bundle.manifest.embedder is not None


@pytest.mark.usefixtures("peerless")
def test_the_command_shows_the_table_and_writes_nothing(
    segmenter_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = str(labelled_folder(tmp_path))
    output = tmp_path / "out.bundle"
    short = tuple(replace(recipe, calibration_pictures=4) for recipe in (ladder()[0], ladder()[-2]))
    monkeypatch.setattr("converters.recipes.ladder", lambda: short)
    monkeypatch.setattr(MaskParity, "failure", lambda *_: "IoU drops by 0.5000")
    arguments = ["convert", str(segmenter_path), "--recipe", "auto", "-o", str(output)]
    arguments += ["--representative", data, "--parity", data]
    assert main([*arguments, "--json"]) == 1
    told = capfd.readouterr()
    document = json.loads(told.out)
    assert document["bundle"] is None
    assert [t["name"] for t in document["trials"] if not t["peer"]] == [r.name for r in short]
    assert told.err.strip().startswith("edgeseg: none of 2 recipes")
    assert len(told.err.strip().splitlines()) == 1
    assert not output.exists()
