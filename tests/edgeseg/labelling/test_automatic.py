from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from edgeseg.errors import DatasetError
from edgeseg.evaluation.metrics import iou
from edgeseg.imaging import encode_jpeg, encode_png, read_mask, read_photo
from edgeseg.labelling.automatic import ListedPhoto, label_photos, list_photos
from edgeseg.labelling.desk import Desk
from edgeseg.labelling.filling import create_label_set
from edgeseg.labelling.label_set import LabelSet
from edgeseg.labelling.otsu import otsu_mask, otsu_threshold
from edgeseg.labelling.records import Method
from edgeseg.labelling.strokes import Stroke
from tests.edgeseg.labelling.drawn import body_confidence, garment


def turned(jpeg: bytes, orientation: int) -> bytes:
    """A JPEG that says in EXIF how its pixels are to be turned."""
    tiff = b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x0112, 3, 1, orientation) + b"\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def bomb() -> bytes:
    """A PNG of few bytes that says it has ten thousand million pixels."""
    png = bytearray(encode_png(np.zeros((4, 4), np.uint8)))
    png[16:24] = struct.pack(">II", 100_000, 100_000)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    return bytes(png)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two good photos, one of them lying on its side, and three that cannot be read."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    photo, _ = garment()
    whole = encode_jpeg(photo, 95)
    (folder / "deep" / "a.jpg").write_bytes(whole)
    lying = encode_jpeg(np.ascontiguousarray(np.rot90(photo)), 95)
    (folder / "lying.JPG").write_bytes(turned(lying, 6))
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "bomb.png").write_bytes(bomb())
    (folder / "text.png").write_text("no picture")
    (folder / "notes.txt").write_text("not meant")
    (folder / ".hidden.jpg").write_bytes(whole)
    return folder


def labelled(photos: Path, tmp_path: Path, method: Method = "grabcut") -> LabelSet:
    create_label_set(tmp_path / "labels", photos)
    labels = LabelSet(tmp_path / "labels")
    root, listed = list_photos(photos, labels.folder)
    assert root == photos
    list(label_photos(labels, listed, method, lambda _: body_confidence()))
    return labels


@pytest.mark.parametrize(("method", "least"), [("grabcut", 0.6), ("otsu", 0.9), ("segmenter", 0.7)])
def test_good_photos_get_masks_and_bad_ones_a_reason(
    photos: Path, tmp_path: Path, method: Method, least: float
) -> None:
    labels = labelled(photos, tmp_path, method)
    _, truth = garment()
    by_path = {record.path: record for record in labels.records()}
    assert sorted(by_path) == ["bomb.png", "cut.jpg", "deep/a.jpg", "lying.JPG", "text.png"]
    for name in ("deep/a.jpg", "lying.JPG"):
        record = by_path[name]
        assert (record.state, record.width_px, record.height_px) == ("todo", 120, 160)
        path = labels.mask_path(record)
        assert path is not None
        assert iou(read_mask(path), truth) > least, name
    assert "cut short" in by_path["cut.jpg"].note
    assert "pixels are more than" in by_path["bomb.png"].note
    for name in ("bomb.png", "cut.jpg", "text.png"):
        assert by_path[name].state == "unreadable"
        assert name in by_path[name].note


def test_a_second_run_does_only_what_is_missing(photos: Path, tmp_path: Path) -> None:
    labels = labelled(photos, tmp_path)
    ids = {record.path: record.id for record in labels.records()}
    labels.accept(ids["deep/a.jpg"], "ann", encode_png(np.zeros((160, 120), np.uint8)))
    (photos / "cut.jpg").write_bytes((photos / "deep" / "a.jpg").read_bytes())
    (photos / "new.png").write_bytes(encode_png(garment()[0]))
    _, listed = list_photos(photos, labels.folder)
    outcomes = {each.path: each.outcome for each in label_photos(labels, listed, "otsu")}
    assert labels.record(ids["deep/a.jpg"]).state == "accepted"
    assert outcomes == {
        "bomb.png": "unreadable",
        "cut.jpg": "labelled",
        "deep/a.jpg": "known",
        "lying.JPG": "known",
        "new.png": "labelled",
        "text.png": "unreadable",
    }


def test_a_run_that_is_cut_off_keeps_what_it_did(photos: Path, tmp_path: Path) -> None:
    create_label_set(tmp_path / "labels", photos)
    labels = LabelSet(tmp_path / "labels")
    _, listed = list_photos(photos, labels.folder)
    steps = iter(label_photos(labels, listed, "otsu"))
    for _ in range(3):
        next(steps)
    assert len(labels.records()) == 3


