"""`label next` and `label review`, over folders and label sets."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeseg.embedder import Embedder
from edgeseg.formats.bundle import Bundle
from edgeseg.imaging import encode_png
from edgeseg.labelling.label_set import LabelSet
from tests.edgeseg.cli.conftest import RunCli
from tests.edgeseg.sync.test_confirmations import confirmation

PHOTOS = 5


@pytest.fixture
def training(tmp_path: Path) -> Path:
    """A training folder of red squares; the label of the fourth is beside the garment."""
    folder = tmp_path / "training"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for place in range(PHOTOS):
        photo = np.full((60, 80, 3), (90, 120, 90), np.uint8)
        mask = np.zeros((60, 80), np.uint8)
        left = 15 + 5 * place
        photo[10:50, left : left + 30] = (230 - 12 * place, 10, 10)
        mask[10:50, left - (12 if place == 3 else 0) :][:, :30] = 255
        (folder / "images" / f"{place}.png").write_bytes(encode_png(photo))
        (folder / "masks" / f"{place}.png").write_bytes(encode_png(mask))
    return folder


def test_next_of_a_folder(cli: RunCli, training: Path, bundle_path: Path, tmp_path: Path) -> None:
    (training / "images" / "broken.png").write_bytes(b"")
    command = ("label", "next", training / "images", "--bundle", bundle_path, "-n", "3")
    ran = cli(*command, "--json")
    assert ran.code == 0, ran.err
    assert "broken.png" in ran.err
    told = json.loads(ran.out)
    assert told["waiting"] == PHOTOS
    assert [photo["place"] for photo in told["photos"]] == [1, 2, 3]
    assert all(
        photo["signals"].keys() == {"loss", "flip", "preset", "grabcut"} for photo in told["photos"]
    )
    (training / "images" / "broken.png").unlink()
    ran = cli(*command, "--no-colour")
    assert ran.code == 0, ran.err
    assert ran.out.count(b".png") >= 3

    # What has a label already is not asked for again.
    ran = cli(*command, "--labelled", training, "--json")
    assert ran.code == 1
    assert "no photo waits" in ran.err


def test_next_by_what_workers_confirmed(
    cli: RunCli, training: Path, bundle_path: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    photos = training / "images"
    command = ("label", "next", photos, "--bundle", bundle_path, "--no-colour", "--json")
    plain = json.loads(cli(*command).out)
    last = Path(plain["photos"][-1]["photo"])
    embedder = Embedder(tiny_bundle)
    made = replace(
        confirmation(1, sku=None),
        embedder_digest=embedder.digest,
        embedding=np.eye(1, embedder.dim, dtype=np.float32)[0],
        cutout="corrected",
        photo_sha256=hashlib.sha256(last.read_bytes()).hexdigest(),
    )
    fleet = tmp_path / "fleet"
    fleet.mkdir()
    (fleet / "s-confirmations-0123456789ab-0-0.jsonl").write_bytes(made.to_line() + b"{torn")
    other = tmp_path / "other.jsonl"
    other.write_bytes(confirmation(2).to_line())
    given = ("--confirmations", fleet, "--confirmations", other)
    ran = cli(*command, *given)
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    first = told["photos"][0]
    assert first["photo"] == str(last)
    assert (first["signals"]["corrected"], first["signals"]["mistaken"]) == (1.0, 1.0)
    assert "workers put 100% of the cutouts right by hand" in first["reason"]
    assert told["confirmations"] == {
        "used": 1, "other_embedder": 1, "damaged_lines": 1, "unread_files": [],
        "files_left_out": 0,
    }  # fmt: skip
    ran = cli(*command[:-1], *given)
    assert b"workers put 100%" in ran.out
    assert "1 confirmations of another embedder are left out" in ran.lines
    assert "1 damaged lines of confirmations are passed over" in ran.lines

    # Where none counts, the order is what it was.
    told = json.loads(cli(*command, "--confirmations", other).out)
    assert told["photos"] == plain["photos"]
    assert told["confirmations"]["other_embedder"] == 1
    ran = cli(*command, "--confirmations", tmp_path / "nowhere")
    assert (ran.code, len(ran.lines)) == (1, 1)


def test_a_label_set_hands_out_photos_in_that_order(
    cli: RunCli, training: Path, bundle_path: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels"
    ran = cli("label", "auto", training / "images", "-o", labels, "--bundle", bundle_path)
    assert ran.code == 0, ran.err
    command = ("label", "next", labels, "--bundle", bundle_path, "--no-colour", "--json")
    order = [Path(photo["photo"]).name for photo in json.loads(cli(*command).out)["photos"]]
    assert {record.priority for record in LabelSet(labels).records()} == {0.0}
    ran = cli(*command, "--queue", "-n", "1")
    assert len(json.loads(ran.out)["photos"]) == 1
    handed = []
    for _ in range(PHOTOS):
        record = LabelSet(labels).claim_next("ada")
        assert record is not None
        handed.append(record.path)
        LabelSet(labels).skip(record.id, "ada")
    assert handed == order

    ran = cli("label", "review", labels, "--bundle", bundle_path)
    assert ran.code == 1
    assert "no label has been accepted" in ran.err
    ran = cli("label", "next", training / "images", "--queue", "--bundle", bundle_path)
    assert ran.code == 2
    assert "--queue needs a label set" in ran.err


def test_review(cli: RunCli, training: Path, bundle_path: Path, tmp_path: Path) -> None:
    page = tmp_path / "second-look.html"
    command = ("label", "review", training, "--bundle", bundle_path)
    ran = cli(*command, "--json", "-n", "2", "--html", page)
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["labels"] == PHOTOS
    assert Path(told["photos"][0]["photo"]).name == "3.png"
    assert len(told["photos"]) == 2
    assert page.read_text().count("<img") == 6
    ran = cli(*command)
    assert ran.code == 0, ran.err
    assert b"1 of 5 labels are contradicted" in ran.out


def test_review_of_accepted_labels(
    cli: RunCli, training: Path, bundle_path: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels"
    cli("label", "auto", training / "images", "-o", labels, "--bundle", bundle_path)
    opened = LabelSet(labels)
    for record in opened.records():
        mask = (training / "masks" / record.path).read_bytes()
        opened.accept(record.id, "ada", mask)
    ran = cli("label", "review", labels, "--bundle", bundle_path, "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert Path(told["photos"][0]["photo"]).name == "3.png"
    assert told["suspected"] == 1
    ran = cli("label", "next", labels, "--bundle", bundle_path)
    assert ran.code == 1
    assert "no photo waits" in ran.err


@pytest.mark.parametrize("command", ["next", "review"])
def test_unusable_places(cli: RunCli, command: str, tmp_path: Path) -> None:
    ran = cli("label", command, tmp_path / "nowhere")
    assert ran.code == 1
    assert len(ran.lines) == 1
    (tmp_path / "empty").mkdir()
    assert cli("label", command, tmp_path / "empty").code == 1
