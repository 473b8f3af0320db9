"""Lists of items: CSVs as people save them, folders, and one clear line for each fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseg.errors import DatasetError
from edgeseg.items import Item, read_items


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of empty files where pictures are looked for by name only."""
    (tmp_path / "sub").mkdir()
    for name in ("a.jpg", "b.PNG", "sub/c.webp"):
        (tmp_path / name).touch()
    return tmp_path


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "items.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_csv_gives_items_attributes_and_paths(folder: Path) -> None:
    path = written(
        folder, 'colour,sku,image,note\r\nred,A-1,a.jpg,"two\nlines, one"\r\n,Ü 2,sub/c.webp,\r\n'
    )
    assert read_items(path) == [
        (Item("A-1", {"colour": "red", "note": "two lines, one"}), folder / "a.jpg"),
        (Item("Ü 2", {}), folder / "sub/c.webp"),
    ]


@pytest.mark.parametrize(
    "text", ["\ufeffsku,image\na,a.jpg\n", "sku, image\r\n\r\na , a.jpg\r\n , \r\n"]
)
def test_byte_order_marks_spaces_and_blank_lines_are_no_fault(folder: Path, text: str) -> None:
    assert read_items(written(folder, text)) == [(Item("a"), folder / "a.jpg")]


def test_a_folder_gives_stems(folder: Path) -> None:
    (folder / "notes.txt").touch()
    (folder / ".hidden.jpg").touch()
    assert [(item.sku, path.name) for item, path in read_items(folder)] == [
        ("a", "a.jpg"),
        ("b", "b.PNG"),
        ("c", "c.webp"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must name the column sku and image"),
        ("a,b\n1,2\n", "must name the column sku and image"),
        ("sku\n1\n", "must name the column image"),
        ("sku;image\na;a.jpg\n", "separated by commas"),
        ("sku,image\n", "no rows"),
        ("sku,image,image\na,a.jpg,\n", "image is there twice"),
        ("sku,image,\na,a.jpg,\n", "a column has no name"),
        ("sku,image\na,a.jpg\na,b.PNG\n", "SKU a twice"),
        ("sku,image\na,a.jpg,red\n", "line 2: 3 values under 2"),
        ("sku,image\na\n", "line 2: 1 values under 2"),
        ("sku,image\n,a.jpg\n", "line 2: sku is empty"),
        ("sku,image\na,\n", "line 2: image is empty"),
        ("sku,image\na,none.jpg\n", "1 of 1 pictures that do not exist, such as .*none.jpg"),
        ("sku,image\na,sub\n", "do not exist"),
        ("sku,image\n\x1b[31m,a.jpg\n", "control"),
        ('sku,image\n"a,a.jpg\n', "not a CSV row"),
        ("sku,image\n" + "x" * 500 + ",a.jpg\n", "longer than 200"),
        (b"sku,image\n\xe9,a.jpg\n", "not a UTF-8 text"),
        ("sku,image\n".encode("utf-16"), "not a UTF-8 text"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "not a UTF-8 text"),
    ],
)
def test_a_faulty_csv_is_told_in_one_line(folder: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(DatasetError, match=words) as caught:
        read_items(written(folder, text))
    assert str(caught.value).isprintable()
    assert "items.csv" in str(caught.value) or "none.jpg" in str(caught.value)


def test_missing_pictures_may_be_allowed_but_not_all(folder: Path) -> None:
    path = written(folder, "sku,image\na,a.jpg\nz,none.jpg\n")
    with pytest.raises(DatasetError, match="1 of 2"):
        read_items(path)
    assert len(read_items(path, allow_missing=True)) == 2
    with pytest.raises(DatasetError, match="1 of 1"):
        read_items(written(folder, "sku,image\nz,none.jpg\n"), allow_missing=True)


def test_faulty_folders(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no such file"):
        read_items(tmp_path / "none")
    with pytest.raises(DatasetError, match="no picture in"):
        read_items(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.jpg").touch()
    (tmp_path / "sub" / "a.png").touch()
    with pytest.raises(DatasetError, match="SKU a twice"):
        read_items(tmp_path)
