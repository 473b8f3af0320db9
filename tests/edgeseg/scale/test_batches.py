"""Workers whose describer takes many pictures at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg import limits
from edgeseg.scale.building import build
from edgeseg.scale.engine.local import LocalEngine
from edgeseg.scale.plan import Built, Description, Plan
from tests.edgeseg.scale.made import EMBEDDER_DIGEST, MeanColour, built, made_shop, told_names

pytest.importorskip("pyarrow", reason="the scale extra is not installed")

BATCH = 3


class MeanColours(MeanColour):
    """Describes up to three at once, and writes down how many it was given."""

    batch_pictures, threads = BATCH, 2

    def describe(self, picture: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
        raise AssertionError("one by one, and not in a batch")

    def describe_all(
        self, pictures: Sequence[NDArray[np.uint8]], names: Sequence[str]
    ) -> NDArray[np.float32]:
        assert self.told is not None
        with self.told.with_name("batches").open("a") as file:
            file.write(f"{len(pictures)}\n")
        own = [
            super(MeanColours, self).describe(*each) for each in zip(pictures, names, strict=True)
        ]
        return np.stack(own)


def in_batches(source: Path, folder: Path, chunk_pictures: int = 8) -> tuple[Built, list[int]]:
    """A build by it, and how many pictures came at once."""
    description = Description("ab" * 32, EMBEDDER_DIGEST, 3, partial(MeanColours, folder / "told"))
    plan = Plan(
        str(source),
        folder / "shop.catalogue",
        folder / "cache",
        skip_unreadable=True,
        chunk_pictures=chunk_pictures,
    )
    done = build(plan, description, LocalEngine())
    return done, [int(line) for line in (folder / "batches").read_text().splitlines()]


def test_each_picture_has_its_own_vector_whoever_waited_beside_it(tmp_path: Path) -> None:
    source = made_shop(tmp_path / "shop", 20)
    for number in (4, 5, 13):
        (tmp_path / "shop" / f"{number}.png").write_bytes(b"no picture")
    alone, many = tmp_path / "alone", tmp_path / "many"
    for folder in (alone, many):
        folder.mkdir()
    expected = built(source, alone, skip_unreadable=True)
    done, batches = in_batches(source, many)
    assert done.summary.shards[0].digest == expected.summary.shards[0].digest
    # Chunks of 8, 8 and 4 pictures, of which 6, 7 and 4 are good; nothing waits for another chunk.
    assert batches == [3, 3, 3, 3, 1, 3, 1]
    assert [row[0] for row in done.unreadable] == [row[0] for row in expected.unreadable]
    assert done.summary.described == 17
    good = {f"{number}.png" for number in range(20)} - {"4.png", "5.png", "13.png"}
    assert set(told_names(many / "told")) == good


def test_large_pictures_do_not_wait_for_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = made_shop(tmp_path / "shop", 6)
    # A made picture has 12 x 10 x 3 bytes: two are above it.
    monkeypatch.setattr(limits, "MAX_WAITING_PHOTOS_BYTES", 400)
    _, batches = in_batches(source, tmp_path)
    assert batches == [2, 2, 2]
