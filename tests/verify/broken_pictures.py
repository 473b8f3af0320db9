"""Pictures broken in ten ways, as cameras, copies and people break them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgeseg import imaging
from edgeseg.limits import MAX_PHOTO_BYTES


def write(folder: Path, count: int, seed: int) -> list[Path]:
    """So many, each way as often; the paths, of which one way's do not exist."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    ways = list(_WAYS.items())
    paths = []
    for number in range(count):
        name, make = ways[number % len(ways)]
        path = folder / f"{number}-{name}.jpg"
        make(path, rng)
        paths.append(path)
    return paths


def _photo(rng: np.random.Generator) -> bytes:
    noise = rng.integers(0, 255, (120, 100, 3)).astype(np.uint8)
    return imaging.encode_jpeg(noise)


def _truncated(path: Path, rng: np.random.Generator) -> None:
    data = _photo(rng)
    path.write_bytes(data[: len(data) // 2])


def _damaged_png(path: Path, rng: np.random.Generator) -> None:
    data = bytearray(imaging.encode_png(rng.integers(0, 255, (50, 50, 3)).astype(np.uint8)))
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def _bomb(path: Path, rng: np.random.Generator) -> None:
    """A PNG of 200 megapixels by its header, in a hundred bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 20_000, 10_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


def _too_large(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(_photo(rng))
    with path.open("r+b") as file:
        file.truncate(MAX_PHOTO_BYTES + 1)


_WAYS: dict[str, Callable[[Path, np.random.Generator], object]] = {
    "truncated": _truncated,
    "empty": lambda path, _: path.touch(),
    "missing": lambda path, _: None,
    "pdf": lambda path, _: path.write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\n"),
    "page": lambda path, _: path.write_text("<!doctype html><title>404</title>"),
    "noise": lambda path, rng: path.write_bytes(rng.bytes(5000)),
    "folder": lambda path, _: path.mkdir(),
    "bomb": _bomb,
    "png": _damaged_png,
    "large": _too_large,
}
