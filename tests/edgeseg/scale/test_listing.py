"""Lists of items, here and elsewhere, as CSV, folders and Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgeseg.errors import DatasetError
from edgeseg.scale.listing import Listed, read_list
from edgeseg.scale.place import fetched
from tests.edgeseg.scale.made import made_shop, write_picture

pyarrow = pytest.importorskip("pyarrow", reason="the scale extra is not installed")
parquet = pytest.importorskip("pyarrow.parquet")
fsspec = pytest.importorskip("fsspec")


def _bytes_of(lines: list[Listed]) -> list[bytes]:
    data = list(fetched([line.place.address for line in lines]))
    assert all(isinstance(each, bytes) for each in data), data
    return data  # type: ignore[return-value]


def _pictures(folder: Path, items: int) -> list[bytes]:
    return [(folder / f"{number}.png").read_bytes() for number in range(items)]


def _write_parquet(path: Path, columns: dict[str, list[Any]], rows: int = 3) -> None:
    parquet.write_table(pyarrow.table(columns), path, row_group_size=rows)


def test_a_csv_and_its_pictures(tmp_path: Path) -> None:
    source = made_shop(tmp_path, 4)
    lines = list(read_list(str(source)))
    assert [line.item.sku for line in lines] == [f"sku-000{number}" for number in range(4)]
    assert lines[1].item.attributes == {"style": "style-1"}
    assert all(line.shards == ("",) and line.place.stamp for line in lines)
    assert _bytes_of(lines) == _pictures(tmp_path, 4)


def test_a_stamp_changes_with_the_picture(tmp_path: Path) -> None:
    source = made_shop(tmp_path, 2)
    before = [line.place.stamp for line in read_list(str(source))]
    write_picture(tmp_path / "1.png", 1)
    after = [line.place.stamp for line in read_list(str(source))]
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_shards_are_taken_out_of_the_attributes(tmp_path: Path) -> None:
    source = made_shop(tmp_path, 6, ("north", "south"))
    lines = list(read_list(str(source), "warehouse"))
    assert lines[0].shards == ("north", "south")
    assert lines[1].shards == ("south",)
    assert all("warehouse" not in line.item.attributes for line in lines)


def test_a_folder(tmp_path: Path) -> None:
    made_shop(tmp_path / "pictures", 3)
    (tmp_path / "pictures" / "items.csv").unlink()
    lines = list(read_list(str(tmp_path / "pictures")))
    assert [line.item.sku for line in lines] == ["0", "1", "2"]
    assert _bytes_of(lines) == _pictures(tmp_path / "pictures", 3)


@pytest.mark.parametrize("as_struct", [False, True], ids=["bytes", "struct"])
def test_parquet_of_bytes(tmp_path: Path, as_struct: bool) -> None:
    made_shop(tmp_path, 8)
    pictures = _pictures(tmp_path, 8)
    images = [{"bytes": each, "path": None} for each in pictures] if as_struct else pictures
    _write_parquet(
        tmp_path / "items.parquet",
        {"style": [1, 2, None, 4, 5, 6, 7, 8], "image": images, "sku": [f"s{n}" for n in range(8)]},
    )
    lines = list(read_list(str(tmp_path / "items.parquet")))
    assert [line.item.sku for line in lines] == [f"s{number}" for number in range(8)]
    assert lines[1].item.attributes == {"style": "2"}
    assert lines[2].item.attributes == {}
    assert _bytes_of(lines) == pictures
    # Some of them, across row groups.
    assert _bytes_of([lines[row] for row in (1, 2, 6)]) == [pictures[row] for row in (1, 2, 6)]


def test_a_folder_of_parquet_files(tmp_path: Path) -> None:
    made_shop(tmp_path / "made", 4)
    pictures = _pictures(tmp_path / "made", 4)
    (tmp_path / "tables" / "more").mkdir(parents=True)
    for name, start in (("a.parquet", 0), ("more/b.parquet", 2)):
        columns = {"sku": [f"s{start}", f"s{start + 1}"], "image": pictures[start : start + 2]}
        _write_parquet(tmp_path / "tables" / name, columns)
    lines = list(read_list(str(tmp_path / "tables")))
    assert [line.item.sku for line in lines] == ["s0", "s1", "s2", "s3"]
    assert _bytes_of(lines) == pictures


@pytest.fixture
def elsewhere() -> Any:
    """fsspec's own file system in memory."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    yield files
    files.store.clear()


