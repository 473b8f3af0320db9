from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from edgeseg.imaging import encode_png, read_mask
from edgeseg.labelling.label_set import LabelSet
from tests.edgeseg.cli.conftest import RunCli


@pytest.fixture
def labels(cli: RunCli, photos: Path, tmp_path: Path, bundle_path: Path) -> Path:
    """A label set of two good photos and a broken one."""
    folder = tmp_path / "labels"
    done = cli("label", "auto", photos, "-o", folder, "--bundle", bundle_path)
    assert done.code == 1, "the broken photo is a failure"
    assert done.lines == ["edgeseg: a/broken.jpg: the JPEG is cut short (no end marker)"]
    assert done.out.decode().splitlines() == [f"{folder}: 2 photos labelled"]
    return folder


def accept(folder: Path, path: str, who: str) -> None:
    opened = LabelSet(folder)
    record = next(each for each in opened.records() if each.path == path)
    mask = opened.mask_path(record)
    assert mask is not None
    opened.accept(record.id, who, mask.read_bytes())


def test_auto_finds_the_garment_and_goes_on(
    cli: RunCli, labels: Path, photos: Path, bundle_path: Path
) -> None:
    opened = LabelSet(labels)
    for record in opened.records("todo"):
        mask = opened.mask_path(record)
        assert mask is not None
        assert 0.1 < read_mask(mask).mean() < 0.9
    done = cli("label", "auto", photos, "-o", labels, "--bundle", bundle_path, "--json")
    assert done.code == 1
    document = json.loads(done.out)
    assert (document["labelled"], document["known"], document["unreadable"]) == (0, 2, 1)
    assert document["problems"][0]["photo"] == "a/broken.jpg"


@pytest.mark.parametrize("method", ["grabcut", "otsu"])
def test_auto_by_colour_needs_no_bundle(
    cli: RunCli, photo: Path, tmp_path: Path, method: str
) -> None:
    folder = tmp_path / "only"
    folder.mkdir()
    photo.rename(folder / photo.name)
    done = cli("label", "auto", folder, "-o", tmp_path / "labels", "--method", method, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["labelled"] == 1
    refused = cli(
        "label", "auto", folder, "-o", tmp_path / "l", "--method", method, "--bundle", "nano"
    )
    assert refused.code == 2
    assert "--bundle has no use" in refused.err


def test_status_counts_and_names_what_is_bad(cli: RunCli, labels: Path) -> None:
    accept(labels, "one.jpg", "ann")
    table = cli("label", "status", labels).out.decode()
    assert "a/broken.jpg: the JPEG is cut short" in table
    assert table.splitlines()[3].split() == ["all", "1", "1", "0", "0", "1", "50%"]
    document = json.loads(cli("label", "status", labels, "--json").out)
    assert (document["todo"], document["accepted"], document["coverage"]) == (1, 1, 0.5)
    assert [group["group"] for group in document["groups"]] == [
        "a/broken.jpg",
        "a/deep/two.jpeg",
        "one.jpg",
    ]
    assert [each["photo"] for each in document["problems"]] == ["a/broken.jpg"]


def test_status_tells_groups(cli: RunCli, photos: Path, tmp_path: Path) -> None:
    table = photos / "items.csv"
    table.write_text("image,group\none.jpg,blue\na/deep/two.jpeg,blue\n")
    cli("label", "auto", table, "-o", tmp_path / "labels", "--method", "otsu")
    lines = cli("label", "status", tmp_path / "labels").out.decode().splitlines()
    assert lines[3].split() == ["blue", "2", "0", "0", "0", "0", "0%"]


def test_export_writes_a_training_folder(cli: RunCli, labels: Path, tmp_path: Path) -> None:
    refused = cli("label", "export", labels, "-o", tmp_path / "out")
    assert refused.code == 1
    assert "has no accepted label yet" in refused.err
    for path in ("one.jpg", "a/deep/two.jpeg"):
        accept(labels, path, "ann")
    done = cli("label", "export", labels, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert done.out.decode() == f"{tmp_path / 'out'}: 1 photos to train, 1 to validate\n"
    with (tmp_path / "out" / "split.csv").open(newline="") as file:
        assert [row["who"] for row in csv.DictReader(file)] == ["ann", "ann"]
    LabelSet(labels).photo_path(LabelSet(labels).records("accepted")[0]).write_bytes(
        encode_png(read_mask(next((labels / "masks").glob("*.png"))))
    )
    partly = cli("label", "export", labels, "-o", tmp_path / "out", "--json")
    assert partly.code == 1
    document = json.loads(partly.out)
    assert document["train"] + document["val"] == 1
    assert "is another photo" in document["problems"][0]


@pytest.mark.parametrize("command", [("status",), ("export", "-o", "out")])
def test_no_label_set_is_one_line(cli: RunCli, tmp_path: Path, command: tuple[str, ...]) -> None:
    done = cli("label", command[0], tmp_path, *command[1:])
    assert done.code == 1
    assert len(done.lines) == 1
    assert "is no label set" in done.err
