"""``edgeseg compare``: mask folders and bundles against each other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgeseg.imaging import encode_png
from tests.edgeseg.cli.conftest import RunCli

PHOTOS = 8


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Red squares with true masks in a data folder, and cut short in ``short/``."""
    folder = tmp_path / "data"
    for name in ("data/images", "data/masks", "short"):
        (tmp_path / name).mkdir(parents=True)
    rows = ["image,mask,split,group"]
    for place in range(PHOTOS):
        photo = np.full((60, 80, 3), (90, 120, 90), np.uint8)
        mask = np.zeros((60, 80), np.uint8)
        photo[10:50, 20:60], mask[10:50, 20:60] = (230, 10, 10), 255
        (folder / "images" / f"{place}.png").write_bytes(encode_png(photo))
        (folder / "masks" / f"{place}.png").write_bytes(encode_png(mask))
        mask[: 20 + place] = 0
        (tmp_path / "short" / f"{place}.png").write_bytes(encode_png(mask))
        rows.append(f"images/{place}.png,masks/{place}.png,val,g{place}")
    (folder / "split.csv").write_text("\n".join(rows))
    return folder


def test_a_bundle_against_masks(cli: RunCli, data: Path, bundle_path: Path, tmp_path: Path) -> None:
    command = ("compare", tmp_path / "short", bundle_path, "--data", data)
    page = tmp_path / "page.html"
    ran = cli(*command, "--json", "--html", page)
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["verdict"] == "better"
    assert told["photos"] == told["groups"] == PHOTOS
    assert 0 < told["low"] < told["iou_change"] < told["high"]
    assert len(told["per_photo"]) == PHOTOS
    assert page.read_text().count("<img") == PHOTOS * 3
    ran = cli(*command)
    assert ran.code == 0, ran.err
    assert b"is better than short beyond noise" in ran.out


def test_one_and_the_same(cli: RunCli, data: Path, bundle_path: Path) -> None:
    ran = cli("compare", bundle_path, bundle_path, "--data", data, "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["verdict"] == "no difference beyond noise"
    assert told["iou_change"] == told["low"] == told["high"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("nowhere.bundle", "small", "--data", "DATA"), 1, "nowhere.bundle"),
        (("small", "small", "--data", "nowhere"), 1, "needs split.csv"),
        (("small", "small", "--data", "DATA", "--split-name", "test"), 1, "there are: val"),
        (("small", "small"), 2, "--data"),
    ],
)
def test_unusable(
    cli: RunCli, data: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    ran = cli("compare", *(str(data) if word == "DATA" else word for word in arguments))
    assert ran.code == code
    assert told in ran.err
    assert not ran.out
