"""Training folders: who trains and who validates, and what cannot be used."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgeseg.errors import DatasetError
from edgeseg.imaging import encode_png
from edgeseg.training.dataset import digest, list_pairs, load_dataset

Rows = Sequence[dict[str, str]]


def write_pair(folder: Path, name: str, height: int = 20, width: int = 16) -> dict[str, str]:
    rng = np.random.default_rng(list(name.encode()))
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    photo = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    mask = np.zeros((height, width), np.uint8)
    mask[4:-4, 4:-4] = 255
    (folder / "images" / f"{name}.png").write_bytes(encode_png(photo))
    (folder / "masks" / f"{name}.png").write_bytes(encode_png(mask))
    return {"image": f"images/{name}.png", "mask": f"masks/{name}.png"}


def write_table(folder: Path, rows: Rows) -> None:
    with (folder / "split.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("column", ["group", "sender"])
def test_no_group_stands_on_both_sides(tmp_path: Path, column: str) -> None:
    pair = write_pair(tmp_path, "one")
    rows = [{**pair, column: f"g{index % 40}"} for index in range(200)]
    write_table(tmp_path, rows)
    sides: dict[str, set[str]] = {}
    for listed in list_pairs(tmp_path):
        sides.setdefault(listed.group, set()).add(listed.split)
    assert len(sides) == 40
    assert all(len(side) == 1 for side in sides.values())
    held_out = sum(side == {"val"} for side in sides.values())
    # A fifth of 40 by a hash: 8, give or take three standard deviations of 2.5.
    assert 1 <= held_out <= 15


def test_the_tables_own_split_goes_first_and_other_splits_are_left_alone(tmp_path: Path) -> None:
    splits = ["train", "val", "test", "train"]
    rows = [
        {**write_pair(tmp_path, f"p{index}"), "split": split, "group": "one"}
        for index, split in enumerate(splits)
    ]
    write_table(tmp_path, rows)
    dataset = load_dataset([tmp_path], 64)
    assert [s.path.stem for s in dataset.train] == ["p0", "p3"]
    assert [s.path.stem for s in dataset.val] == ["p1"]
    assert dataset.names == (tmp_path.name,)
    assert {s.folder for s in dataset.train} == {0}


def test_the_order_of_rows_and_files_does_not_matter(tmp_path: Path) -> None:
    rows = [write_pair(tmp_path, f"p{index}") for index in range(30)]
    by_stem = {pair.image.name: pair.split for pair in list_pairs(tmp_path)}
    assert set(by_stem.values()) == {"train", "val"}
    write_table(tmp_path, rows)
    forward = {pair.image.name: pair.split for pair in list_pairs(tmp_path)}
    write_table(tmp_path, rows[::-1])
    assert {pair.image.name: pair.split for pair in list_pairs(tmp_path)} == forward
    # More photographs move none of those that were there.
    write_table(tmp_path, [write_pair(tmp_path, "another"), *rows])
    grown = {pair.image.name: pair.split for pair in list_pairs(tmp_path)}
    assert {name: grown[name] for name in forward} == forward


def test_folders_of_images_and_masks(tmp_path: Path) -> None:
    for index in range(30):
        write_pair(tmp_path, f"p{index}")
    (tmp_path / "images" / "notes.txt").write_text("no picture")
    dataset = load_dataset([tmp_path], 64)
    assert len(dataset.train) + len(dataset.val) == 30
    assert dataset.train[0].image.shape == (20, 16, 3)
    assert dataset.train[0].mask.dtype == np.uint8
    assert set(np.unique(dataset.train[0].mask)) == {0, 1}


def test_large_photographs_are_shrunk_and_small_ones_kept(tmp_path: Path) -> None:
    write_table(
        tmp_path,
        [
            {**write_pair(tmp_path, "large", 200, 100), "split": "train"},
            {**write_pair(tmp_path, "small", 20, 30), "split": "val"},
        ],
    )
    seen: list[tuple[int, int]] = []
    dataset = load_dataset([tmp_path], 50, lambda done, total: seen.append((done, total)))
    assert dataset.train[0].image.shape == (50, 25, 3)
    assert dataset.train[0].mask.shape == (50, 25)
    # The mask has a border of 4 of 200 rows: one of 50.
    assert dataset.train[0].mask.mean() == pytest.approx(48 * 23 / (50 * 25), abs=0.01)
    assert dataset.val[0].image.shape == (20, 30, 3)
    assert seen == [(1, 2), (2, 2)]


def test_folders_of_one_name_keep_apart(tmp_path: Path) -> None:
    for part in ("a", "b"):
        folder = tmp_path / part / "photos"
        rows = [
            {**write_pair(folder, f"{part}{index}"), "split": split}
            for index, split in enumerate(("train", "val"))
        ]
        write_table(folder, rows)
    dataset = load_dataset([tmp_path / "a" / "photos", tmp_path / "b" / "photos"], 64)
    assert len(set(dataset.names)) == 2
    assert [s.folder for s in dataset.train] == [0, 1]


def test_digest_sees_every_pixel(tmp_path: Path) -> None:
    for index in range(30):
        write_pair(tmp_path, f"p{index}")
    samples = load_dataset([tmp_path], 64).train
    before = digest(samples)
    assert before == digest(load_dataset([tmp_path], 64).train)
    samples[3].image[5, 5, 1] ^= 1
    assert digest(samples) != before


def unusable(folder: Path, match: str) -> None:
    with pytest.raises(DatasetError, match=match) as caught:
        load_dataset([folder], 64)
    assert "\n" not in str(caught.value)


def test_unusable_folders(tmp_path: Path) -> None:
    unusable(tmp_path / "none", "needs split.csv")
    unusable(tmp_path, "needs split.csv")
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    unusable(tmp_path, "no photo of")
    pair = write_pair(tmp_path, "p")
    write_table(tmp_path, [{"image": pair["image"]}])
    unusable(tmp_path, "column mask")
    write_table(tmp_path, [{"image": pair["image"], "mask": "masks/none.png"}])
    unusable(tmp_path, "none.png is missing")
    write_table(tmp_path, [{**pair, "split": "train"}])
    unusable(tmp_path, "1 photographs to train and 0 to validate")
    (tmp_path / "masks" / "p.png").write_bytes(encode_png(np.zeros((9, 9), np.uint8)))
    unusable(tmp_path, "as large as its photo")
