"""``edgeseg index build`` with kept work, in shards, and what it refuses."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgeseg.formats.bundle import Bundle, write_bundle
from tests.edgeseg.cli.conftest import RunCli

pytest.importorskip("pyarrow", reason="the scale extra is not installed")


@pytest.fixture
def build(cli: RunCli, bundle_path: Path, tmp_path: Path) -> RunCli:
    """Builds with the hand-made bundle and a cache."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> object:
        return cli(
            "index", "build", *arguments, "--bundle", bundle_path, "--cache", tmp_path / "cache"
        )

    return run  # type: ignore[return-value]


def test_a_cache_changes_nothing_but_the_work(
    build: RunCli, cli: RunCli, items_csv: Path, bundle_path: Path, tmp_path: Path
) -> None:
    plain, kept = tmp_path / "plain.catalogue", tmp_path / "kept.catalogue"
    assert cli("index", "build", items_csv, "-o", plain, "--bundle", bundle_path).code == 0
    first = build(items_csv, "-o", kept, "--json")
    assert first.code == 0, first.err
    assert plain.read_bytes() == kept.read_bytes()
    told = json.loads(first.out)
    assert (told["items"], told["described"], told["pictures_read"]) == (3, 3, 3)
    assert told["catalogues"][0]["items"] == 3
    assert told["unreadable_file"] is None
    assert set(told["stage_s"]) == {"fetch", "decode", "describe", "write"}
    again = json.loads(build(items_csv, "-o", kept, "--json").out)
    assert (again["described"], again["catalogues_reused"]) == (0, 1)
    assert again["catalogues"][0]["digest"] == told["catalogues"][0]["digest"]
    spoken = build(items_csv, "-o", kept)
    assert "3 items in 1 catalogues (1 as before)" in spoken.out.decode()


def test_its_pictures_are_found_as_those_of_any_build(
    build: RunCli, items_csv: Path, tmp_path: Path
) -> None:
    from edgeseg.item_pictures import item_pictures

    kept = tmp_path / "kept.catalogue"
    assert build(items_csv, "-o", kept).code == 0
    assert len(item_pictures(kept, None)) == 3


def test_shards_by_an_attribute(
    build: RunCli, cli: RunCli, items_csv: Path, tmp_path: Path
) -> None:
    with items_csv.open() as file:
        rows = list(csv.DictReader(file))
    with items_csv.open("w", newline="") as file:
        table = csv.DictWriter(file, [*rows[0], "warehouse"])
        table.writeheader()
        places = ("north", "north;south", "south")
        table.writerows(
            {**row, "warehouse": place} for row, place in zip(rows, places, strict=True)
        )
    ran = build(items_csv, "-o", tmp_path / "shops", "--shard-by", "warehouse", "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert {each["name"]: each["items"] for each in told["catalogues"]} == {"north": 2, "south": 2}
    assert told["described"] == 3
    info = json.loads(cli("index", "info", tmp_path / "shops" / "north.catalogue", "--json").out)
    assert info["items"] == 2


def test_unreadable_pictures_stop_a_build_unless_skipped(
    build: RunCli, items_csv: Path, tmp_path: Path
) -> None:
    items_csv.with_name("G1.png").write_bytes(b"not a picture")
    target = tmp_path / "new.catalogue"
    ran = build(items_csv, "-o", target)
    assert ran.code == 1
    assert "item G1" in ran.err
    assert "1 of 3 items cannot be indexed" in ran.err
    assert "--skip-unreadable" in ran.err
    assert not target.exists()
    ran = build(items_csv, "-o", target, "--skip-unreadable", "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["unreadable"] == 1
    assert "G1" in Path(told["unreadable_file"]).read_text()


@pytest.mark.parametrize(
    "options",
    [
        ("--shard-by", "warehouse"),
        ("--engine", "ray"),
        ("--cache", "kept", "--workers", "2"),
        ("--cache", "kept", "--address", "auto"),
        ("--cache", "kept", "--engine", "spark"),
    ],
)
def test_options_that_do_not_go_together(
    cli: RunCli, items_csv: Path, bundle_path: Path, tmp_path: Path, options: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    ran = cli("index", "build", items_csv, "-o", "x", "--bundle", bundle_path, *options)
    assert ran.code == 2, ran.err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("missing", ["pyarrow", "ray"])
def test_what_is_not_installed_is_told(
    build: RunCli, items_csv: Path, tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    ran = build(items_csv, "-o", tmp_path / "x", "--engine", "ray")
    assert (ran.code, len(ran.lines)) == (1, 1), ran.err
    assert "pip install 'edgeseg[scale]'" in ran.err
    assert missing in ran.err


@pytest.mark.parametrize("source", ["nowhere.csv", "nowhere/", "memory://nowhere/items.csv"])
def test_a_list_that_is_not_there(build: RunCli, tmp_path: Path, source: str) -> None:
    ran = build(source, "-o", tmp_path / "x.catalogue")
    assert (ran.code, len(ran.lines)) == (1, 1), ran.err
    assert "nowhere" in ran.err


def test_a_bundle_without_an_embedder(
    cli: RunCli, items_csv: Path, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    path = tmp_path / "segmenter.bundle"
    manifest = replace(tiny_bundle.manifest, embedder=None)
    write_bundle(path, manifest, {"segmenter.tflite": tiny_bundle.segmenter_model})
    ran = cli(
        "index", "build", items_csv, "-o", tmp_path / "x", "--cache", tmp_path / "cache",
        "--bundle", path,
    )  # fmt: skip
    assert (ran.code, len(ran.lines)) == (1, 1), ran.err
    assert "no embedder" in ran.err
