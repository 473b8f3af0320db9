from __future__ import annotations

from pathlib import Path

import pytest

from device_bench.configuration import Configuration, labels
from device_bench.plan import Inputs, plan
from device_bench.target import Settings
from edgeseg.errors import EdgesegError, ModelContractError


def _model(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(64))
    return path


HARNESS = ["null"]


def _plain(*paths: Path) -> list[Configuration]:
    return [Configuration(path) for path in paths]


def test_bare_models_keep_their_order_and_the_harness_comes_last(tmp_path: Path) -> None:
    one, two = _model(tmp_path / "b.tflite"), _model(tmp_path / "a.tflite")
    specs = plan([Configuration(each, Settings(2)) for each in (one, two)], Inputs(tmp_path)).timed
    assert [spec.kind for spec in specs] == ["model", "model", *HARNESS]
    assert [spec.name for spec in specs[:2]] == ["b.tflite: model", "a.tflite: model"]
    assert specs[0].options == {"path": str(one), "network": None, "threads": 2}
    assert [spec.of_harness for spec in specs] == [False, False, True]


def test_names_alike_are_told_apart(tmp_path: Path) -> None:
    one, two = _model(tmp_path / "x" / "m.tflite"), _model(tmp_path / "y" / "m.tflite")
    assert labels(_plain(one, two, one)) == [f"{one} (#1)", str(two), f"{one} (#2)"]


def test_only_settings_that_differ_are_in_a_name(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    fast, plain = Settings(2, xnnpack=True), Settings(2, xnnpack=False)
    assert labels([Configuration(path, fast), Configuration(path, plain)]) == [
        "m.tflite (XNNPACK on)",
        "m.tflite (XNNPACK off)",
    ]
    assert labels([Configuration(path, Settings(n)) for n in (1, 2)]) == [
        "m.tflite (1 thread)",
        "m.tflite (2 threads)",
    ]


def test_a_model_has_no_stages(tmp_path: Path) -> None:
    with pytest.raises(ModelContractError, match="has none of: match"):
        plan(_plain(_model(tmp_path / "m.tflite")), Inputs(tmp_path), ["match"])


def test_an_unknown_target_is_a_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such target"):
        plan([], Inputs(tmp_path), ["speed"])


@pytest.mark.parametrize("content", [b"", b"hello", bytes(1000)])
def test_what_is_neither_is_refused_as_a_bundle(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.bundle"
    path.write_bytes(content)
    with pytest.raises(EdgesegError, match=r"x\.bundle"):
        plan(_plain(path), Inputs(tmp_path))


def test_a_bundle_is_its_networks_its_search_and_its_match(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    specs = plan(_plain(tiny_bundle), Inputs(tmp_path)).timed
    assert [spec.name for spec in specs[:-1]] == [
        "tiny.bundle: segmenter",
        "tiny.bundle: embedder",
        "tiny.bundle: search",
        "tiny.bundle: search, exact",
        "tiny.bundle: match",
    ]
    assert all(Path(path).is_file() for path in specs[4].options["photos"])


def test_a_bundle_can_be_timed_by_its_networks_alone(tiny_bundle: Path, tmp_path: Path) -> None:
    specs = plan(_plain(tiny_bundle), Inputs(tmp_path), ["model"]).timed
    assert [spec.kind for spec in specs] == ["model", "model", *HARNESS]
    assert list(tmp_path.iterdir()) == [], "nothing is drawn that nobody asked for"
