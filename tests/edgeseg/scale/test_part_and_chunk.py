"""Parts and chunks: what is written is what is read, and damage is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg.errors import EdgesegError
from edgeseg.scale.chunk import KnownPictures, chunk_size, read_chunk, write_chunks
from edgeseg.scale.part import (
    Found,
    part_names,
    part_path,
    read_embeddings,
    read_found,
    write_part,
)
from edgeseg.scale.place import Place

pytest.importorskip("pyarrow", reason="the scale extra is not installed")


def _found(rows: int) -> list[Found]:
    """Described, known and unreadable ones in turn."""
    rng = np.random.default_rng(5)
    return [
        Found(
            f"place-{row}",
            f"stamp-{row}",
            rng.bytes(32) if row % 4 != 3 else b"",
            rng.normal(size=8).astype(np.float32) if row % 4 == 0 else None,
            "why not" if row % 4 in (2, 3) else "",
        )
        for row in range(rows)
    ]


@pytest.mark.parametrize("rows", [0, 1, 2, 23])
def test_a_part_keeps_what_was_found(tmp_path: Path, rows: int) -> None:
    found = _found(rows)
    path = part_path(tmp_path, "0a" * 16)
    write_part(path, found, 8)
    assert part_names(tmp_path) == ["0a" * 16]
    for (row, back, described), each in zip(read_found(path), found, strict=True):
        assert (back.address, back.stamp, back.sha256, back.reason) == (
            each.address, each.stamp, each.sha256, each.reason,
        )  # fmt: skip
        assert described == (each.embedding is not None)
        assert found[row] is each
    described_rows = np.array([row for row in range(rows) if row % 4 == 0], np.int64)
    expected = [found[row].embedding for row in described_rows]
    assert np.array_equal(
        read_embeddings(path, described_rows, 8),
        np.array(expected, np.float32).reshape(-1, 8),
    )


def test_a_part_of_other_lengths_is_refused(tmp_path: Path) -> None:
    path = part_path(tmp_path, "0b" * 16)
    write_part(path, _found(9), 8)
    with pytest.raises(EdgesegError, match="another length than 16"):
        read_embeddings(path, np.array([0]), 16)
    with pytest.raises(EdgesegError, match="has 9 rows"):
        read_embeddings(path, np.array([9]), 8)


def test_mutated_parts_raise_nothing_else(tmp_path: Path) -> None:
    path = part_path(tmp_path, "0c" * 16)
    write_part(path, _found(23), 8)
    whole = path.read_bytes()
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            data[place] = rng.integers(0, 256)
        path.write_bytes(data[: rng.integers(1, len(data) + 1)] if rng.random() < 0.3 else data)
        try:
            list(read_found(path))
            read_embeddings(path, np.array([0, 4]), 8)
        except EdgesegError:
            refused += 1
    assert refused > 100


def test_chunks_are_read_as_they_were_cut(tmp_path: Path) -> None:
    places = [Place(f"place-{number}", str(number)) for number in range(10)]
    cut = write_chunks(tmp_path, iter(places), np.empty((0, 2), np.uint64), size=4)
    assert (cut.chunks, cut.pictures) == (3, 10)
    assert [read_chunk(tmp_path, number) for number in range(3)] == [
        places[:4],
        places[4:8],
        places[8:],
    ]


def test_known_pictures_are_told_from_those_that_begin_alike(tmp_path: Path) -> None:
    known = [bytes([7] * 8 + [number] * 24) for number in range(5)] + [bytes([9] * 32)]
    heads = b"".join(sorted(each[:16] for each in known))
    table = np.frombuffer(heads, ">u8").astype(np.uint64).reshape(-1, 2)
    write_chunks(tmp_path, [], table)
    asked = KnownPictures(tmp_path)
    assert all(each in asked for each in known)
    assert bytes([7] * 8 + [6] * 24) not in asked
    assert bytes([8] * 32) not in asked
    assert bytes([255] * 32) not in asked


def test_nothing_is_known_at_first(tmp_path: Path) -> None:
    cut = write_chunks(tmp_path, [], np.empty((0, 2), np.uint64))
    assert cut.chunks == 0
    assert bytes(32) not in KnownPictures(tmp_path)


@pytest.mark.parametrize(
    ("pictures", "workers", "size"),
    [(10**6, 16, 256), (3_000, 16, 64), (3_000, 2, 256), (1_000, 2, 125), (40, 2, 64), (0, 1, 64)],
)
def test_the_workers_share_what_there_is(pictures: int, workers: int, size: int) -> None:
    assert chunk_size(pictures, workers) == size
    assert chunk_size(pictures, workers, most=8) == 8