def test_the_sets_own_pictures_are_not_labelled(photos: Path, tmp_path: Path) -> None:
    create_label_set(photos / "labels", photos)
    labels = LabelSet(photos / "labels")
    for _ in range(2):
        _, listed = list_photos(photos, labels.folder)
        list(label_photos(labels, listed, "otsu"))
    assert len(labels.records()) == 5


def test_a_csv_names_photos_and_groups(photos: Path, tmp_path: Path) -> None:
    table = photos / "items.csv"
    table.write_text("image,sender\ndeep/a.jpg,7\nlying.JPG,\n")
    root, listed = list_photos(table, tmp_path / "labels")
    assert root == photos
    assert listed == [ListedPhoto("deep/a.jpg", "7"), ListedPhoto("lying.JPG", "lying.JPG")]


def test_a_csv_cannot_lead_out_of_its_folder(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(encode_png(garment()[0]))
    table = photos / "items.csv"
    table.write_text("image\n../secret.png\n")
    root, listed = list_photos(table, tmp_path / "labels")
    create_label_set(tmp_path / "labels", root)
    with pytest.raises(DatasetError, match="does not stay below"):
        list(label_photos(LabelSet(tmp_path / "labels"), listed, "otsu"))


def test_a_folder_without_photos_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no photos"):
        list_photos(tmp_path / "empty", tmp_path)


def test_otsus_threshold_splits_two_heaps() -> None:
    histogram = np.zeros(256, np.int64)
    histogram[[10, 12, 200]] = 50, 50, 30
    assert otsu_threshold(histogram) == 12
    assert otsu_threshold(np.eye(256, dtype=np.int64)[7]) is None


def test_otsu_fills_holes_and_drops_dust() -> None:
    photo = np.full((100, 100, 3), 250, np.uint8)
    photo[20:80, 20:80] = (30, 60, 90)
    photo[40:50, 40:50] = 250
    photo[5:7, 90:92] = 0
    truth = np.zeros((100, 100), np.bool_)
    truth[20:80, 20:80] = True
    np.testing.assert_array_equal(otsu_mask(photo), truth)
    assert not otsu_mask(np.full((20, 30, 3), 99, np.uint8)).any()


def test_a_desk_starts_from_the_automatic_mask_and_follows_the_set(
    photos: Path, tmp_path: Path
) -> None:
    labels = labelled(photos, tmp_path, "segmenter")
    photo_id = next(record.id for record in labels.records() if record.path == "lying.JPG")
    desk = Desk(labels)
    automatic = read_mask(labels.mask_path(labels.record(photo_id)) or b"")
    np.testing.assert_array_equal(desk.corrector(photo_id).full_mask() != 0, automatic)

    stroke = Stroke("brush", True, ((92.04, 65.0),))
    record, corrector = desk.stroke(photo_id, "ann", stroke)
    corrected = corrector.full_mask()
    assert record.can_undo
    assert iou(corrected != 0, garment()[1]) > 0.97
    # Another process undoes it, and this desk sees that; a new desk finds the same masks.
    labels.undo(photo_id, "ann")
    np.testing.assert_array_equal(desk.corrector(photo_id).full_mask() != 0, automatic)
    record, _ = Desk(LabelSet(labels.folder)).redo(photo_id, "ann")
    assert not record.can_redo
    fresh = Desk(LabelSet(labels.folder))
    np.testing.assert_array_equal(fresh.corrector(photo_id).full_mask(), corrected)
    accepted = fresh.accept(photo_id, "ann")
    assert accepted.how == "segmenter + 1 click"
    np.testing.assert_array_equal(read_mask(labels.mask_path(accepted) or b""), corrected != 0)


def test_a_desk_refuses_a_photo_that_is_another_now(photos: Path, tmp_path: Path) -> None:
    labels = labelled(photos, tmp_path)
    photo_id = next(record.id for record in labels.records() if record.path == "deep/a.jpg")
    other = np.ascontiguousarray(read_photo(photos / "deep" / "a.jpg")[::-1])
    (photos / "deep" / "a.jpg").write_bytes(encode_jpeg(other))
    with pytest.raises(DatasetError, match="is another photo than the one in the label set"):
        Desk(labels).corrector(photo_id)
    bad = next(record.id for record in labels.records() if record.path == "cut.jpg")
    with pytest.raises(DatasetError, match="cannot be labelled"):
        Desk(labels).corrector(bad)


def test_a_desk_keeps_few_photos_in_memory(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.png").write_bytes(encode_png(garment(seed=number)[0]))
    desk = Desk(labelled(folder, tmp_path, "otsu"))
    for photo_id in (1, 2, 3, 4, 5, 1):
        desk.corrector(photo_id)
    assert len(desk._correctors) == 3
