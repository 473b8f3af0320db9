"""Large shops that are quick to make: a tiny picture each, whose number a describer can read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.evaluation.gallery_sweep import neighbour_differences, perturbed_copies
from edgeseg.formats.catalogue_file import read_catalogue
from edgeseg.scale.arrow import pyarrow
from edgeseg.scale.plan import Description
from tests.verify.quality import gallery
from tests.verify.workbench import Workbench

_DIGEST = "ab" * 32
_SIDE_PX = 4
_ROWS_IN_GROUP = 4096


@dataclass
class NumberedVectors:
    """Describes a numbered picture: a copy of a vector of the gallery, moved as they lie apart.

    Args:
        file: of the gallery's vectors and the differences between neighbours, as NumPy keeps them.
    """

    file: Path

    def __post_init__(self) -> None:
        with np.load(self.file) as kept:
            self._own, self._differences = kept["own"], kept["differences"]

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return int(self._own.shape[1])

    def describe(self, picture: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
        """``(4, 4, 3)`` uint8 RGB of `numbered_picture` to ``(dim,)`` float32, L2-normalised."""
        number = int.from_bytes(picture.reshape(-1)[:4].tobytes(), "little")
        rng = np.random.default_rng(number)
        vector = perturbed_copies(self._own, self._differences, 1, rng)[0]
        unit: NDArray[np.float32] = vector / np.linalg.norm(vector)
        return unit


def numbered_picture(number: int) -> bytes:
    """A PNG file of 4 x 4 pixels that carries a number."""
    pixels = np.zeros(_SIDE_PX * _SIDE_PX * 3, np.uint8)
    pixels[:4] = np.frombuffer(number.to_bytes(4, "little"), np.uint8)
    return imaging.encode_png(pixels.reshape(_SIDE_PX, _SIDE_PX, 3))


def numbered(bench: Workbench) -> Description:
    """The description of a shop of numbered pictures."""
    own = read_catalogue(gallery(bench)).codes.decoded()
    differences, _ = neighbour_differences(own, np.random.default_rng(0))
    file = bench.work / "numbered-vectors.npz"
    np.savez(file, own=own, differences=differences)
    return Description(_DIGEST, _DIGEST, own.shape[1], partial(NumberedVectors, file))


def numbered_parquet(folder: Path, items: int, shards: int, rows_in_file: int = 100_000) -> Path:
    """A shop of numbered pictures as Parquet files; each item is in one shard of so many."""
    folder.mkdir(parents=True, exist_ok=True)
    arrow = pyarrow()
    for start in range(0, items, rows_in_file):
        numbers = range(start, min(start + rows_in_file, items))
        table = arrow.table(
            {
                "sku": [f"P{number:08d}" for number in numbers],
                "style": [f"style-{number // 4}" for number in numbers],
                "warehouse": [f"w{number % shards}" for number in numbers],
                "image": [numbered_picture(number) for number in numbers],
            }
        )
        path = folder / f"{start:08d}.parquet"
        arrow.parquet.write_table(table, path, row_group_size=_ROWS_IN_GROUP)
    return folder