def test_a_csv_elsewhere_names_what_lies_beside_it_and_addresses(
    tmp_path: Path, elsewhere: Any
) -> None:
    made_shop(tmp_path, 2)
    pictures = _pictures(tmp_path, 2)
    elsewhere.pipe("/shop/of-today/0.png", pictures[0])
    elsewhere.pipe("/other/1.png", pictures[1])
    elsewhere.pipe("/shop/items.csv", b"sku,image\na,of-today/0.png\nb,memory://other/1.png\n")
    lines = list(read_list("memory://shop/items.csv"))
    assert [line.item.sku for line in lines] == ["a", "b"]
    assert _bytes_of(lines) == pictures
    # Asking for each one's state takes as long as fetching it: they are read each time.
    assert [line.place.stamp for line in lines] == ["", ""]


def test_a_csv_here_may_name_addresses(tmp_path: Path, elsewhere: Any) -> None:
    elsewhere.pipe("/other/1.png", b"picture")
    (tmp_path / "items.csv").write_text("sku,image\nb,memory://other/1.png\n")
    assert _bytes_of(list(read_list(str(tmp_path / "items.csv")))) == [b"picture"]


def test_a_folder_elsewhere(tmp_path: Path, elsewhere: Any) -> None:
    made_shop(tmp_path, 3)
    for number, picture in enumerate(_pictures(tmp_path, 3)):
        elsewhere.pipe(f"/shop/{number % 2}/{number}.png", picture)
    elsewhere.pipe("/shop/notes.txt", b"not a picture")
    lines = list(read_list("memory://shop"))
    assert sorted(line.item.sku for line in lines) == ["0", "1", "2"]
    assert sorted(_bytes_of(lines)) == sorted(_pictures(tmp_path, 3))


def test_parquet_elsewhere(tmp_path: Path, elsewhere: Any) -> None:
    made_shop(tmp_path, 2)
    pictures = _pictures(tmp_path, 2)
    _write_parquet(tmp_path / "a.parquet", {"sku": ["a", "b"], "image": pictures})
    elsewhere.pipe("/shop/a.parquet", (tmp_path / "a.parquet").read_bytes())
    assert _bytes_of(list(read_list("memory://shop"))) == pictures


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PAR1 and nothing more", "items.parquet: "),
        (b"", "items.parquet: "),
    ],
)
def test_a_parquet_file_that_is_none(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "items.parquet").write_bytes(data)
    with pytest.raises(DatasetError, match=message):
        list(read_list(str(tmp_path / "items.parquet")))


def test_a_table_without_its_columns(tmp_path: Path) -> None:
    _write_parquet(tmp_path / "items.parquet", {"sku": ["a"], "photo": [b""]})
    with pytest.raises(DatasetError, match="has no column image"):
        list(read_list(str(tmp_path / "items.parquet")))


def test_a_table_with_an_empty_sku(tmp_path: Path) -> None:
    _write_parquet(tmp_path / "items.parquet", {"sku": ["a", None], "image": [b"x", b"y"]})
    with pytest.raises(DatasetError, match="group 0, row 1: the SKU"):
        list(read_list(str(tmp_path / "items.parquet")))


@pytest.mark.parametrize(
    "address", ["memory://nothing/here", "memory://nothing/items.csv", "no-such-scheme://shop"]
)
def test_an_address_of_nothing(address: str, elsewhere: Any) -> None:
    with pytest.raises(Exception, match=r"shop|nothing") as caught:
        list(read_list(address))
    assert "\n" not in str(caught.value)
