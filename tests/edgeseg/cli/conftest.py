"""Runs the command line in this process, with the hand-made bundle and drawn red garments."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edgeseg.cli import main
from edgeseg.formats.bundle import Bundle, write_bundle
from edgeseg.imaging import encode_jpeg, encode_png
from tests.edgeseg.handmade import red_square_photo


@dataclass(frozen=True)
class Ran:
    """What a command line did."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


RunCli = Callable[..., Ran]


@pytest.fixture
def cli(capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> RunCli:
    """Runs ``edgeseg ARGUMENTS...``; `stdin` are the bytes that come by pipe."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsysbinary.readouterr()
        code = main([str(argument) for argument in arguments])
        told = capsysbinary.readouterr()
        return Ran(code, told.out, told.err.decode())

    return run


@pytest.fixture(scope="session")
def bundle_path(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle whose segmenter finds red and whose embedder is a mean colour, as a file."""
    path: Path = tmp_path_factory.mktemp("cli") / "tiny.bundle"
    models = {"segmenter.tflite": tiny_bundle.segmenter_model}
    if tiny_bundle.embedder_model is not None:
        models["embedder.tflite"] = tiny_bundle.embedder_model
    write_bundle(path, tiny_bundle.manifest, models)
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A red garment on a grey-green ground."""
    path = tmp_path / "garment.jpg"
    path.write_bytes(encode_jpeg(red_square_photo(), 95))
    return path


@pytest.fixture
def empty_photo(tmp_path: Path) -> Path:
    """A photo with nothing red in it."""
    path = tmp_path / "floor.png"
    path.write_bytes(encode_png(np.full((60, 80, 3), (90, 120, 90), dtype=np.uint8)))
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder: two good photos in different subfolders, one broken one, and a text."""
    folder = tmp_path / "photos"
    (folder / "a" / "deep").mkdir(parents=True)
    good = encode_jpeg(red_square_photo(), 95)
    (folder / "one.jpg").write_bytes(good)
    (folder / "a" / "deep" / "two.jpeg").write_bytes(good)
    (folder / "a" / "broken.jpg").write_bytes(good[: len(good) // 2])
    (folder / "a" / "notes.txt").write_text("not a photo")
    (folder / ".hidden.jpg").write_bytes(b"")
    return folder


@pytest.fixture
def items_csv(tmp_path: Path) -> Path:
    """Three items on white, of three colours, with two attributes."""
    rows = ["sku,image,colour,size"]
    for sku, colour in {"R1": (220, 20, 20), "G1": (20, 160, 40), "B1": (20, 30, 190)}.items():
        picture = np.full((100, 80, 3), 255, dtype=np.uint8)
        picture[20:80, 20:60] = colour
        (tmp_path / f"{sku}.png").write_bytes(encode_png(picture))
        rows.append(f"{sku},{sku}.png,{sku[0].lower()},{'' if sku == 'G1' else 'M'}")
    path = tmp_path / "items.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def catalogue(cli: RunCli, items_csv: Path, bundle_path: Path) -> Path:
    """The three items, indexed."""
    path = items_csv.with_name("shop.catalogue")
    ran = cli("index", "build", items_csv, "-o", path, "--bundle", bundle_path)
    assert ran.code == 0, ran.err
    return path
