"""A search space: what its JSON says, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from converters.search.records import WorkFolder
from converters.search.space import Candidate, load_space, space_names
from edgeseg.errors import EdgesegError
from edgeseg.training.networks.tiramisu import TIRAMISUS
from tests.converters.search.conftest import WriteSpace


def test_the_space_of_the_package_goes_around_compact() -> None:
    assert space_names() == ["device"]
    space = load_space("device")
    assert space.reference == Candidate("compact", TIRAMISUS["compact"], 160)
    assert space.peer == Candidate(
        "fcdensenet103-float32", TIRAMISUS["fcdensenet103"], 160, quantization="none"
    )
    # The axes that the search is about.
    networks = [c.network for c in space.candidates if c.quantization == "static"]
    assert {c.input_px for c in space.candidates} == {160, 192, 224, 256}
    assert {n.growth_rate for n in networks} >= {8, 12, 16, 20, 24}
    assert {n.stem_filters for n in networks} >= {16, 24, 32, 48}
    assert {n.stem_stride for n in networks} == {1, 2, 4}
    assert {n.upsampling for n in networks} == {"nearest", "bilinear", "transposed"}
    assert {n.separable for n in networks} == {False, True}
    assert {len(n.down) for n in networks} == {3, 4, 5}


def test_lists_of_values_make_a_candidate_of_each_combination(write_space: WriteSpace) -> None:
    entry = {
        "name": "d{down}-k{growth_rate}-{input_px}",
        "down": [[1], [1, 2]],
        "growth_rate": [4, 8],
        "input_px": 64,
    }
    space = load_space(str(write_space(candidates=[entry], reference="d1-2-k8-64")))
    assert [c.name for c in space.candidates] == [
        "d1-k4-64", "d1-k8-64", "d1-2-k4-64", "d1-2-k8-64",
    ]  # fmt: skip
    assert space.reference.network.down == (1, 2)
    assert space.reference.network.growth_rate == 8
    assert space.reference.input_px == space.largest_px == 64
    # What an entry does not say is the network's.
    assert space.reference.network.stem_filters == TIRAMISUS["test_tiny"].stem_filters
    chosen = space.chosen(["d1-2-k4-64", "d1-k4-64"])
    assert [c.name for c in chosen] == ["d1-k4-64", "d1-2-k4-64"]
    assert space.chosen([]) == space.candidates
    with pytest.raises(EdgesegError, match="no candidate nobody in the space"):
        space.chosen(["nobody"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"surprise": 1}, "unknown field surprise"),
        ({"candidates": [{"name": "k8", "depth": 3}]}, "unknown field depth"),
        ({"candidates": [{"name": "k", "growth_rate": [4, 8]}]}, "two candidates of the name k"),
        ({"reference": "other"}, "the reference 'other' is no candidate"),
        ({"peer": "other"}, "the peer 'other' is no candidate"),
        ({"network": "huge"}, "no network 'huge'"),
        ({"input_px": 34}, "multiple of 4"),
        ({"input_px": 0}, "multiple of 4"),
        ({"candidates": [{"name": "../k8"}]}, "is no name"),
        ({"candidates": [{"name": "{depth}"}]}, "depth is missing"),
        ({"candidates": [{"name": "k8", "growth_rate": 0}]}, "growth_rate must be a whole number"),
        ({"candidates": [{"name": "k8", "stem_filters": "8"}]}, "stem_filters must be a whole"),
        ({"candidates": [{"name": "k8", "quantization": "float16"}]}, "static or none"),
        ({"candidates": [{"name": "k8", "quantization": "none"}]}, "must be quantized"),
        ({"candidates": [{"name": "k{growth_rate}", "growth_rate": [*range(1, 600)]}]}, "than 500"),
        ({"candidates": 3}, "not iterable"),
    ],
)
def test_a_mistake_is_told_on_one_line(
    write_space: WriteSpace, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(EdgesegError, match=words) as caught:
        load_space(str(write_space(**changes)))
    assert "\n" not in str(caught.value)


def test_what_is_no_space(tmp_path: Path) -> None:
    with pytest.raises(EdgesegError, match="take one of device, or a JSON file"):
        load_space("nowhere")
    path = tmp_path / "space.json"
    for text in ("{", "[]", "[" * 5000):
        path.write_text(text)
        with pytest.raises(EdgesegError, match="search space space"):
            load_space(str(path))


def test_a_record_counts_for_its_own_candidate_only(tmp_path: Path) -> None:
    folder = WorkFolder(tmp_path / "work")
    one = Candidate("one", TIRAMISUS["test_tiny"], 32)
    assert folder.read("latency", one) is None
    folder.write("latency", one, {"figure": 1})
    found = folder.read("latency", one)
    assert found is not None
    assert found["figure"] == 1
    assert folder.read("latency", Candidate("one", TIRAMISUS["test_tiny"], 64)) is None
    (tmp_path / "work" / "latency" / "one.json").write_text(json.dumps([1]))
    with pytest.raises(EdgesegError, match=r"one\.json: damaged"):
        folder.read("latency", one)
