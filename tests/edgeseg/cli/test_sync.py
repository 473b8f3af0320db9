"""The commands of a publisher, of a scanner and of who watches a fleet."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from edgeseg.sync.confirmations import ConfirmationLog
from edgeseg.sync.store import Store
from tests.edgeseg.cli.conftest import RunCli
from tests.edgeseg.sync.test_confirmations import confirmation


@pytest.fixture
def served(cli: RunCli, catalogue: Path, bundle_path: Path, tmp_path: Path) -> Path:
    """A folder with a published catalogue of three items; the keys are in ``keys``."""
    assert cli("keys", "init", tmp_path / "keys").code == 0
    ran = cli(
        "publish", catalogue, bundle_path, "--to", tmp_path / "www", "--keys", tmp_path / "keys"
    )
    assert ran.code == 0, ran.err
    assert "generation 1, 3 items, whole" in ran.out.decode()
    return tmp_path / "www"


@pytest.fixture
def store(cli: RunCli, served: Path, tmp_path: Path) -> Path:
    """A scanner that has it."""
    there = tmp_path / "store"
    ran = cli("sync", served, "--store", there, "--root", tmp_path / "keys" / "root.json")
    assert ran.code == 0, ran.err
    assert "generation 1 is in use" in ran.out.decode()
    return there


def _publish_next(
    cli: RunCli, items_csv: Path, bundle_path: Path, tmp_path: Path, row: str = "R1,R1.png,red,L"
) -> None:
    lines = items_csv.read_text().splitlines()
    items_csv.write_text("\n".join([*(line for line in lines if line[:2] != row[:2]), row]) + "\n")
    new = tmp_path / "new.catalogue"
    assert cli("index", "build", items_csv, "-o", new, "--bundle", bundle_path).code == 0
    ran = cli("publish", new, "--to", tmp_path / "www", "--keys", tmp_path / "keys", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["generation"] == 2


def test_from_keys_to_a_match(
    cli: RunCli, store: Path, served: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = cli("match", photo, "--store", store, "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["photos"][0]["matches"][0]["sku"] == "R1"
    assert told["generation"] == 1
    assert told["age"].startswith("generation 1, published ")
    monkeypatch.setenv("EDGESEG_STORE", str(store))
    assert cli("sync", served).out.decode() == "generation 1 is the newest\n"
    told = json.loads(cli("sync", "status", "--json").out)
    assert (told["generation"], told["expired"], told["trouble"]) == (1, False, "")
    assert told["last_sync"]["result"] == "current"
    assert "generation 1" in cli("sync", "status").out.decode()


def test_a_next_generation_and_the_way_back(
    cli: RunCli, store: Path, served: Path, items_csv: Path, bundle_path: Path, tmp_path: Path
) -> None:
    assert cli("roll-back", "--store", store).code == 1
    _publish_next(cli, items_csv, bundle_path, tmp_path)
    ran = cli("sync", served, "--store", store, "--json")
    told = json.loads(ran.out)
    assert (told["result"], told["from_generation"], told["to_generation"]) == ("activated", 1, 2)
    assert cli("roll-back", "--store", store).out.decode() == "generation 1 is in use again\n"
    ran = cli("sync", served, "--store", store)
    assert ran.code == 1
    assert "rolled back on this device" in ran.err
    assert json.loads(cli("sync", "status", "--store", store, "--json").out)["generation"] == 1
    assert cli("sync", served, "--store", store, "--retry-refused").code == 0
    assert json.loads(cli("sync", "status", "--store", store, "--json").out)["generation"] == 2


def test_a_fleet_is_told_from_reports(
    cli: RunCli, served: Path, items_csv: Path, bundle_path: Path, tmp_path: Path
) -> None:
    reports, root = tmp_path / "reports", tmp_path / "keys" / "root.json"
    reports.mkdir()

    def sync(device: str, url: Path = served) -> int:
        options = ("--root", root, "--device", device, "--report-to", reports)
        return cli("sync", url, "--store", tmp_path / device, *options).code

    assert [sync(name) for name in ("one", "two", "three")] == [0, 0, 0]
    _publish_next(cli, items_csv, bundle_path, tmp_path)
    log = ConfirmationLog(Store(tmp_path / "one").confirmations)
    for number, sku in enumerate(("P1", None)):
        log.append(confirmation(number, sku))
    assert sync("one") == 0
    assert sync("three", tmp_path / "nowhere") == 1
    ran = cli("fleet", reports, "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["generation"] == 2
    assert [(each["device"], each["standing"], each["behind"]) for each in told["devices"]] == [
        ("three", "failing", 1),
        ("two", "behind", 1),
        ("one", "current", 0),
    ]
    assert told["devices"][0]["error"].startswith("DownloadError: ")
    assert told["confirmed"]["arrived"] == 2
    assert told["confirmed"]["damaged_lines"] == 0
    assert [each["confirmed"]["arrived"] for each in told["devices"]] == [0, 0, 2]
    assert told["devices"][2]["confirmed"] == {"arrived": 2, "corrected": 0, "none_of_these": 1}
    with next(reports.glob("*.jsonl")).open("ab") as file:
        file.write(b"torn")
    plain = cli("fleet", reports, "--strict")
    assert "1 damaged lines" in plain.err
    assert b"corrected" in plain.out
    assert plain.code == 1
    assert "1 of 3 devices are current at generation 2" in plain.out.decode()
    (reports / "broken.json").write_text("{")
    ran = cli("fleet", reports, "--json")
    assert ran.code == 1
    assert len(json.loads(ran.out)["unreadable"]) == 1


def test_keys_are_rotated_and_signed_anew(
    cli: RunCli, store: Path, served: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    ran = cli("keys", "rotate", "timestamp", "snapshot", "--keys", keys, "--to", served, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out) == {"rotated": ["timestamp", "snapshot"], "root_version": 2}
    assert cli("publish", "--to", served, "--keys", keys).code == 0
    assert cli("sync", served, "--store", store).out.decode() == "generation 1 is the newest\n"


def test_a_root_that_expires_soon_is_told(
    cli: RunCli, served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeseg.sync import clock

    later = clock.now() + timedelta(days=700)
    monkeypatch.setattr(clock, "now", lambda: later)
    ran = cli("publish", "--to", served, "--keys", tmp_path / "keys")
    assert ran.code == 0
    assert "root.json expires in 29 days" in ran.err or "in 30 days" in ran.err


def test_keys_may_be_encrypted_and_kept_apart(
    cli: RunCli, catalogue: Path, bundle_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, stick, www = tmp_path / "keys", tmp_path / "stick", tmp_path / "www"
    monkeypatch.setenv("EDGESEG_PASSPHRASE", "open sesame")
    assert cli("keys", "init", keys).code == 0
    stick.mkdir()
    for path in sorted(keys.glob("root-*.pem"))[:2]:
        path.rename(stick / path.name)
    publish = ("publish", catalogue, bundle_path, "--to", www, "--keys", keys)
    assert cli(*publish).code == 0
    rotate = ("keys", "rotate", "targets", "--to", www, "--keys", keys)
    ran = cli(*rotate)
    assert ran.code == 1
    assert "2 root keys have to sign, and 1 of its 3 are in" in ran.err
    assert not list(keys.glob("retired/*"))
    assert len(list(keys.glob("targets-*.pem"))) == 1
    assert cli(*rotate, "--keys", stick).code == 0
    monkeypatch.delenv("EDGESEG_PASSPHRASE")
    ran = cli(*publish)
    assert ran.code == 1
    assert "EDGESEG_PASSPHRASE" in ran.err
    monkeypatch.setenv("EDGESEG_PASSPHRASE", "wrong")
    assert "another passphrase" in cli(*publish).err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["sync", "https://x.invalid", "--store", "S"], 1, "trusts no publisher yet"),
        (["sync", "ftp://x.invalid", "--store", "S"], 1, "http://, https:// or a folder"),
        (["sync", "www", "--every", "soon"], 2, "as in 15m"),
        (["sync", "www", "--shard", "\udcff"], 2, "no name of a shard"),
        (["sync", "www", "--shard", "x" * 201], 2, "no name of a shard"),
        (["sync", "status", "--store", "S"], 1, "no catalogue yet"),
        (["match", "P", "--store", "S"], 1, "no catalogue yet"),
        (["match", "P"], 2, "--catalogue or --store"),
        (["match", "P", "--store", "S", "--bundle", "nano"], 2, "leave --bundle out"),
        (["roll-back", "--store", "S"], 1, "no generation to roll back to"),
        (["fleet", "S"], 1, "no such file or folder"),
        (["keys", "init", "K", "--root-keys", "1"], 2, "at most all"),
        (["publish", "--to", "W", "--keys", "K"], 1, "no folder of keys"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    cli: RunCli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = cli(*arguments)
    assert ran.code == code, ran.err
    assert words in ran.err
    assert len(ran.lines) == 1


def test_what_cannot_be_published_is_told_in_one_line(
    cli: RunCli, served: Path, catalogue: Path, photo: Path, tmp_path: Path
) -> None:
    publish = ("publish", "--to", served, "--keys", tmp_path / "keys")
    ran = cli(*publish, photo)
    assert (ran.code, len(ran.lines)) == (1, 1)
    assert "neither a catalogue nor a bundle" in ran.err
    from edgeseg.presets import preset_path

    ran = cli(*publish, catalogue, preset_path())
    assert (ran.code, len(ran.lines)) == (1, 1)
    assert "another embedder" in ran.err
    ran = cli(*publish, catalogue)
    assert "is as before, and signed anew" in ran.out.decode()


def test_it_syncs_again_and_again_until_it_is_stopped(
    served: Path, repository: Path, tmp_path: Path
) -> None:
    command = (
        "import sys; from edgeseg.cli import main; sys.exit(main())",
        *("sync", str(served), "--store", str(tmp_path / "s"), "--every", "0.3s", "--json"),
        *("--root", str(tmp_path / "keys" / "root.json")),
    )
    running = subprocess.Popen(
        [sys.executable, "-c", *command], cwd=repository, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    results = [json.loads(running.stdout.readline())["result"] for _ in range(3)]
    assert results == ["activated", "current", "current"]
    time.sleep(0.1)
    os.kill(running.pid, signal.SIGTERM)
    assert running.wait(100) == 130
