from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgeseg import imaging
from edgeseg.cli import main
from edgeseg.errors import DatasetError, PhotoError
from edgeseg.evaluation.labelled import pair_by_stem, pairs_of_split, restrict
from edgeseg.evaluation.segmentation import evaluate_segmentation, worst_sheet


def is_red(photo: np.ndarray) -> np.ndarray:
    return photo[..., 0] > 150


def nothing(photo: np.ndarray) -> np.ndarray:
    return np.zeros(photo.shape[:2], np.bool_)


def test_perfect_and_empty_predictions(labelled: Path) -> None:
    pairs = pair_by_stem(labelled / "images", labelled / "masks").pairs
    told: list[tuple[int, int]] = []
    scores = evaluate_segmentation(pairs, is_red, lambda done, total: told.append((done, total)))
    assert scores.to_dict() == {
        "images": 4, "iou_mean": 1.0, "iou_p10": 1.0, "pixel_accuracy": 1.0, "boundary_f": 1.0,
    }  # fmt: skip
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    scores = evaluate_segmentation(pairs, nothing)
    assert scores.iou_mean == scores.boundary_f == 0.0
    assert scores.pixel_accuracy == pytest.approx(1 - 32 * 36 / (96 * 64))


def test_the_worst_tenth_is_a_percentile(labelled: Path) -> None:
    pairs = pair_by_stem(labelled / "images", labelled / "masks").pairs
    # IoU 0 on the first photo and 1 on three: the 10th percentile lies 0.3 of the way up.
    calls = iter([nothing, is_red, is_red, is_red])
    scores = evaluate_segmentation(pairs, lambda photo: next(calls)(photo))
    assert [score.iou for score in scores.per_image] == [0.0, 1.0, 1.0, 1.0]
    assert scores.iou_mean == 0.75
    assert scores.iou_p10 == pytest.approx(0.3)


def test_pairs_by_stem_below_subfolders_and_tells_the_rest(labelled: Path) -> None:
    (labelled / "images/more").mkdir()
    (labelled / "masks/more").mkdir()
    (labelled / "images/p0.png").rename(labelled / "images/more/p0.png")
    (labelled / "masks/p0.png").rename(labelled / "masks/more/p0.png")
    (labelled / "masks/p3.png").unlink()
    (labelled / "images/notes.txt").write_text("no picture")
    (labelled / "images/.thumb.png").write_text("hidden")
    (labelled / "masks/extra.png").write_bytes(b"")
    pairing = pair_by_stem(labelled / "images", labelled / "masks")
    assert [pair.name for pair in pairing.pairs] == ["more/p0", "p1", "p2"]
    assert [path.name for path in pairing.unmatched] == ["p3.png", "extra.png"]


def test_split_chooses_pairs(labelled: Path) -> None:
    table = labelled / "split.csv"
    assert [pair.name for pair in pairs_of_split(table, "val").pairs] == ["p2", "p3"]
    both = restrict(pair_by_stem(labelled / "images", labelled / "masks"), table, "train")
    assert [pair.name for pair in both.pairs] == ["p0", "p1"]
    with pytest.raises(DatasetError, match="there are: train, val"):
        pairs_of_split(table, "test")


