from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from edgeseg import files
from edgeseg.errors import DatasetError
from edgeseg.evaluation.splits import hash_share
from edgeseg.files import sha256_hex
from edgeseg.imaging import encode_png, read_mask, read_photo
from edgeseg.labelling.export import export_labels, splits_by_group
from edgeseg.labelling.filling import add_photo, create_label_set
from edgeseg.labelling.label_set import LabelSet
from edgeseg.labelling.records import NewPhoto
from edgeseg.labelling.strokes import Stroke
from edgeseg.training.dataset import load_dataset

GROUPS = ("one", "two", "three", "four", "five", "six")


@pytest.fixture
def labels(tmp_path: Path) -> LabelSet:
    """Twelve photos of six groups, of which all but the last two are accepted."""
    photos = tmp_path / "photos"
    photos.mkdir()
    create_label_set(tmp_path / "labels", photos)
    made = LabelSet(tmp_path / "labels", lambda: 1_700_000_000.0)
    for number in range(12):
        photo = np.full((30, 20, 3), 10 * number, np.uint8)
        mask = np.zeros((30, 20), np.uint8)
        mask[:number] = 255
        name = f"photo, {number}\n.png"
        (photos / name).write_bytes(encode_png(photo))
        digest = sha256_hex((photos / name).read_bytes())
        group = GROUPS[number % 6]
        png = encode_png(mask)
        photo_id = add_photo(made, NewPhoto(name, digest, 20, 30, group, "otsu", png, png))
        if number < 10:
            made.add_stroke(photo_id, "ann", Stroke("brush", True, ((1.0, 1.0),)))
            made.accept(photo_id, "ann", png)
    made.reject(11, "bob")
    return made


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "split.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_training_reads_what_was_accepted(labels: LabelSet, tmp_path: Path) -> None:
    done = export_labels(labels, tmp_path / "out")
    assert done.failures == ()
    assert done.train + done.val == 10
    dataset = load_dataset([tmp_path / "out"], 64)
    assert (len(dataset.train), len(dataset.val)) == (done.train, done.val)
    for sample in (*dataset.train, *dataset.val):
        assert sample.mask.sum() == 20 * (sample.image[0, 0, 0] // 10)


def test_no_group_crosses_and_who_and_how_stand_beside(labels: LabelSet, tmp_path: Path) -> None:
    export_labels(labels, tmp_path / "out")
    sides: dict[str, set[str]] = {}
    for row in rows(tmp_path / "out"):
        sides.setdefault(row["group"], set()).add(row["split"])
        assert (row["who"], row["how"]) == ("ann", "otsu + 1 click")
        assert row["decided_at"] == "2023-11-14T22:13:20+00:00"
        number = int(row["photo"].split()[1])
        assert row["group"] == GROUPS[number % 6]
        assert (read_photo(tmp_path / "out" / row["image"]) == 10 * number).all()
        assert read_mask(tmp_path / "out" / row["mask"]).sum() == 20 * number
    assert all(len(side) == 1 for side in sides.values())
    assert set.union(*sides.values()) == {"train", "val"}


def test_a_groups_side_stays_as_the_set_grows() -> None:
    names = {f"group {number}" for number in range(60)}
    few = splits_by_group(set(sorted(names)[:30]), 0.2)
    many = splits_by_group(names, 0.2)
    assert few == {name: many[name] for name in few}
    assert 4 <= list(many.values()).count("val") <= 20


def test_two_groups_fill_both_sides_and_one_cannot() -> None:
    for names in ({"a", "b"}, {"one", "two"}, {"x", "y"}):
        splits = splits_by_group(names, 0.001)
        assert sorted(splits.values()) == ["train", "val"]
        assert splits[min(names, key=hash_share)] == "val"
        assert sorted(splits_by_group(names, 0.999).values()) == ["train", "val"]
    assert set(splits_by_group({"a", "b"}, 0.0).values()) == {"train"}
    assert set(splits_by_group({"a", "b"}, 1.0).values()) == {"val"}
    assert len(splits_by_group({"a"}, 0.2)) == 1


def test_an_export_is_brought_up_to_date(labels: LabelSet, tmp_path: Path) -> None:
    export_labels(labels, tmp_path / "out")
    labels.accept(12, "bob", encode_png(np.full((30, 20), 255, np.uint8)))
    labels.reopen(1, "bob")
    done = export_labels(labels, tmp_path / "out")
    assert done.train + done.val == 10
    names = {row["photo"] for row in rows(tmp_path / "out")}
    assert "photo, 11\n.png" in names
    assert "photo, 0\n.png" not in names


def test_an_export_that_was_cut_off_goes_on(
    labels: LabelSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = 0
    whole = files.write_atomic

    def fails_later(*arguments: object) -> None:
        nonlocal writes
        writes += 1
        if writes > 7:
            raise KeyboardInterrupt
        whole(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("edgeseg.labelling.export.write_atomic", fails_later)
        with pytest.raises(KeyboardInterrupt):
            export_labels(labels, tmp_path / "out")
    assert not (tmp_path / "out" / "split.csv").exists()
    assert export_labels(labels, tmp_path / "out").failures == ()


def test_a_photo_that_changed_is_left_out_and_told(labels: LabelSet, tmp_path: Path) -> None:
    labels.photo_path(labels.record(3)).write_bytes(b"another")
    labels.photo_path(labels.record(4)).unlink()
    path = labels.mask_path(labels.record(5))
    assert path is not None
    path.unlink()
    wrong = labels.mask_path(labels.record(6))
    assert wrong is not None
    wrong.write_bytes(encode_png(np.zeros((20, 30), np.uint8)))
    done = export_labels(labels, tmp_path / "out")
    assert done.train + done.val == 6
    told = " ".join(done.failures)
    for reason in ("another photo than", "no such file", "is gone; label it again", "is 30 x 20"):
        assert reason in told


def test_nothing_accepted_or_a_foreign_folder_is_refused(labels: LabelSet, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "split.csv").write_text("image,mask\na,b\n")
    with pytest.raises(DatasetError, match="holds something else"):
        export_labels(labels, tmp_path / "mine")
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="is a file"):
        export_labels(labels, tmp_path / "file")
    create_label_set(tmp_path / "empty", tmp_path / "photos")
    with pytest.raises(DatasetError, match="has no accepted label yet"):
        export_labels(LabelSet(tmp_path / "empty"), tmp_path / "out")
