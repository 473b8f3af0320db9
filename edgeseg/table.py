"""Reading a CSV of files: a bounded, strict reader whose every complaint names the line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from edgeseg import limits
from edgeseg.errors import DatasetError, EdgesegError
from edgeseg.files import PathLike, read_bounded, shown_path


def read_table(path: PathLike, required: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV with a header.

    Args:
        path: UTF-8, with or without a byte-order mark.
        required: columns that must be there, filled in every row.

    Returns:
        One dict a row, values stripped of surrounding blanks; blank lines are left out.

    Raises:
        DatasetError: the file cannot be read, is no CSV or not UTF-8, lacks a column, has a row of
            another width or an empty required value, or has no rows.
    """
    return [row for _, row in located_rows(path, required)]


def located_rows(path: PathLike, required: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of ``read_table``, each behind the words that say where it stands.

    Raises:
        DatasetError: as in ``read_table``.
    """
    try:
        data = read_bounded(path, limits.MAX_CSV_BYTES, "table")
    except EdgesegError as error:
        raise DatasetError(str(error)) from error
    return rows_in(data, shown_path(path), required)


def rows_in(
    data: bytes, name: str, required: Sequence[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a CSV's bytes, as ``located_rows`` gives them.

    Args:
        data: of the file.
        name: what messages call it.
        required: columns that must be there, filled in every row.

    Raises:
        DatasetError: as in ``read_table``.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name}: not a UTF-8 text; save the table as UTF-8 CSV") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    empty = True
    try:
        header = [column.strip() for column in next(reader, [])]
        _check_header(name, header, required)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            where = f"{name}, line {reader.line_num}"
            if len(cells) != len(header):
                raise DatasetError(f"{where}: {len(cells)} values under {len(header)} columns")
            row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            for column in required:
                if not row[column]:
                    raise DatasetError(f"{where}: {column} is empty")
            empty = False
            yield where, row
    except csv.Error as error:
        raise DatasetError(f"{name}, line {reader.line_num}: not a CSV row ({error})") from error
    if empty:
        raise DatasetError(f"{name}: has a header but no rows")


def _check_header(name: str, header: list[str], required: Sequence[str]) -> None:
    missing = [column for column in required if column not in header]
    if missing:
        raise DatasetError(
            f"{name}: the first line must name the column {' and '.join(missing)}, "
            "separated by commas"
        )
    twice = {column for column in header if header.count(column) > 1}
    if twice:
        raise DatasetError(f"{name}: the column {' and '.join(sorted(twice))} is there twice")
    if "" in header:
        raise DatasetError(f"{name}: a column has no name")
