from __future__ import annotations

from pathlib import Path

import pytest

from edgeseg.errors import DatasetError
from edgeseg.table import read_table


def test_reads_what_spreadsheets_write(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes('﻿image, sku \r\n"a, b.jpg",x1\r\n\r\n  ü.jpg  ,x2\r\n'.encode())
    assert read_table(table, ("image", "sku")) == [
        {"image": "a, b.jpg", "sku": "x1"},
        {"image": "ü.jpg", "sku": "x2"},
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "column image and sku"),
        (b"image\na.jpg\n", "column sku"),
        (b"image,sku\n", "no rows"),
        (b"image,sku,sku\na,b,c\n", "twice"),
        (b"image,sku\na.jpg\n", "line 2: 1 values under 2"),
        (b"image,sku\na.jpg,1\nb.jpg,\n", "line 3: sku is empty"),
        (b"image,sku\n\xff\xfe,1\n", "UTF-8"),
        (b'image,sku\n"a.jpg,1\n', "not a CSV row"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "UTF-8"),
    ],
)
def test_each_fault_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(content)
    with pytest.raises(DatasetError, match=told) as caught:
        read_table(table, ("image", "sku"))
    assert str(table) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_table_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(DatasetError, match=str(path)):
            read_table(path, ("image",))
