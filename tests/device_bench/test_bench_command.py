"""The command from end to end, on tiny models, damaged ones, and the built-in bundle."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from device_bench import launcher
from edgeseg.cli import main

QUICK = ["--samples", "10", "--processes", "2", "--cold-samples", "1", "--json"]
STAGES = ["decode", "segment", "crop", "embed", "search"]


def _bench(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code = main(["bench", *arguments])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    told: dict[str, Any] = json.loads(captured.out)
    return told


def _stream(target: dict[str, Any]) -> dict[str, Any]:
    figures: dict[str, Any] = target["scenarios"]["single_stream"]
    return figures


def _fails(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    assert main(["bench", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("edgeseg: ")
    assert captured.err.count("\n") == 1, captured.err
    return captured.err


def test_models_are_compared_with_the_first(
    tiny_model: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(tiny_model), str(tiny_bundle), "--target", "model", *QUICK]
    told = _bench(arguments, capsys)
    bare, segmenter, embedder, null = told["targets"]
    assert [each["name"] for each in told["configurations"]] == ["tiny.tflite", "tiny.bundle"]
    assert _stream(bare)["ratio_to_first"] == 1.0
    assert _stream(embedder)["ratio_to_first"] == 1.0, "an embedder is no slower segmenter"
    assert bare["facts"]["inputs"] == [{"shape": [1, 32, 32, 3], "dtype": "float32"}]
    assert bare["facts"]["model_bytes"] == segmenter["facts"]["model_bytes"]
    assert _stream(segmenter)["ratio_to_first"] > 0
    assert 1 <= segmenter["facts"]["delegated"] <= segmenter["facts"]["operators"]
    assert embedder["facts"]["outputs"][0]["shape"] == [1, 16]
    cold = bare["scenarios"]["cold_start"]
    assert _stream(null)["p50_ms"] < _stream(bare)["p50_ms"] < cold["p50_ms"]
    assert _stream(null)["peak_memory_bytes"] < _stream(bare)["peak_memory_bytes"] < 500_000_000
    assert bare["facts"]["runtime"] in told["environment"]["interpreters"]
    processes = _stream(bare)["processes"]
    assert [len(each["samples_ms"]) for each in processes] == [5, 5], "every sample is kept"
    assert all(min(each["yardstick_ms"]) > 0 and each["warm_up_ms"] for each in processes)


def test_a_bundle_is_timed_stage_by_stage(
    tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = _bench([str(tiny_bundle), *QUICK], capsys)
    match = next(target for target in told["targets"] if target["kind"] == "match")
    assert list(_stream(match)["stages"]) == STAGES
    assert all(stage["p50_ms"] > 0 for stage in _stream(match)["stages"].values())
    # The tiny networks see 32 pixels: a match decodes the photos of 1200 x 1600 at an eighth.
    assert match["facts"]["decoded_sizes_px"] == [[150, 200]] * 3
    assert match["facts"]["items"] == 5000
    searches = [t["facts"]["search"] for t in told["targets"] if t["kind"] == "search"]
    assert searches == ["hnsw", "exact"], "the drawn catalogue is large enough to need an index"
    assert "too few for p99" in "\n".join(told["notes"])


def test_every_kind_can_be_asked_for_and_photos_given(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np

    from edgeseg.imaging import encode_png

    photo = tmp_path / "own.png"
    photo.write_bytes(encode_png(np.full((40, 50, 3), 120, np.uint8)))
    kinds = ["segment", "embed", "search", "match"]
    options = [option for kind in kinds for option in ("--target", kind)]
    arguments = [str(tiny_bundle), "--photo", str(photo), *options, "--samples", "2"]
    told = _bench([*arguments, "--cold-samples", "0", "--json"], capsys)
    assert {target["kind"] for target in told["targets"]} == {*kinds, "null"}
    match = next(target for target in told["targets"] if target["kind"] == "match")
    assert match["facts"]["decoded_sizes_px"] == [[50, 40]]
    assert list(told["scenarios"]) == ["single_stream"]


def test_the_table_for_people(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(tiny_model), "--samples", "3", "--cold-samples", "1"]) == 0
    told = capsys.readouterr().out
    assert "tiny.tflite" in told
    assert "1.00x" in told
    assert "note: single_stream: 3 samples are too few for p90, which takes 10" in told


def test_damaged_models_cost_one_line(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = tiny_model.read_bytes()
    chance = random.Random(5)
    damaged = [good[: len(good) // 2], good[:-1], good[:8], good[:8] + bytes(len(good) - 8)]
    for _ in range(4):
        altered = bytearray(good)
        for _ in range(200):
            altered[chance.randrange(8, len(altered))] = chance.randrange(256)
        damaged.append(bytes(altered))
    refused = 0
    for number, content in enumerate(damaged):
        path = tmp_path / f"damaged-{number}.tflite"
        path.write_bytes(content)
        code = main(["bench", str(path), "--samples", "1", "--cold-samples", "0", "--json"])
        captured = capsys.readouterr()
        # Noise that fell on weights alone leaves a model that runs: also fine.
        if code != 0:
            assert code == 1
            assert captured.err.startswith("edgeseg: ")
            assert path.name in captured.err
            assert captured.err.count("\n") == 1, captured.err
            refused += 1
    assert refused >= 5


def test_a_model_that_crashes_the_interpreter_costs_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "_PROGRAM", "import os; os.kill(os.getpid(), 11)")
    path = tmp_path / "crafted.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(64))
    told = _fails([str(path), *QUICK], capsys)
    assert "crafted.tflite: model crashed its process (SIGSEGV)" in told


@pytest.mark.parametrize("content", [b"", b"not a model at all", b"\x89PNG\r\n\x1a\n" + bytes(99)])
def test_files_that_are_no_models(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.tflite"
    path.write_bytes(content)
    assert "odd.tflite" in _fails([str(path), *QUICK], capsys)


def test_missing_files_and_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (tmp_path / "none.tflite", tmp_path / "none.bundle", tmp_path):
        assert str(path) in _fails([str(path), *QUICK], capsys)


def test_an_unknown_target_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert "speed" in _fails(["--target", "speed"], capsys, code=2)


def test_the_built_in_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    from edgeseg.presets import preset_path

    if not preset_path().is_file():
        pytest.skip("this tree has no default bundle yet")
    told = _bench(["--samples", "2", "--cold-samples", "1", "--json"], capsys)
    match = next(target for target in told["targets"] if target["kind"] == "match")
    assert list(_stream(match)["stages"]) == STAGES
    assert _stream(match)["peak_memory_bytes"] < 250_000_000
