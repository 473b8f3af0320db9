"""Figures of several classes against the same counted one by one, and what cannot be used."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgeseg.cli import main
from edgeseg.errors import DatasetError, PhotoError
from edgeseg.evaluation.classes import (
    VOID,
    class_sheet,
    confusion_matrix,
    evaluate_classes,
    pairs_of_classes,
    palette,
)
from edgeseg.formats.bundle import Bundle, write_bundle
from edgeseg.imaging import encode_jpeg, encode_png, read_photo
from tests.edgeseg.handmade import CLASSES, MakeBundle, colour_categories

COLOURS = np.array([(230, 0, 0), (0, 230, 0), (0, 0, 230)], np.uint8)


def stripes(index: int, size: tuple[int, int] = (24, 36)) -> np.ndarray:
    """Class ids in vertical stripes, shifted with the index; the last row is void."""
    ids = np.zeros(size, np.uint8)
    ids[:] = (np.arange(size[1]) + 4 * index) // 12 % 3
    ids[-1] = 3 if index % 2 else VOID
    return ids


def write_labelled(folder: Path, name: str, ids: np.ndarray, split: str = "test") -> None:
    for kind in (split, f"{split}annot"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    photo = COLOURS[np.minimum(ids, 2)]
    (folder / split / f"{name}.png").write_bytes(encode_png(photo))
    (folder / f"{split}annot" / f"{name}.png").write_bytes(encode_png(ids))


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """Four photos of one size and a larger one, coloured by class."""
    for index in range(4):
        write_labelled(tmp_path, f"p{index}", stripes(index))
    write_labelled(tmp_path, "p9", stripes(9, (30, 40)))
    return tmp_path


def by_colour(photos: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [np.argmax(photo, axis=2).astype(np.uint8) for photo in photos]


def all_red(photos: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [np.zeros(photo.shape[:2], np.uint8) for photo in photos]


def test_the_confusion_matrix_counts_what_is_not_void() -> None:
    rng = np.random.default_rng(0)
    true, pred = rng.integers(0, 5, (2, 20, 30), dtype=np.uint8)
    true[:3] = VOID
    expected = np.zeros((5, 5), int)
    for one, other in zip(true.ravel(), pred.ravel(), strict=True):
        if one != VOID:
            expected[one, other] += 1
    np.testing.assert_array_equal(confusion_matrix(pred, true, 5), expected)
    with pytest.raises(ValueError, match="two shapes"):
        confusion_matrix(pred[:5], true, 5)
    with pytest.raises(ValueError, match="class id of 4 among 4"):
        confusion_matrix(pred, true, 4)


def test_perfect_and_constant_predictions(drawn: Path) -> None:
    pairs = pairs_of_classes(drawn, "test").pairs
    told: list[tuple[int, int]] = []
    scores = evaluate_classes(
        pairs,
        by_colour,
        CLASSES,
        batch=3,
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert scores.to_dict() == {
        "images": 5, "mean_iou": 1.0, "accuracy": 1.0,
        "class_iou": {"red": 1.0, "green": 1.0, "blue": 1.0},
    }  # fmt: skip
    # Batches of three, but photos of two sizes never together.
    assert told == [(3, 5), (4, 5), (5, 5)]
    scores = evaluate_classes(pairs, all_red, CLASSES)
    red = np.concatenate([(stripes(i)[:-1] == 0).ravel() for i in range(4)])
    red = np.concatenate([red, (stripes(9, (30, 40))[:-1] == 0).ravel()]).mean()
    assert scores.accuracy == pytest.approx(red)
    np.testing.assert_allclose(scores.class_iou, [red, 0, 0])
    assert scores.mean_iou == pytest.approx(red / 3)


def test_a_class_that_never_occurs_is_in_no_mean(tmp_path: Path) -> None:
    ids = stripes(0)
    ids[ids == 2] = VOID
    write_labelled(tmp_path, "p", ids)
    pairs = pairs_of_classes(tmp_path, "test").pairs
    scores = evaluate_classes(pairs, by_colour, CLASSES)
    assert scores.mean_iou == 1.0
    assert scores.to_dict()["class_iou"] == {"red": 1.0, "green": 1.0, "blue": None}


def test_means_are_over_all_pixels_and_not_over_photos(tmp_path: Path) -> None:
    large = np.zeros((40, 40), np.uint8)
    write_labelled(tmp_path, "large", large)
    write_labelled(tmp_path, "small", large[:10, :10] + 1)
    scores = evaluate_classes(pairs_of_classes(tmp_path, "test").pairs, all_red, ("a", "b"))
    assert scores.accuracy == pytest.approx(1600 / 1700)
    np.testing.assert_allclose(scores.class_iou, [1600 / 1700, 0])


def test_unusable_folders(drawn: Path) -> None:
    with pytest.raises(DatasetError, match=r"needs val/ and valannot/"):
        pairs_of_classes(drawn, "val")
    with pytest.raises(DatasetError, match="no labelled photos"):
        evaluate_classes([], by_colour, CLASSES)
    ids = stripes(0)
    cases: list[tuple[bytes, type[Exception], str]] = [
        (
            encode_png(ids + 3),
            DatasetError,
            "class id 5: with 3 classes ids are 0 to 2, and 3 or 255",
        ),
        (encode_png(ids[:-1]), DatasetError, "as large as its photo"),
        (encode_png(np.dstack([ids] * 3)), PhotoError, "grey picture of 8 bits"),
        (b"no picture", PhotoError, "p0"),
    ]
    for data, kind, words in cases:
        (drawn / "testannot" / "p0.png").write_bytes(data)
        with pytest.raises(kind, match=words) as caught:
            evaluate_classes(pairs_of_classes(drawn, "test").pairs, by_colour, CLASSES)
        assert "\n" not in str(caught.value)


def test_the_sheet_shows_the_worst_first(drawn: Path) -> None:
    scores = evaluate_classes(pairs_of_classes(drawn, "test").pairs, all_red, CLASSES)
    sheet = class_sheet(scores, all_red, count=2)
    assert sheet.shape == (2 * 318, 3 * 300, 3)
    colours = palette(3)
    shown = {tuple(colour) for colour in sheet.reshape(-1, 3)}
    assert {tuple(colour) for colour in colours[:3]} <= shown
    assert (0, 0, 0) in shown, "void"


def test_colours_differ() -> None:
    colours = palette(254)
    assert len({tuple(colour) for colour in colours[:254]}) == 254
    assert not colours[254:].any()


@pytest.fixture
def classes_bundle(make_bundle: MakeBundle, tmp_path: Path) -> Path:
    """A bundle that tells colours apart, as a file."""
    made: Bundle = make_bundle(
        colour_categories(),
        with_embedder=False,
        segmenter_changes={"outputs": "category_scores", "classes": CLASSES},
    )
    path = tmp_path / "colours.bundle"
    write_bundle(path, made.manifest, {"segmenter.tflite": made.segmenter_model})
    return path


def test_eval_classes_of_a_bundle(
    drawn: Path, classes_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["eval", "classes", "--data", str(drawn), "--split", "test"]
    command += ["--bundle", str(classes_bundle)]
    (drawn / "test" / "lone.png").write_bytes((drawn / "test" / "p0.png").read_bytes())
    sheet = drawn / "sheet.png"
    assert main([*command, "--json", "--sheet", str(sheet)]) == 0
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert document["images"] == 5
    # Stripes of 12 of 36 pixels through a network of 32: a border may move by one.
    assert 0.9 < document["mean_iou"] <= 1.0
    assert set(document["class_iou"]) == set(CLASSES)
    assert told.err.strip().endswith("lone.png has no partner and is left out")
    assert read_photo(sheet).std() > 5
    assert main(command) == 0
    out = capsys.readouterr().out
    assert f"{document['mean_iou']:.4f}" in out
    assert "green" in out


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--statistics", "batch"], 2, "for --checkpoint"),
        (["--batch", "3"], 2, "for --checkpoint"),
        (["--checkpoint", "a", "--bundle", "b"], 2, "one of them"),
        (["--sheet", "x.jpg"], 2, "end it in .png"),
        ([], 1, "tells no classes apart"),
    ],
)
def test_eval_classes_misused(
    drawn: Path,
    bundle_path: Path,
    options: list[str],
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chosen = options or ["--bundle", str(bundle_path)]
    assert main(["eval", "classes", "--data", str(drawn), "--split", "test", *chosen]) == code
    told = capsys.readouterr()
    assert words in told.err
    assert len(told.err.strip().splitlines()) == 1


def test_other_commands_refuse_a_bundle_of_classes(
    labelled: Path, classes_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = labelled / "images" / "p0.png"
    commands = [
        ["segment", str(photo), "-o", str(labelled / "out.png")],
        ["eval", "segmentation", "--split", str(labelled / "split.csv")],
    ]
    for command in commands:
        assert main([*command, "--bundle", str(classes_bundle)]) == 1
        told = capsys.readouterr()
        assert "a garment is wanted here" in told.err
        assert len(told.err.strip().splitlines()) == 1


def test_a_jpeg_of_colours_is_no_category_mask(drawn: Path) -> None:
    (drawn / "testannot" / "p0.png").write_bytes(encode_jpeg(COLOURS[stripes(0) % 3]))
    with pytest.raises(PhotoError, match="grey picture"):
        evaluate_classes(pairs_of_classes(drawn, "test").pairs, by_colour, CLASSES)