def test_unusable_folders(labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not a folder"):
        pair_by_stem(labelled / "images", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="same file stem"):
        pair_by_stem(labelled / "images", tmp_path / "empty")
    (labelled / "images/p0.jpg").write_bytes(b"")
    with pytest.raises(DatasetError, match="one stem"):
        pair_by_stem(labelled / "images", labelled / "masks")
    (labelled / "masks/p3.png").unlink()
    with pytest.raises(DatasetError, match=r"p3\.png is missing"):
        pairs_of_split(labelled / "split.csv", "val")
    with pytest.raises(DatasetError, match="no labelled photos"):
        evaluate_segmentation([], is_red)


def test_a_mask_of_another_size_and_a_broken_photo_stop_the_evaluation(labelled: Path) -> None:
    pairs = pair_by_stem(labelled / "images", labelled / "masks").pairs
    good = (labelled / "masks/p1.png").read_bytes()
    (labelled / "masks/p1.png").write_bytes(imaging.encode_png(np.zeros((10, 12), np.uint8)))
    with pytest.raises(DatasetError, match=r"p1.png is 12 x 10 pixels and its photo 96 x 64"):
        evaluate_segmentation(pairs, is_red)
    (labelled / "masks/p1.png").write_bytes(good[: len(good) // 2])
    with pytest.raises(PhotoError, match=r"p1\.png"):
        evaluate_segmentation(pairs, is_red)


def test_masks_are_thresholded_at_128(labelled: Path) -> None:
    grey = np.where(imaging.read_mask(labelled / "masks/p0.png"), np.uint8(128), np.uint8(127))
    (labelled / "masks/p0.png").write_bytes(imaging.encode_png(grey))
    pairs = pair_by_stem(labelled / "images", labelled / "masks").pairs
    assert evaluate_segmentation(pairs, is_red).iou_mean == 1.0


def test_the_sheet_shows_the_worst_first(labelled: Path) -> None:
    pairs = pair_by_stem(labelled / "images", labelled / "masks").pairs
    calls = iter([is_red, is_red, nothing, is_red])
    scores = evaluate_segmentation(pairs, lambda photo: next(calls)(photo))
    seen: list[np.ndarray] = []

    def predict(photo: np.ndarray) -> np.ndarray:
        seen.append(photo)
        return is_red(photo)

    sheet = worst_sheet(scores, predict, count=2)
    assert len(seen) == 2
    np.testing.assert_array_equal(seen[0], imaging.read_photo(labelled / "images/p2.png"))
    assert sheet.ndim == 3
    assert sheet.dtype == np.uint8


def test_command_with_model_grabcut_split_and_sheet(
    labelled: Path, bundle_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--images", str(labelled / "images"), "--masks", str(labelled / "masks")]
    model = ["eval", "segmentation", "--bundle", str(bundle_path), "--json"]
    assert main([*model, *folders]) == 0
    document = json.loads(capsys.readouterr().out)
    figures = ["images", "iou_mean", "iou_p10", "pixel_accuracy", "boundary_f"]
    assert list(document) == [*figures, "refine", "flip"]
    assert main([*model, *folders, "--refine", "guided", "--flip"]) == 0
    refined = json.loads(capsys.readouterr().out)
    assert (refined["refine"], refined["flip"]) == ("guided", True)
    # The drawings lie on the network's grid: there is nothing to win here, only corners to lose.
    assert 0.95 < refined["iou_mean"] != document["iou_mean"]
    assert document["images"] == 4
    assert document["iou_mean"] > 0.9
    assert main([*model, *folders, "--split", str(labelled / "split.csv")]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 2
    sheet = labelled / "sheet.png"
    arguments = ["eval", "segmentation", "--split", str(labelled / "split.csv")]
    assert main([*arguments, "--method", "grabcut", "--sheet", str(sheet)]) == 0
    assert "iou_p10" in capsys.readouterr().out
    assert imaging.read_photo(sheet).shape[1] == 4 * 240


def test_command_tells_files_without_a_partner(
    labelled: Path, bundle_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (labelled / "masks/p3.png").unlink()
    folders = ["--images", str(labelled / "images"), "--masks", str(labelled / "masks")]
    assert main(["eval", "segmentation", *folders, "--bundle", str(bundle_path), "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["images"] == 3
    assert "p3.png has no partner" in captured.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--images", "x"],
        ["--method", "grabcut"],
        ["--images", "x", "--masks", "y", "--method", "otsu"],
        ["--split", "x.csv", "--method", "grabcut", "--bundle", "b.bundle"],
        ["--split", "x.csv", "--sheet", "x.txt"],
    ],
)
def test_command_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "segmentation", *arguments]) == 2
    assert capsys.readouterr().err.startswith("edgeseg: ")


def test_command_failures_are_one_line(
    labelled: Path, bundle_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (labelled / "images/p2.png").write_bytes(b"")
    for arguments in (
        ["--split", str(labelled / "split.csv"), "--bundle", str(bundle_path)],
        ["--split", str(labelled / "none.csv"), "--bundle", str(bundle_path)],
        ["--split", str(labelled / "split.csv"), "--bundle", str(labelled / "split.csv")],
    ):
        assert main(["eval", "segmentation", *arguments]) == 1
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        assert captured.out == ""
