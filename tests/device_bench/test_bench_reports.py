"""Reports that are kept, shown, compared and judged by the commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_bench.compare import compare
from device_bench.report.stored import read_report
from edgeseg.cli import main
from edgeseg.errors import EdgesegError
from tests.device_bench.pretended import report


@pytest.fixture
def measured(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "report.json"
    quick = ["--samples", "12", "--processes", "3", "--cold-samples", "3"]
    assert main(["bench", str(tiny_model), *quick, "--out", str(path)]) == 0
    capsys.readouterr()
    return path


def _kept(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path


def _fails(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    assert main(["bench", *arguments]) == code
    err = capsys.readouterr().err
    assert err.startswith("edgeseg: ")
    assert err.count("\n") == 1, err
    return err


def test_a_kept_report_is_shown_as_it_was(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    as_markdown = tmp_path / "report.md"
    assert main(["bench", "show", str(measured), "--markdown", str(as_markdown)]) == 0
    shown = capsys.readouterr().out
    assert "tiny.tflite: model" in shown
    written = as_markdown.read_text()
    assert "| tiny.tflite: model |" in written
    assert main(["bench", "show", str(measured), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(measured.read_text())


def test_a_run_does_not_differ_from_itself(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "compare", str(measured), str(measured), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["headline"] == "no change beyond noise"
    assert {change["ratio"]["ratio"] for change in told["changes"]} == {1.0}
    assert told["others"] == []


def test_a_slower_run_fails_where_it_is_asked_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _kept(tmp_path / "a.json", report([10.0, 10.1, 9.9]))
    after = _kept(tmp_path / "b.json", report([12.0, 12.1, 11.9]))
    assert main(["bench", "compare", str(before), str(after)]) == 0
    assert "c0: model is 20% slower (single_stream)" in capsys.readouterr().out
    assert main(["bench", "compare", str(before), str(after), "--fail-if-slower"]) == 1
    capsys.readouterr()
    assert main(["bench", "compare", str(after), str(before), "--fail-if-slower"]) == 0


def test_the_gate_opens_and_shuts(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gate = ["bench", "gate", str(measured), "--target", "model"]
    assert main([*gate, "--max-p50-ms", "10000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["held"] is True
    assert main([*gate, "--max-p50-ms", "0.0000001"]) == 1
    told = capsys.readouterr()
    assert "the gate is shut: tiny.tflite: model: p50_ms" in told.err
    assert "short" in told.out
    assert "not measured" in _fails(
        ["gate", str(measured), "--target", "model", "--min-iou", "0.5"], capsys
    )


def test_wrong_usage(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "give a bound" in _fails(["gate", str(measured)], capsys, code=2)
    for arguments in (
        ["--images", "x"],
        ["--queries", "q.csv"],
        ["--sync-from", "https://x"],
        ["--scenario", "cold_start", "--cold-samples", "0"],
        ["sweep", "--threads", "none"],
        ["sweep", "--interpreter", "tensorflow"],
        ["sweep", "--precision", "int8", "--catalogue", "c"],
    ):
        _fails(arguments, capsys, code=2)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([], "no bench report"),
        ({"kind": "something else"}, "no bench report"),
        ({**report([1.0]), "format_version": 1}, "format_version 1"),
        ({**report([1.0]), "targets": {}}, "damaged bench report: the report has no proper"),
        ({**report([1.0]), "targets": [{}]}, "damaged bench report: a target has no proper"),
        ({**report([1.0]), "scenarios": {"x": {"timed": "t"}}}, "lacks a scenario"),
    ],
)
def test_what_is_no_report(
    document: Any, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _kept(tmp_path / "odd.json", document)
    for command in (["show", str(path)], ["gate", str(path), "--max-p50-ms", "1"]):
        message = _fails(command, capsys)
        assert told in message
        assert "odd.json" in message


def test_a_report_cut_short(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured.write_bytes(measured.read_bytes()[:-40])
    assert "it is not JSON" in _fails(["show", str(measured)], capsys)


def test_reports_without_a_common_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = report([1.0])
    other["targets"][0]["role"] = "match"
    paths = [_kept(tmp_path / "a.json", report([1.0])), _kept(tmp_path / "b.json", other)]
    assert "no target in common" in _fails(["compare", *map(str, paths)], capsys)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_report_is_refused_or_compared_and_nothing_else(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    document = report([10.0, 10.1], [3.0, 3.1])
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        keys = node.keys() if isinstance(node, dict) else range(len(node))
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], (dict, list)):
                walk(node[key])

    walk(document)
    node, key = data.draw(st.sampled_from(places))
    node[key] = data.draw(_JSON)
    path = _kept(tmp_path_factory.mktemp("damaged") / "x.json", document)
    try:
        read = read_report(path)
        compare(read, read)
    except EdgesegError:
        pass
