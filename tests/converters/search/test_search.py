"""The search itself, on two tiny networks and drawn photographs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tf_keras", reason="needs the convert extra")
pytest.importorskip("keras", reason="needs the train extra")

from converters.search import cost, quality
from converters.search.findings import Finding, Findings, findings
from converters.search.records import WorkFolder
from converters.search.report import PAGE_FILE, PLOT_FILE, write_report
from converters.search.space import Candidate, Space, load_space
from converters.tflite.conversion import anatomy
from edgeseg.cli import main
from edgeseg.errors import EdgesegError
from edgeseg.imaging import read_photo
from edgeseg.interpreter import Interpreter
from edgeseg.training.checkpoint import load_checkpoint
from edgeseg.training.dataset import load_dataset
from edgeseg.training.networks.tiramisu import TIRAMISUS
from edgeseg.training.recipe import SegmenterRecipe
from edgeseg.training.segmenter import CHECKPOINT_FILE
from tests.converters.search.conftest import RECIPE, WriteSpace

TINY = TIRAMISUS["test_tiny"]


def run_cli(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_a_candidates_graph_is_that_of_a_network_trained_for_int8() -> None:
    """One scale throughout: nothing is rescaled on the way, and the input is bytes."""
    model, record = cost._built(Candidate("tiny", TINY, 32))
    assert record["model_bytes"] == len(model)
    assert record["parameters"] == TINY.build(cost.tf_keras, 32).count_params()
    operations = anatomy(model).operations
    assert operations == record["operations"]
    assert operations["CONV_2D"] == 1 + 2 * 3 + 2 + 2 + 2 + 1
    # One at each end: bytes in, bytes out.
    assert operations.get("QUANTIZE", 0) <= 2
    assert "DEQUANTIZE" not in operations
    assert Interpreter(model).input_dtype == np.uint8


def test_a_float_peer_stays_float() -> None:
    peer = Candidate("peer", replace(TINY, activation_ceiling=None), 32, quantization="none")
    model, _ = cost._built(peer)
    interpreter = Interpreter(model)
    assert interpreter.input_dtype == interpreter.output_dtype == np.float32
    confidence = interpreter.run(np.zeros(interpreter.input_shape, np.float32))
    assert np.isfinite(confidence).all()


def test_a_larger_network_costs_more() -> None:
    small, _ = cost._built(Candidate("small", TINY, 32))
    large, _ = cost._built(Candidate("large", replace(TINY, growth_rate=32, down=(3, 3)), 64))
    found = cost.measure_beside(small, large)
    # Its multiplications are some hundred times as many.
    assert found["ratio"] > 4
    assert found["ratio"] == found["ms"] / found["reference_ms"]
    assert found["invocations"] >= 12
    assert cost.measure_beside(large, small)["ratio"] < 0.25


@pytest.mark.slow
def test_from_space_to_page(
    tmp_path: Path,
    write_space: WriteSpace,
    recipe_path: Path,
    drawn_data: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work, docs = tmp_path / "work", tmp_path / "docs"
    docs.mkdir()
    command: tuple[Any, ...] = ("search", write_space(notes=["Nothing else was tried."]))
    latency = (*command, "--phase", "latency", "--work", work)
    train = (
        *command, "--phase", "train", "--work", work, "--data", f"{drawn_data}=0.5",
        "--recipe", recipe_path, "--photographs", "8",
    )  # fmt: skip
    report = (*command, "--phase", "report", "--work", work, "-o", docs)

    code, _, err = run_cli(capsys, *report)
    assert code == 1
    assert "nothing is measured yet" in err

    code, out, err = run_cli(capsys, *latency, "--json")
    assert code == 0, err
    measured = {r["candidate"]["name"]: r for r in json.loads(out)["candidates"]}
    assert measured.keys() == {"k8", "k4"}
    assert measured["k4"]["parameters"] < measured["k8"]["parameters"]
    assert measured["k4"]["reference"] == "k8"
    # As it is shipped: the nearest resize, which is no operator of XNNPACK's, is said otherwise.
    assert measured["k4"]["delegation"]["partitions"] == 1

    # Latency alone makes a page without a picture.
    code, out, err = run_cli(capsys, *report)
    assert code == 0, err
    assert [p.name for p in docs.iterdir()] == [PAGE_FILE]

    # One of the two, then both: the first is not trained again.
    code, out, err = run_cli(capsys, *train, "--only", "k4", "--json")
    assert code == 0, err
    (first,) = json.loads(out)["candidates"]
    assert first["set_up"]["photographs"] == 8
    assert 0 <= first["training"]["score"] <= 1
    assert list(first["training"]["iou"].values()) == [first["training"]["score"]]
    (run,) = (work / "runs").iterdir()
    ended = (run / "history.json").stat().st_mtime_ns
    assert load_checkpoint(run / CHECKPOINT_FILE).network == replace(
        TINY, growth_rate=4, down=(1,), bottleneck=1
    )
    code, out, err = run_cli(capsys, *train)
    assert code == 0, err
    assert f"{first['training']['score']:.4f}" in out
    assert len(list((work / "runs").iterdir())) == 2
    assert (run / "history.json").stat().st_mtime_ns == ended

    # Everything is there: nothing is built, measured or trained again.
    for module, name in ((cost, "_built"), (cost, "measure_beside"), (quality, "_trained")):
        monkeypatch.setattr(module, name, None)
    for again in (latency, train, report):
        code, out, err = run_cli(capsys, *again)
        assert code == 0, err
    assert str(docs / PLOT_FILE) in out
    page = (docs / PAGE_FILE).read_text()
    for words in ("| k8 |", "| k4 |", PLOT_FILE, "Nothing else was tried.", "8 photographs each",
                  "--phase train", f"--data {drawn_data.name}/=0.5"):  # fmt: skip
        assert words in page
    assert str(tmp_path) not in page
    assert read_photo(docs / PLOT_FILE).std() > 5

    # Figures of two different trainings do not compare.
    monkeypatch.undo()
    code, out, err = run_cli(capsys, *train, "--only", "k4", "--seed", "3")
    assert code == 0, err
    code, _, err = run_cli(capsys, *report)
    assert code == 1
    assert "trained in different ways" in err


def test_a_search_that_is_interrupted_goes_on(
    tmp_path: Path, write_space: WriteSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    space, folder = load_space(str(write_space())), WorkFolder(tmp_path / "work")
    steps: list[str] = []

    def interrupt(step: str, done: int, _total: int) -> None:
        steps.append(step)
        if done == 1 and step.startswith("measuring"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cost.measure_costs(space, space.candidates, folder, interrupt)
    assert [s for s in steps if "k4" in s] == ["converting k4", "measuring k4"]
    first, second = space.candidates
    kept = folder.read("latency", first)
    assert kept is not None
    assert folder.read("latency", second) is None
    # What was converted is not converted again, nor measured what was measured.
    monkeypatch.setattr(cost, "_built", None)
    records = cost.measure_costs(space, space.candidates, folder)
    assert records[0] == kept
    assert records[1]["latency"]["ratio"] > 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--phase", "train"], 2, "--data"),
        (["--phase", "latency", "--only", "nobody"], 1, "no candidate nobody"),
        (["--phase", "train", "--data", "x=much"], 2, "must be a number"),
        (["--phase", "train", "--data", "x", "--unlabelled", "y"], 2, "--teacher"),
        (["--phase", "train", "--data", "missing"], 1, "missing"),
    ],
)
def test_bad_input_is_told_on_one_line(
    tmp_path: Path,
    write_space: WriteSpace,
    recipe_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    command = ("search", write_space(), "--work", tmp_path / "w", "--recipe", recipe_path)
    found, _, err = run_cli(capsys, *command, *arguments)
    assert found == code
    assert words in err
    assert "Traceback" not in err


def test_each_is_trained_at_its_own_size_and_judged_on_the_same(drawn_data: Path) -> None:
    """A photograph much larger than the input would be sampled with gaps."""
    training = quality.ShortTraining(
        recipe=SegmenterRecipe(**{**RECIPE, "schedule": None, "augmentation": None}),
        photographs=21,
        dataset=load_dataset([drawn_data], 64),
        folder_weights=[1.0],
        backgrounds=[],
    )
    small, large = (training.run(Candidate("c", TINY, px)) for px in (16, 64))
    for run, longest in ((small, 24), (large, 64)):
        for sample in run.dataset.train:
            assert max(sample.image.shape) == max(sample.mask.shape) == longest
            assert set(np.unique(sample.mask)) == {0, 1}
        assert run.dataset.val == training.dataset.val
        # Five batches of two an epoch would be more than were asked for.
        assert (run.recipe.epochs, run.recipe.epoch_samples) == (4, 4)
        assert run.recipe.input_px * 1.5 >= longest
    assert training.set_up()["photographs"] == 16
    other = replace(training, photographs=30)
    assert other.set_up()["digest"] != training.set_up()["digest"]


def found_of(points: Sequence[tuple[float, float | None]]) -> list[bool]:
    marked = [
        Finding(Candidate(f"c{i}", TINY, 32), 1, 1, 1, ratio, ratio, None, score)
        for i, (ratio, score) in enumerate(points)
    ]
    from converters.search.findings import _with_front

    return [finding.on_front for finding in _with_front(marked)]


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([(0.5, 0.8), (1.0, 0.9)], [True, True]),
        ([(0.5, 0.9), (1.0, 0.8)], [True, False]),
        # As good and slower is no gain; one without an IoU is on no front.
        ([(0.5, 0.9), (1.0, 0.9), (2.0, None), (3.0, 0.91)], [True, False, False, True]),
        ([], []),
    ],
)
def test_the_front(points: list[tuple[float, float | None]], front: list[bool]) -> None:
    assert found_of(points) == front


def test_speed_is_told_by_the_peer() -> None:
    peer = Candidate("big", TINY, 32, quantization="none")
    small = Candidate("small", TINY, 32)
    space = Space("s", small, (small, peer), peer=peer)
    both = (Finding(small, 10, 2000, 1, 4.0, 1.0), Finding(peer, 100, 90_000, 1, 200.0, 50.0))
    columns, rows = Findings(space, both, None, ("m",), ("r",)).table(both)
    assert columns[-1] == "faster than big"
    assert [row[-1] for row in rows] == ["50.0x", "1.0x"]
    assert [row[3] for row in rows] == ["2", "90"]


def test_what_is_not_measured_yet_is_told(tmp_path: Path, write_space: WriteSpace) -> None:
    space = load_space(str(write_space()))
    one = Finding(space.reference, 1, 1, 1, 1.0, 1.0)
    write_report(Findings(space, (one,), None, ("m",), ("r",)), tmp_path)
    assert "Not measured yet: k4." in (tmp_path / PAGE_FILE).read_text()
    both = (one, replace(one, candidate=space.candidates[1]))
    write_report(Findings(space, both, None, ("m",), ("r",)), tmp_path)
    assert "Not measured yet" not in (tmp_path / PAGE_FILE).read_text()


def test_another_reference_is_not_taken_for_this_one(
    tmp_path: Path, write_space: WriteSpace
) -> None:
    folder = WorkFolder(tmp_path / "work")
    space = load_space(str(write_space()))
    latency = {"ms": 1.0, "ratio": 1.0, "runtime": "r"}
    record = {
        "parameters": 1,
        "model_bytes": 1,
        "delegation": {"partitions": 1},
        "machine": "m",
        "latency": latency,
    }
    folder.write("latency", space.reference, {**record, "reference": "k4"})
    with pytest.raises(EdgesegError, match="was measured beside k4, not beside k8"):
        findings(space, folder)


def test_a_page_is_written_or_the_failure_told(tmp_path: Path, write_space: WriteSpace) -> None:
    space = load_space(str(write_space()))
    one = Finding(space.reference, 1, 1, 1, 1.0, 1.0)
    with pytest.raises(EdgesegError, match="folder does not exist"):
        write_report(Findings(space, (one,), None, ("m",), ("r",)), tmp_path / "nowhere")
