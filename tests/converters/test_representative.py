"""What calibrates and what compares: drawings, folders of photographs, masks in the right frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from converters.photographs import read_photographs, resized_mask
from converters.representative import (
    calibration_input,
    drawn_photographs,
    network_input,
    representative_set,
)
from edgeseg.errors import DatasetError
from edgeseg.imaging import encode_png
from edgeseg.preprocessing import Preprocessing
from tests.converters.conftest import PADDED, STRETCH


def test_drawings_repeat_by_seed_and_differ_from_each_other() -> None:
    first, again, other = (drawn_photographs(8, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].image, other[0].image)
    assert len({p.image.tobytes() for p in first}) == 8


def test_a_drawing_shows_a_garment_of_a_plausible_size() -> None:
    for drawing in drawn_photographs(40, 3):
        assert drawing.mask is not None
        assert drawing.image.dtype == np.uint8
        assert drawing.image.shape == (*drawing.mask.shape, 3)
        assert 0.05 < drawing.mask.mean() < 0.7, drawing.name


@pytest.mark.parametrize("scale_offset", [(1 / 255, 0.0), (1 / 127.5, -1.0), (1 / 0.3, -0.4 / 0.3)])
def test_calibration_spans_exactly_a_byte(scale_offset: tuple[float, float]) -> None:
    preprocessing = Preprocessing(16, "stretch", *scale_offset)
    pictures = np.full((3, 16, 16, 3), 99, np.uint8)
    scaled = calibration_input(pictures, preprocessing)
    assert scaled.dtype == np.float32
    assert scaled.min() == np.float32(scale_offset[1])
    assert scaled.max() == pytest.approx(255 * scale_offset[0] + scale_offset[1], rel=1e-6)
    assert (pictures == 99).all(), "the pictures themselves stay as they are"


def test_without_folders_drawings_serve_and_it_is_said() -> None:
    representative = representative_set((), 5, 0)
    assert representative.drawn
    assert "drawn" in representative.source
    assert network_input(representative.photographs, STRETCH).shape == (5, 32, 32, 3)


def test_an_even_share_is_read_from_each_folder(tmp_path: Path) -> None:
    for name, count in (("few", 2), ("many", 30)):
        (tmp_path / name / "deeper").mkdir(parents=True)
        for index in range(count):
            image = np.full((4, 5, 3), index, np.uint8)
            (tmp_path / name / "deeper" / f"{index}.png").write_bytes(encode_png(image))
    folders = [tmp_path / "few", tmp_path / "many"]
    photographs = read_photographs(folders, "train", 10, seed=0)
    names = [Path(p.name).parent.parent.name for p in photographs]
    assert names == ["few"] * 2 + ["many"] * 8
    assert all(p.mask is None for p in photographs)
    assert len(read_photographs(folders, "train", 1000, seed=0)) == 32


def test_a_split_is_respected(tmp_path: Path) -> None:
    rows = ["image,mask,split"]
    for index in range(6):
        split = "val" if index % 3 == 0 else "train"
        (tmp_path / f"{index}.png").write_bytes(encode_png(np.full((6, 6, 3), index, np.uint8)))
        mask = np.zeros((6, 6), np.uint8)
        mask[:index] = 255
        (tmp_path / f"{index}m.png").write_bytes(encode_png(mask))
        rows.append(f"{index}.png,{index}m.png,{split}")
    (tmp_path / "split.csv").write_text("\n".join(rows))
    held_out = read_photographs([tmp_path], "val", 100, seed=0)
    assert [Path(p.name).name for p in held_out] == ["0.png", "3.png"]
    assert held_out[1].mask is not None
    assert held_out[1].mask.sum() == 18


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_without_pictures_is_refused(tmp_path: Path, make: bool) -> None:
    folder = tmp_path / "empty"
    if make:
        folder.mkdir()
        (folder / "notes.txt").write_text("no picture")
    with pytest.raises(DatasetError, match="empty"):
        read_photographs([folder], "train", 4, seed=0)


def test_a_mask_takes_the_same_way_as_its_photo() -> None:
    mask = np.zeros((20, 40), bool)
    mask[5:15, 10:30] = True
    stretched = resized_mask(mask, STRETCH)
    assert stretched.shape == (32, 32)
    assert stretched.mean() == pytest.approx(0.25, abs=0.02)
    padded = resized_mask(mask, PADDED)
    assert padded.mean() == pytest.approx(0.125, abs=0.02)
    assert not padded[:7].any(), "the white border is background"
