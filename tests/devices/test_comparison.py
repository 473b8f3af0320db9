"""What counts as the same result on two devices, and what does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.devices.comparison import compare, compare_catalogues, cosine, iou, table_of
from tests.devices.errors import CannotRunError

SKUS = [f"S{number}" for number in range(10)]


def _outcome(
    folder: Path,
    embedding: tuple[float, float] = (1.0, 0.0),
    mask: list[list[int]] | None = None,
    skus: list[str] | None = None,
    photos: tuple[str, ...] = ("a.jpg", "b.jpg"),
    network: str = "1",
) -> Path:
    folder.mkdir()
    arrays: dict[str, NDArray[Any]] = {}
    told = []
    for name in photos:
        arrays[f"embedding/{name}"] = np.array(embedding, dtype=np.float32)
        arrays[f"mask/{name}"] = np.array(mask or [[1, 0], [1, 1]], dtype=np.bool_)
        distances = [0.1 * rank for rank in range(10)]
        told.append(
            {"name": name, "skus": skus or SKUS, "distances": distances, "confidence_sha256": "c"}
        )
    np.savez(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]
    networks = {"segmenter": network, "embedder": "2"}
    (folder / "match.json").write_text(json.dumps({"photos": told, "networks": networks}))
    return folder


def test_equal_results_hold(tmp_path: Path) -> None:
    difference = compare(_outcome(tmp_path / "a"), _outcome(tmp_path / "b"))
    assert difference.shortcomings() == []
    assert (difference.same_top_10, difference.min_cosine, difference.min_iou) == (2, 1.0, 1.0)
    assert difference.segmenter_equal
    assert difference.embedder_equal


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"skus": [SKUS[1], SKUS[0], *SKUS[2:]]}, "top 10 differ in 2 of 2"),
        ({"embedding": (0.998, 0.0633)}, "embedding cosine"),
        ({"embedding": (0.0, 0.0)}, "embedding cosine nan"),
        ({"mask": [[1, 0], [1, 0]]}, "mask IoU"),
        ({"mask": [[1, 0, 0], [1, 1, 0]]}, "mask IoU 0"),
        ({"mask": [[0, 0], [0, 0]]}, "mask IoU 0"),
    ],
)
def test_what_is_beyond_tolerance_is_told(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    difference = compare(_outcome(tmp_path / "a"), _outcome(tmp_path / "b", **change))
    (short,) = difference.shortcomings()
    assert short.startswith(told)


def test_other_kernels_may_swap_what_is_behind_the_first(tmp_path: Path) -> None:
    reference = _outcome(tmp_path / "a")
    behind = _outcome(tmp_path / "b", skus=[SKUS[0], SKUS[2], SKUS[1], *SKUS[3:]], network="9")
    first = _outcome(tmp_path / "c", skus=[SKUS[1], SKUS[0], *SKUS[2:]])
    difference = compare(reference, behind)
    assert not difference.segmenter_equal
    assert (difference.same_top_10, difference.least_shared) == (0, 10)
    assert difference.shortcomings(same_kernels=False) == []
    told = compare(reference, first).shortcomings(same_kernels=False)
    assert told == ["first match differs in 2 of 2"]


def test_the_first_photos_are_enough_and_others_are_not(tmp_path: Path) -> None:
    reference = _outcome(tmp_path / "a")
    assert compare(reference, _outcome(tmp_path / "b", photos=("a.jpg",))).photos == 1
    for name, photos in (("c", ("b.jpg",)), ("d", ())):
        with pytest.raises(CannotRunError, match="same photos"):
            compare(reference, _outcome(tmp_path / name, photos=photos))
    with pytest.raises(CannotRunError, match="no results"):
        compare(reference, tmp_path)


def test_catalogues_are_compared_by_their_furthest_embedding(tmp_path: Path) -> None:
    codes = np.eye(3, dtype=np.float32)
    for name, stored in (("a", codes), ("b", codes[[0, 1, 1]]), ("c", codes[:2])):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "built.npz", codes=stored)
    assert compare_catalogues(tmp_path / "a", tmp_path / "a") == 1.0
    assert compare_catalogues(tmp_path / "a", tmp_path / "b") == 0.0
    with pytest.raises(CannotRunError, match="embeddings"):
        compare_catalogues(tmp_path / "a", tmp_path / "c")


def test_measures() -> None:
    assert cosine(np.array([3.0, 0.0]), np.array([0.0, 2.0])) == 0.0
    empty = np.zeros((2, 2), dtype=np.bool_)
    assert iou(empty, empty) == 1.0
    assert iou(empty, ~empty) == 0.0


def test_a_table_names_each_run(tmp_path: Path) -> None:
    difference = compare(_outcome(tmp_path / "a"), _outcome(tmp_path / "b"))
    versions = {"runtime": "r 1", "numpy": "2", "opencv-python-headless": "5"}
    run = {"name": "x", "versions": versions, "shortcomings": [], **difference.to_dict()}
    columns, (line,) = table_of([run])
    assert len(columns) == len(line)
    assert (line[0], line[-1]) == ("x", "held")
