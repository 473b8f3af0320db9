"""Drawn labelled photos: red shapes, which the hand-made segmenter finds to the pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg import imaging
from edgeseg.formats.bundle import Bundle, write_bundle

COUNT = 4
WIDTH, HEIGHT = 96, 64


def red_photo(index: int) -> tuple[np.ndarray, np.ndarray]:
    """A red rectangle on grey-green, further right with each index; and its mask."""
    photo = np.full((HEIGHT, WIDTH, 3), (90, 120, 90), dtype=np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[16:48, 12 + 6 * index : 48 + 6 * index] = True
    photo[mask] = (220, 20, 20)
    return photo, mask


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A folder with images/, masks/ and split.csv: photos 0 and 1 train, 2 and 3 val."""
    rows = ["image,mask,split"]
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for index in range(COUNT):
        photo, mask = red_photo(index)
        (tmp_path / f"images/p{index}.png").write_bytes(imaging.encode_png(photo))
        (tmp_path / f"masks/p{index}.png").write_bytes(imaging.encode_png(mask))
        split = "train" if index < 2 else "val"
        rows.append(f"images/p{index}.png,masks/p{index}.png,{split}")
    (tmp_path / "split.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.fixture
def bundle_path(tiny_bundle: Bundle, tmp_path: Path) -> Path:
    """The hand-made bundle as a file."""
    assert tiny_bundle.embedder_model is not None
    path = tmp_path / "tiny.bundle"
    sections = {
        "segmenter.tflite": tiny_bundle.segmenter_model,
        "embedder.tflite": tiny_bundle.embedder_model,
    }
    write_bundle(path, tiny_bundle.manifest, sections)
    return path
