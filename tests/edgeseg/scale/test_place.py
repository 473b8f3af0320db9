"""Pictures' bytes from their places, and why there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgeseg import limits
from edgeseg.errors import EdgesegError
from edgeseg.scale.place import fetched, row_address

pyarrow = pytest.importorskip("pyarrow", reason="the scale extra is not installed")
parquet = pytest.importorskip("pyarrow.parquet")
fsspec = pytest.importorskip("fsspec")


def _table(path: Path, images: list[Any]) -> str:
    parquet.write_table(pyarrow.table({"image": pyarrow.array(images, pyarrow.binary())}), path)
    return str(path)


def _kinds(addresses: list[str]) -> list[str]:
    return ["bytes" if isinstance(each, bytes) else str(each) for each in fetched(addresses)]


def test_each_place_answers_for_itself(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "folder.png").mkdir()
    table = _table(tmp_path / "t.parquet", [b"t0", None, b"", b"t3"])
    addresses = [
        str(tmp_path / "a.png"),
        str(tmp_path / "gone.png"),
        row_address(table, 0, 0),
        row_address(table, 0, 1),
        row_address(table, 0, 3),
        row_address(table, 0, 9),
        row_address(table, 5, 0),
        row_address(str(tmp_path / "gone.parquet"), 0, 0),
        str(tmp_path / "folder.png"),
        "memory://nowhere/b.png",
        "no-such-scheme://c.png",
        str(tmp_path / "a.png"),
    ]
    told = _kinds(addresses)
    assert [each == "bytes" for each in told] == [
        True, False, True, False, True, False, False, False, False, False, False, True,
    ]  # fmt: skip
    assert all("\n" not in each for each in told)
    assert "there is no such file" in told[1]
    assert "row 1 of its group: no picture" in told[3]


def test_a_picture_beyond_the_bound_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeseg.scale.place.MAX_PHOTO_BYTES", 4)
    table = _table(tmp_path / "t.parquet", [b"12345", b"1234"])
    files = fsspec.filesystem("memory")
    files.pipe("/large.png", b"12345")
    (tmp_path / "large.png").write_bytes(b"12345")
    results = list(
        fetched(
            [
                row_address(table, 0, 0),
                row_address(table, 0, 1),
                "memory://large.png",
                str(tmp_path / "large.png"),
            ]
        )
    )
    assert [isinstance(each, EdgesegError) for each in results] == [True, False, True, True]
    assert limits.MAX_PHOTO_BYTES > 4


def test_many_from_elsewhere_come_in_order() -> None:
    files = fsspec.filesystem("memory")
    for number in range(50):
        files.pipe(f"/many/{number}", str(number).encode())
    addresses = [f"memory://many/{number}" for number in range(50)]
    assert list(fetched(addresses)) == [str(number).encode() for number in range(50)]


def test_who_stops_early_waits_for_little() -> None:
    files = fsspec.filesystem("memory")
    for number in range(50):
        files.pipe(f"/many/{number}", b"x")
    taken = fetched([f"memory://many/{number}" for number in range(50)])
    assert next(taken) == b"x"
    taken.close()  # type: ignore[attr-defined]
