"""Reading a CSV of files: a bounded, strict reader whose every complaint names the line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from edgeseg import limits
from edgeseg.errors import DatasetError, EdgesegError
from edgeseg.files import read_bounded


def read_table(path: Path, required: Sequence[str]) -> list[dict[str, str]]:
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
    try:
        data = read_bounded(path, limits.MAX_CSV_BYTES, "table")
    except EdgesegError as error:
        raise DatasetError(str(error)) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not a UTF-8 text; save the table as UTF-8 CSV") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header, required)
        rows = []
        for values in reader:
            if not any(value.strip() for value in values):
                continue
            if len(values) != len(header):
                raise DatasetError(
                    f"{path}, line {reader.line_num}: {len(values)} values under "
                    f"{len(header)} columns"
                )
            row = dict(zip(header, (value.strip() for value in values), strict=True))
            for name in required:
                if not row[name]:
                    raise DatasetError(f"{path}, line {reader.line_num}: {name} is empty")
            rows.append(row)
    except csv.Error as error:
        raise DatasetError(f"{path}, line {reader.line_num}: not a CSV row ({error})") from error
    if not rows:
        raise DatasetError(f"{path}: has a header but no rows")
    return rows


def _check_header(path: Path, header: list[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in header]
    if missing:
        raise DatasetError(f"{path}: the first line must name the column {' and '.join(missing)}")
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise DatasetError(f"{path}: the column {' and '.join(sorted(twice))} is there twice")
