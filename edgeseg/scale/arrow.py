"""Parquet files, local or behind an address: the one file that imports pyarrow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from edgeseg.errors import MissingExtraError
from edgeseg.file_system import file_system, is_address


def pyarrow() -> Any:
    """The module, on its first use.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(
            f"{error.name or 'pyarrow'} is not installed; this needs: pip install 'edgeseg[scale]'"
        ) from error
    return pyarrow


@contextlib.contextmanager
def open_parquet(file: str) -> Iterator[Any]:
    """A Parquet file at a path or at an address that fsspec knows, as ``ParquetFile``.

    Raises:
        MissingExtraError: pyarrow or a file system is not installed.
        OSError, pyarrow.ArrowException: it cannot be read or is none.
    """
    parquet = pyarrow().parquet
    if not is_address(file):
        with parquet.ParquetFile(file, page_checksum_verification=True) as opened:
            yield opened
        return
    files, path = file_system(file, "scale")
    with (
        files.open(path, "rb") as source,
        parquet.ParquetFile(source, page_checksum_verification=True) as opened,
    ):
        yield opened
