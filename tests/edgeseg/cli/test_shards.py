"""The commands of who publishes shards, of a scanner that follows one, and of a fleet of these."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeseg.formats.catalogue_file import read_catalogue
from edgeseg.formats.shard_list import Shard, ShardList, shard_slug
from tests.edgeseg.cli.conftest import RunCli

KOELN = "Köln Süd"


@pytest.fixture
def folder(cli: RunCli, items_csv: Path, bundle_path: Path, tmp_path: Path) -> Path:
    """Two shards: the red item with the green one, and with the blue one."""
    return _shards(cli, items_csv, bundle_path, tmp_path, {"hamburg": "RG", KOELN: "RB"})


def _shards(
    cli: RunCli, items_csv: Path, bundle_path: Path, tmp_path: Path, lists: dict[str, str]
) -> Path:
    made = tmp_path / "warehouses"
    made.mkdir(exist_ok=True)
    header, *rows = items_csv.read_text().splitlines()
    listed = []
    for name, first_letters in lists.items():
        own = items_csv.with_name("own.csv")
        own.write_text("\n".join([header, *(row for row in rows if row[0] in first_letters)]))
        path = made / f"{shard_slug(name)}.catalogue"
        ran = cli("index", "build", own, "-o", path, "--bundle", bundle_path)
        assert ran.code == 0, ran.err
        data = read_catalogue(path)
        listed.append(Shard(name, data.items, data.digest))
    ShardList("warehouse", tuple(listed)).write(made)
    return made


@pytest.fixture
def served(cli: RunCli, folder: Path, bundle_path: Path, tmp_path: Path) -> Path:
    """Both, published; the keys are in ``keys``."""
    assert cli("keys", "init", tmp_path / "keys").code == 0
    ran = cli("publish", folder, bundle_path, "--to", tmp_path / "www", "--keys", tmp_path / "keys")
    assert ran.code == 0, ran.err
    told = ran.out.decode()
    assert "generation 1 of 2 shards, of which 2 changed" in told
    assert KOELN in told
    assert "whole (the shard is new)" in told
    return tmp_path / "www"


def test_a_scanner_follows_its_shard(
    cli: RunCli, served: Path, photo: Path, tmp_path: Path
) -> None:
    store, root = tmp_path / "store", tmp_path / "keys" / "root.json"
    ran = cli("sync", served, "--store", store, "--root", root)
    assert (ran.code, len(ran.lines)) == (1, 1)
    assert "--shard, one of 'Köln Süd', 'hamburg'" in ran.err
    ran = cli("sync", served, "--store", store, "--shard", "hamburg")
    assert ran.code == 0, ran.err
    assert "generation 1 of shard hamburg is in use" in ran.out.decode()
    assert cli("sync", served, "--store", store).out.decode() == (
        "generation 1 of shard hamburg is the newest\n"
    )
    told = json.loads(cli("match", photo, "--store", store, "--json").out)
    assert {match["sku"] for match in told["photos"][0]["matches"]} == {"R1", "G1"}
    assert told["age"].startswith("generation 1 of shard hamburg, published ")
    ran = cli("sync", served, "--store", store, "--shard", KOELN, "--json")
    assert json.loads(ran.out)["shard"] == KOELN
    told = json.loads(cli("match", photo, "--store", store, "--json").out)
    assert {match["sku"] for match in told["photos"][0]["matches"]} == {"R1", "B1"}
    told = json.loads(cli("sync", "status", "--store", store, "--json").out)
    assert (told["shard"], told["moving_to_shard"], told["generation"]) == (KOELN, None, 1)
    ran = cli("roll-back", "--store", store)
    assert ran.out.decode() == "generation 1 of shard hamburg is in use again\n"
    ran = cli("sync", served, "--store", store, "--shard", KOELN)
    assert (ran.code, len(ran.lines)) == (1, 1)
    status = cli("sync", "status", "--store", store)
    assert status.code == 0
    assert KOELN in status.out.decode()


def test_what_became_of_each_shard_is_told(
    cli: RunCli, served: Path, items_csv: Path, bundle_path: Path, tmp_path: Path
) -> None:
    publish = ("publish", "--to", served, "--keys", tmp_path / "keys")
    made = _shards(cli, items_csv, bundle_path, tmp_path, {"hamburg": "RGB", "muc": "B"})
    told = json.loads(cli(*publish, made, "--json").out)
    assert (told["generation"], told["signed_only"], told["dropped"]) == (2, False, [KOELN])
    assert [(each["shard"], each["items"], each["as_before"]) for each in told["shards"]] == [
        ("hamburg", 3, False),
        ("muc", 1, False),
    ]
    assert told["shards"][1]["whole_because"] == "the shard is new"
    told = json.loads(cli(*publish, made, "--json").out)
    assert told["signed_only"]
    assert [each["as_before"] for each in told["shards"]] == [True, True]
    assert (
        cli(*publish)
        .out.decode()
        .endswith("generation 2 of 2 shards is as before, and signed anew\n")
    )
    made = _shards(cli, items_csv, bundle_path, tmp_path, {"hamburg": "RGB", KOELN: "RB"})
    text = cli(*publish, made).out.decode()
    assert "generation 3 of 2 shards, of which 1 changed" in text
    assert "as before" in text
    assert "no longer published, as their scanners are told: 'muc'" in text


def test_a_fleet_of_shards(
    cli: RunCli, served: Path, items_csv: Path, bundle_path: Path, tmp_path: Path
) -> None:
    reports, root = tmp_path / "reports", tmp_path / "keys" / "root.json"
    reports.mkdir()

    def sync(device: str, *further: str) -> int:
        options = ("--root", root, "--device", device, "--report-to", reports, *further)
        return cli("sync", served, "--store", tmp_path / device, *options).code

    assert [sync("one", "--shard", "hamburg"), sync("two", "--shard", KOELN)] == [0, 0]
    made = _shards(cli, items_csv, bundle_path, tmp_path, {"hamburg": "RGB"})
    assert cli("publish", made, "--to", served, "--keys", tmp_path / "keys").code == 0
    assert [sync("one"), sync("two")] == [0, 1]
    told = json.loads(cli("fleet", reports, "--json").out)
    assert [(each["device"], each["shard"], each["standing"]) for each in told["devices"]] == [
        ("two", KOELN, "failing"),
        ("one", "hamburg", "current"),
    ]
    assert "no longer published" in told["devices"][0]["error"]
    lines = cli("fleet", reports).out.decode().splitlines()
    (header,) = (line for line in lines if "standing" in line)
    assert "shard" in header.split()


def test_a_folder_without_shards_is_told_in_one_line(
    cli: RunCli, served: Path, catalogue: Path, tmp_path: Path
) -> None:
    publish = ("publish", "--to", served, "--keys", tmp_path / "keys")
    (tmp_path / "empty").mkdir()
    for argument, told in (
        (tmp_path / "empty", "without a shards.json"),
        (catalogue, "2 shards are published there"),
    ):
        ran = cli(*publish, argument)
        assert (ran.code, len(ran.lines)) == (1, 1)
        assert told in ran.err
