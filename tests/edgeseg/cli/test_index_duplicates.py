from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgeseg.imaging import encode_jpeg, encode_png, read_photo
from tests.edgeseg.cli.conftest import RunCli
from tests.edgeseg.handmade import garment_on_white


@pytest.fixture
def shop(cli: RunCli, bundle_path: Path, tmp_path: Path) -> Path:
    """A catalogue of two shirts, of which one is there three times, and a green one."""
    one = garment_on_white(1)
    pictures = {
        "one": encode_png(one),
        "two": encode_png(garment_on_white(2)),
        "one-green": encode_png(garment_on_white(1, colour=(90, 150, 100))),
        "one-mirrored": encode_jpeg(np.ascontiguousarray(one[:, ::-1]), 95),
        "one-again": encode_png(one),
    }
    folder = tmp_path / "pictures"
    folder.mkdir()
    for sku, data in pictures.items():
        (folder / f"{sku}.png").write_bytes(data)
    path = tmp_path / "shop.catalogue"
    ran = cli("index", "build", folder, "-o", path, "--bundle", bundle_path)
    assert ran.code == 0, ran.err
    return path


def test_lists_the_groups(cli: RunCli, shop: Path) -> None:
    ran = cli("index", "duplicates", shop)
    assert (ran.code, ran.err) == (0, "")
    lines = [line.split() for line in ran.out.decode().splitlines()]
    rows = [line for line in lines if line and line[0] == "1"]
    assert rows[0][1:4] == ["one", "one-again", "0.00"], "equal pictures come first"
    assert len(rows) == 3
    assert rows[1][-1] == "mirrored"
    assert "one-green" not in ran.out.decode()
    assert "1 group of 3 items" in ran.out.decode()


def test_json(cli: RunCli, shop: Path) -> None:
    ran = cli("index", "duplicates", shop, "--json")
    assert (ran.code, ran.err) == (0, "")
    told = json.loads(ran.out)
    assert (told["items"], told["found_groups"], told["compared_pairs"]) == (5, 1, 10)
    (group,) = told["groups"]
    assert set(group["skus"]) == {"one", "one-again", "one-mirrored"}
    assert [sorted(pair) for pair in group["pairs"]] == [
        ["difference", "distance", "mirrored", "other", "sku"]
    ] * 2
    assert [pair["mirrored"] for pair in group["pairs"]] == [False, True]
    assert (told["unreadable"], told["unchecked_pairs"]) == ([], 0)
    assert "unchecked" not in told


