from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.edgeseg.cli.conftest import RunCli


def test_build_and_info(cli: RunCli, items_csv: Path, bundle_path: Path, tmp_path: Path) -> None:
    target = tmp_path / "new.catalogue"
    ran = cli("index", "build", items_csv, "-o", target, "--bundle", bundle_path, "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert (told["items"], told["dim"], told["skipped"]) == (3, 4, [])
    assert told["bytes"] == target.stat().st_size
    facts = json.loads(cli("index", "info", target, "--json").out)
    assert (facts["items"], facts["dim"], facts["attributes"]) == (3, 4, ["colour", "size"])
    plain = cli("index", "info", target)
    assert plain.code == 0
    assert "colour, size" in plain.out.decode()


def test_build_from_a_folder(
    cli: RunCli, items_csv: Path, bundle_path: Path, tmp_path: Path
) -> None:
    target = tmp_path / "folder.catalogue"
    ran = cli("index", "build", items_csv.parent, "-o", target, "--bundle", bundle_path)
    assert ran.code == 0, ran.err
    assert "3 items" in ran.out.decode()


def test_unreadable_pictures_stop_a_build_unless_skipped(
    cli: RunCli, items_csv: Path, bundle_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "G1.png").write_bytes(b"not a picture")
    target = tmp_path / "new.catalogue"
    arguments = ("index", "build", items_csv, "-o", target, "--bundle", bundle_path)
    ran = cli(*arguments)
    assert ran.code == 1
    assert "item G1" in ran.err
    assert "--skip-unreadable" in ran.err
    assert not target.exists()
    ran = cli(*arguments, "--skip-unreadable", "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["items"] == 2
    assert [entry["sku"] for entry in told["skipped"]] == ["G1"]


def test_a_failed_build_leaves_the_old_catalogue(
    cli: RunCli, items_csv: Path, catalogue: Path, bundle_path: Path
) -> None:
    before = catalogue.read_bytes()
    items_csv.with_name("G1.png").write_bytes(b"")
    assert cli("index", "build", items_csv, "-o", catalogue, "--bundle", bundle_path).code == 1
    assert catalogue.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    ["", "sku,image\n", "name,file\nA,a.png\n", "sku,image\nR1,R1.png\nR1,G1.png\n",
     "sku,image\nR1,nowhere.png\n", "sku,image\nR1\n"],
)  # fmt: skip
def test_an_unusable_list_is_one_line(
    cli: RunCli, items_csv: Path, bundle_path: Path, tmp_path: Path, text: str
) -> None:
    items_csv.write_text(text)
    ran = cli("index", "build", items_csv, "-o", tmp_path / "x.catalogue", "--bundle", bundle_path)
    assert (ran.code, len(ran.lines)) == (1, 1), ran.err
    assert "items.csv" in ran.err


def test_the_output_cannot_be_the_list(cli: RunCli, items_csv: Path, bundle_path: Path) -> None:
    before = items_csv.read_bytes()
    ran = cli("index", "build", items_csv, "-o", items_csv, "--bundle", bundle_path)
    assert ran.code == 2
    assert items_csv.read_bytes() == before


def test_info_refuses_what_is_no_catalogue(cli: RunCli, items_csv: Path, tmp_path: Path) -> None:
    for path in (items_csv, tmp_path, tmp_path / "missing"):
        ran = cli("index", "info", path)
        assert (ran.code, len(ran.lines)) == (1, 1), ran.err
