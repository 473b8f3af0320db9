"""What a teacher's word becomes, and where it is not taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from edgeseg.errors import DatasetError, ModelContractError
from edgeseg.imaging import encode_png
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.checkpoint import Checkpoint, get_weights
from edgeseg.training.dataset import Dataset, Sample
from edgeseg.training.networks.embedder import EMBEDDERS
from edgeseg.training.networks.tiramisu import TIRAMISUS
from edgeseg.training.teacher import Lesson, Teacher, certainty, taught, with_unlabelled

SIDE = 32


class Sure:
    """A teacher that sees the garment where the picture is red."""

    def __init__(self, strength: float = 1.0) -> None:
        self.strength = strength

    def confidences(self, images):  # type: ignore[no-untyped-def]
        for image in images:
            yield (image[..., 0] > 128).astype(np.float32) * np.float32(self.strength)


def picture(left: int) -> np.ndarray:
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    image[:, left:, 0] = 255
    return image


def dataset(mask: np.ndarray) -> Dataset:
    sample = Sample(picture(16), mask, 0, Path("a.png"))
    return Dataset((sample,), (sample,), ("a",))


def test_a_label_is_blended_with_the_teachers_confidence() -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:16] = 1
    lesson = Lesson(share=0.25, confidence_floor=0.9)
    (sample,) = taught(dataset(mask), Sure(), lesson).train  # type: ignore[arg-type]
    assert sample.target is not None
    # Both say garment, the label alone, the teacher alone, neither.
    assert sample.target[0, 31] == 255
    assert sample.target[0, 0] == round(0.75 * 255)
    assert sample.target[31, 31] == round(0.25 * 255)
    assert sample.target[31, 0] == 0
    assert (sample.mask == mask).all()


def test_certainty_is_the_soft_iou_of_a_mask_with_itself() -> None:
    confidence = np.zeros((4, 4), np.float32)
    assert certainty(confidence) == 0.0
    confidence[:2] = 1.0
    assert certainty(confidence) == 1.0
    confidence[:2] = 0.75
    assert certainty(confidence) == pytest.approx(0.75)
    # Half-seen pixels outside the mask count against it: 6 / (8 + 1.6).
    confidence[2] = 0.4
    assert certainty(confidence) == pytest.approx(6 / 9.6)


def test_unlabelled_photographs_of_which_the_teacher_is_sure_are_taken(tmp_path: Path) -> None:
    for number, left in enumerate((0, 8, SIDE)):
        (tmp_path / f"{number}.png").write_bytes(encode_png(picture(left)))
    mask = np.ones((SIDE, SIDE), np.uint8)
    lesson = Lesson(share=0.5, confidence_floor=0.8)
    found, counts = with_unlabelled(dataset(mask), [tmp_path], Sure(0.9), lesson, SIDE)  # type: ignore[arg-type]
    # The last picture shows no garment: its certainty is 0.
    assert counts == [2]
    assert found.names == ("a", tmp_path.name)
    assert [sample.folder for sample in found.train] == [0, 1, 1]
    taken = found.train[2]
    assert taken.target is not None
    assert taken.mask[0, 8] == 1
    assert taken.mask[0, 7] == 0
    assert taken.target[0, 8] == round(0.9 * 255)
    assert len(found.val) == 1

    with pytest.raises(DatasetError, match="sure of none"):
        with_unlabelled(dataset(mask), [tmp_path], Sure(0.7), lesson, SIDE)  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="no such folder"):
        with_unlabelled(dataset(mask), [tmp_path / "no"], Sure(), lesson, SIDE)  # type: ignore[arg-type]


def test_a_table_names_the_photographs(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(encode_png(picture(8)))
    (tmp_path / "items.csv").write_text("image,split\n0.png,train\n1.png,val\n2.png,train\n")
    mask = np.ones((SIDE, SIDE), np.uint8)
    found, counts = with_unlabelled(dataset(mask), [tmp_path], Sure(), Lesson(0.5, 0.9), SIDE)  # type: ignore[arg-type]
    assert counts == [2]
    assert [sample.path.name for sample in found.train[1:]] == ["0.png", "2.png"]


def test_a_mirrored_photograph_gets_a_mirrored_mask() -> None:
    network = TIRAMISUS["test_tiny"]
    keras.utils.set_random_seed(3)
    weights = get_weights(network.build(keras, SIDE))
    preprocessing = Preprocessing(SIDE, "stretch")
    teacher = Teacher(Checkpoint("segmenter", network, preprocessing, weights), keras)
    image = np.random.default_rng(0).integers(0, 255, (40, 56, 3)).astype(np.uint8)
    seen, mirrored = teacher.confidences([image, image[:, ::-1]])
    assert seen.shape == (40, 56)
    # Resizing a mirrored picture rounds a byte otherwise here and there, and no more than that.
    assert np.abs(seen - mirrored[:, ::-1]).max() < 0.02
    assert seen.std() > 0.001


def test_a_record_names_the_teachers_own_teacher() -> None:
    keras.utils.set_random_seed(0)
    network = TIRAMISUS["test_tiny"]
    weights = get_weights(network.build(keras, SIDE))
    before = {"model_version": "first", "evaluation": {"iou_mean/a": 0.9}}
    checkpoint = Checkpoint(
        "segmenter", network, Preprocessing(SIDE, "stretch"), weights, run={"teacher": before}
    )
    assert Teacher(checkpoint, keras).describe()["teacher"] == before
    assert Teacher(replace(checkpoint, run={}), keras).describe()["teacher"] is None


def test_an_embedder_is_no_teacher() -> None:
    network = EMBEDDERS["test_tiny"]
    checkpoint = Checkpoint("embedder", network, Preprocessing(SIDE, "pad_white"), {})
    with pytest.raises(ModelContractError, match="embedder"):
        Teacher(checkpoint, keras)