def test_none_found_is_said_and_no_failure(cli: RunCli, catalogue: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "none.png"
    ran = cli("index", "duplicates", catalogue, "--montage", sheet)
    assert ran.code == 0, ran.err
    assert ran.out.decode().startswith("no duplicates: ")
    assert not sheet.exists()
    assert "nothing to draw" in ran.err
    told = json.loads(cli("index", "duplicates", catalogue, "--json").out)
    assert told["groups"] == []


def test_limit_lists_the_likest(cli: RunCli, bundle_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pairs"
    folder.mkdir()
    for seed in range(3):
        picture = garment_on_white(seed)
        (folder / f"{seed}a.png").write_bytes(encode_png(picture))
        (folder / f"{seed}b.jpg").write_bytes(encode_jpeg(picture, 50 + 20 * seed))
    path = tmp_path / "pairs.catalogue"
    assert cli("index", "build", folder, "-o", path, "--bundle", bundle_path).code == 0
    everything = json.loads(cli("index", "duplicates", path, "--json").out)
    assert len(everything["groups"]) == 3
    told = json.loads(cli("index", "duplicates", path, "--limit", "2", "--json").out)
    assert told["groups"] == everything["groups"][:2]
    assert told["found_groups"] == 3
    ran = cli("index", "duplicates", path, "--limit", "2")
    assert "3 groups of 6 items" in ran.out.decode()
    assert "the likest 2 shown" in ran.out.decode()


def test_montage_draws_a_row_a_group(cli: RunCli, shop: Path, tmp_path: Path) -> None:
    target = tmp_path / "found.png"
    ran = cli("index", "duplicates", shop, "--montage", target)
    assert ran.code == 0, ran.err
    assert "drew" in ran.err
    sheet = read_photo(target)
    assert sheet.shape == (192 + 18, 3 * 192, 3)
    for place in range(3):
        assert sheet[96, place * 192 + 96].max() < 250, "a garment's picture"


def test_a_large_group_is_drawn_in_one_row(cli: RunCli, bundle_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.png").write_bytes(encode_png(garment_on_white(1)))
    path = tmp_path / "many.catalogue"
    assert cli("index", "build", folder, "-o", path, "--bundle", bundle_path).code == 0
    target = tmp_path / "found.png"
    assert cli("index", "duplicates", path, "--montage", target).code == 0
    sheet = read_photo(target)
    assert sheet.shape == (192 + 18, 8 * 192, 3)
    assert (sheet[96, 7 * 192 + 96] == 255).all(), "the last place says how many more there are"
    assert sheet[:192, 7 * 192 :].min() < 100


def test_unreadable_pictures_are_a_failure_unless_asked_for(
    cli: RunCli, shop: Path, tmp_path: Path
) -> None:
    (tmp_path / "pictures" / "one-again.png").write_bytes(b"not a picture")
    ran = cli("index", "duplicates", shop)
    assert ran.code == 1
    assert "one-mirrored" in ran.out.decode(), "the others are still listed"
    assert "item one-again" in ran.lines[0]
    assert "4 pairs not compared" in ran.lines[1]
    assert "--unchecked" in ran.lines[1]
    ran = cli("index", "duplicates", shop, "--unchecked")
    assert ran.code == 0
    assert "the nearest 4 of 4 pairs" in ran.out.decode()
    assert "item one-again" in ran.err
    told = json.loads(cli("index", "duplicates", shop, "--unchecked", "--limit", "2", "--json").out)
    assert [entry["sku"] for entry in told["unreadable"]] == ["one-again"]
    assert told["unchecked_pairs"] == 4
    assert len(told["unchecked"]) == 2


def test_pictures_that_have_moved_are_asked_for(cli: RunCli, shop: Path, tmp_path: Path) -> None:
    moved = (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    ran = cli("index", "duplicates", shop)
    assert (ran.code, len(ran.lines), ran.out) == (1, 1, b"")
    assert "--pictures" in ran.err
    ran = cli("index", "duplicates", shop, "--pictures", moved)
    assert ran.code == 0, ran.err
    assert "1 group of 3 items" in ran.out.decode()
    ran = cli("index", "duplicates", shop, "--unchecked", "--json")
    assert ran.code == 0
    told = json.loads(ran.out)
    assert (told["groups"], len(told["unchecked"])) == ([], 10)


def test_bad_input_is_one_line(cli: RunCli, shop: Path, items_csv: Path, tmp_path: Path) -> None:
    for arguments, code in (
        ((tmp_path / "missing",), 1),
        ((items_csv,), 1),
        ((shop, "--pictures", tmp_path / "nothing"), 1),
        ((shop, "--pictures", items_csv), 1),
        ((shop, "--montage", tmp_path / "no" / "folder.png"), 1),
        ((shop, "--montage", tmp_path / "found.jpg"), 2),
        ((shop, "--montage", tmp_path / "pictures" / "one.png"), 2),
        ((shop, "-k", "0"), 2),
        ((shop, "--limit", "0"), 2),
    ):
        ran = cli("index", "duplicates", *arguments)
        assert (ran.code, len(ran.lines)) == (code, 1), (arguments, ran.err)
    assert (tmp_path / "pictures" / "one.png").read_bytes()[1:4] == b"PNG"
