"""``edgeseg bench profile`` from end to end: document, tables, picture, and failures."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from device_bench.profile import child
from device_bench.svg import ticks
from edgeseg.cli import main
from edgeseg.formats.bundle import Bundle
from edgeseg.presets import preset_path
from tests.device_bench import profile_models as models

QUICK = ["--samples", "6"]


@pytest.fixture
def skipping(tmp_path: Path) -> Path:
    path = tmp_path / "skipping.tflite"
    path.write_bytes(models.skipping())
    return path


def _profile(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code = main(["bench", "profile", *arguments, *QUICK, "--json"])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    told: dict[str, Any] = json.loads(captured.out)
    return told


def _fails(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    assert main(["bench", "profile", *arguments, *QUICK]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("edgeseg: ")
    assert captured.err.count("\n") == 1, captured.err
    return captured.err


def test_the_document_adds_up(skipping: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = _profile([str(skipping)], capsys)
    operators = told["operators"]
    assert [one["type"] for one in operators] == [
        "CONV_2D", "CONV_2D", "CONCATENATION", "CONV_2D", "ADD", "LOGISTIC",
    ]  # fmt: skip
    assert [one["block"] for one in operators] == ["down0", "side", "down0", *["up0"] * 3]
    assert operators[2]["inputs"] == [[1, 8, 8, 4], [1, 8, 8, 4]]
    assert operators[2]["outputs"] == [[1, 8, 8, 8]]
    assert operators[0]["macs"] == 8 * 8 * 4 * 3 * 3 * 4
    assert {one["dtype"] for one in operators} == {"float32"}
    total = sum(one["ms"] for one in operators)
    for groups in (told["blocks"], told["types"], operators):
        assert sum(one["ms"] for one in groups) == pytest.approx(total)
        assert sum(one["share"] for one in groups) == pytest.approx(1.0)
    for block in told["blocks"]:
        assert sum(block["types"].values()) == pytest.approx(block["ms"])
        low, high = block["interval_ms"]
        assert low <= block["alone_ms"] <= high
    assert sum(group["count"] for group in told["types"]) == len(operators)
    assert told["whole"]["ms"] > 0
    assert told["rounds"] == 6
    assert told["model"]["source"] == str(skipping)
    assert told["environment"]["threads"] == 1


def test_weights_that_are_unpacked_have_no_time_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "half.tflite"
    path.write_bytes(models.half_weights())
    told = _profile([str(path)], capsys)
    unpacking, convolution = told["operators"]
    assert unpacking["ms"] is unpacking["share"] is unpacking["block"] is None
    assert convolution["ms"] >= 0
    assert [group["type"] for group in told["types"]] == ["CONV_2D"]
    assert any("constants alone" in note for note in told["notes"])
    assert main(["bench", "profile", str(path), *QUICK, "--all"]) == 0
    assert "DEQUANTIZE" in capsys.readouterr().out


def test_four_times_the_work_takes_longer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A known ratio of work, judged by order only: 4 stands against a machine's disturbances."""
    path = tmp_path / "known.tflite"
    path.write_bytes(models.quarter_and_whole())
    few, many = _profile([str(path)], capsys)["operators"]
    assert few["ms"] < many["ms"]
    assert few["gmacs_per_s"] > 0


def test_the_tables_name_every_block_and_the_longest_operators(
    tiny_bundle: Path, skipping: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "profile", str(skipping), *QUICK, "--top", "2"]) == 0
    told = capsys.readouterr().out
    assert "accounted for" in told
    for name in ("down0", "side", "up0", "CONV_2D", "LOGISTIC"):
        assert name in told
    assert told.count("8x8x4") <= 2 * 3
    assert main(["bench", "profile", str(tiny_bundle), *QUICK, "--network", "embedder"]) == 0
    assert "its embedder" in capsys.readouterr().out


def test_the_picture_stands_alone(
    skipping: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    awkward = tmp_path / "a<b>&c.tflite"
    awkward.write_bytes(skipping.read_bytes())
    out = tmp_path / "profile.svg"
    _profile([str(awkward), "--svg", str(out)], capsys)
    picture = ElementTree.parse(out).getroot()
    words = [element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert awkward.name in words
    assert {"down0", "side", "up0", "0"} <= set(words)
    assert "http" not in out.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")


@pytest.mark.parametrize("most", [0.0013, 0.9, 1, 2.5, 9.99, 10, 77, 5e4])
def test_an_axis_has_round_ticks(most: float) -> None:
    values = ticks(most)
    assert values[0] == 0
    assert 2 <= len(values) <= 5
    assert most * 0.5 <= values[-1] <= most * (1 + 1e-9)


def test_a_nonsensical_axis_is_refused() -> None:
    with pytest.raises(ValueError, match="axis"):
        ticks(0)


def test_failures_are_one_line(
    tmp_path: Path, skipping: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.tflite"
    text.write_bytes(b"this is no model at all")
    assert "not a TFLite file" in _fails([str(text)], capsys)
    assert "missing.tflite" in _fails([str(tmp_path / "missing.tflite")], capsys)
    flow = tmp_path / "flow.tflite"
    flow.write_bytes(models.two_graphs())
    assert "2 graphs (control flow" in _fails([str(flow)], capsys)
    bundled = [str(skipping), "--network", "embedder"]
    assert "--network is for bundles" in _fails(bundled, capsys, code=2)
    assert "not one of" in _fails(["--network", "both"], capsys, code=2)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9, 0.999])
def test_a_model_that_ends_early_costs_one_line(
    share: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Some of these crash the interpreter, some are refused by it."""
    model = Bundle.open(preset_path()).segmenter_model
    path = tmp_path / "short.tflite"
    path.write_bytes(model[: int(len(model) * share)])
    assert "short.tflite" in _fails([str(path)], capsys)


def test_a_model_that_crashes_the_interpreter_leaves_nothing(
    skipping: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(child, "_PROGRAM", "import os; os.kill(os.getpid(), 11)")
    assert "skipping.tflite crashed its process (SIGSEGV)" in _fails([str(skipping)], capsys)
    assert list(folder.iterdir()) == []


def test_ctrl_c_ends_it_and_leaves_nothing(tmp_path: Path, repository: Path) -> None:
    program = "import sys; from edgeseg.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["bench", "profile", str(preset_path()), "--samples", "100000"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=repository,
        env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(repository)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        deadline_s = time.monotonic() + 60
        while not list(tmp_path.glob("edgeseg-profile-*/part.tflite")):
            assert time.monotonic() < deadline_s
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        # A shell's background job passes on that it ignores Ctrl-C: that must not go on for hours.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert (process.returncode, out, err) == (130, "", "edgeseg: interrupted\n")
    assert list(tmp_path.glob("edgeseg-profile-*")) == []
