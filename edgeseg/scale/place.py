"""Where a picture is, and its bytes from there.

A place is one line of text: a path, an address that fsspec knows (``s3://...``, ``https://...``),
or a row of a Parquet file that holds pictures' bytes, ``parquet:GROUP:ROW:FILE``.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from edgeseg.errors import EdgesegError, MissingExtraError, PhotoError
from edgeseg.file_system import file_system, is_address
from edgeseg.files import read_bounded, shown_path
from edgeseg.limits import MAX_PHOTO_BYTES
from edgeseg.scale.arrow import open_parquet

_PARQUET = "parquet:"
# Pictures are taken from a Parquet file so many at a time: its row groups may be larger.
_PARQUET_ROWS = 64
# They wait in memory, and each may have `MAX_PHOTO_BYTES`.
_FETCHES_AT_ONCE = 8


@dataclass(frozen=True)
class Place:
    """Where a picture is.

    Attributes:
        address: see the module.
        stamp: changes when what is there does, as far as that can be told without reading it; empty
            where it cannot, so that it is read each time.
    """

    address: str
    stamp: str = ""


def file_stamp(status: os.stat_result) -> str:
    """The stamp of a local file: its size, and when its content and its entry last changed."""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"


def row_address(file: str, group: int, row: int) -> str:
    """The address of a picture in a Parquet file.

    Args:
        file: path or address of the file.
        group: its row group.
        row: in the group.
    """
    return f"{_PARQUET}{group}:{row}:{file}"


def fetched(addresses: Sequence[str]) -> Iterator[bytes | EdgesegError]:
    """The bytes at each address, or why there are none, in order; elsewhere, a little ahead."""
    for kind, alike in groupby(addresses, key=_kind):
        if kind == "here":
            yield from map(_told, alike)
        elif kind == "elsewhere":
            yield from _ahead(alike)
        else:
            for (file, group), rows in groupby(map(_parsed, alike), key=lambda each: each[:2]):
                yield from _of_rows(file, group, [row for _, _, row in rows])


def _kind(address: str) -> str:
    if address.startswith(_PARQUET):
        return "rows"
    return "elsewhere" if is_address(address) else "here"


def _parsed(address: str) -> tuple[str, int, int]:
    _, group, row, file = address.split(":", 3)
    return file, int(group), int(row)


def _ahead(addresses: Iterable[str]) -> Iterator[bytes | EdgesegError]:
    """Several are asked for at once: far away, waiting takes longer than reading."""
    pending: deque[Future[bytes | EdgesegError]] = deque()
    with ThreadPoolExecutor(_FETCHES_AT_ONCE) as pool:
        try:
            for address in addresses:
                pending.append(pool.submit(_told, address))
                if len(pending) == _FETCHES_AT_ONCE:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _told(address: str) -> bytes | EdgesegError:
    """File systems of others raise what they like; one picture's trouble is that picture's."""
    try:
        return _file(address)
    except MissingExtraError:
        raise
    except EdgesegError as error:
        return error
    except Exception as error:  # noqa: BLE001 (fsspec passes on whatever its libraries raise)
        reason = " ".join(str(error).split()) or type(error).__name__
        return PhotoError(f"{shown_path(address)}: {reason}")


def _file(address: str) -> bytes:
    if not is_address(address):
        return read_bounded(Path(address), MAX_PHOTO_BYTES, "photo")
    files, path = file_system(address, "scale")
    with files.open(path, "rb") as opened:
        data: bytes = opened.read(MAX_PHOTO_BYTES + 1)
    if len(data) > MAX_PHOTO_BYTES:
        raise PhotoError(f"{shown_path(address)} has more than {MAX_PHOTO_BYTES >> 20} MiB")
    return data


def _of_rows(file: str, group: int, rows: Sequence[int]) -> Iterator[bytes | EdgesegError]:
    """Pictures in a row group, which is read once for all of them."""
    wanted, place = list(rows), 0
    try:
        if wanted != sorted(wanted):
            raise ValueError("rows are asked for in another order than they are stored")
        with open_parquet(file) as parquet:
            first = 0
            for batch in parquet.iter_batches(
                batch_size=_PARQUET_ROWS, row_groups=[group], columns=["image"]
            ):
                images = batch.column(0)
                while place < len(wanted) and wanted[place] < first + len(images):
                    yield _image(images[wanted[place] - first].as_py(), file, wanted[place])
                    place += 1
                first += len(images)
                if place == len(wanted):
                    return
        raise ValueError(f"row group {group} has {first} rows")
    except MissingExtraError:
        raise
    except Exception as error:  # noqa: BLE001 (pyarrow and fsspec raise what they like)
        reason = " ".join(str(error).split()) or type(error).__name__
        failure = PhotoError(f"{shown_path(file)}: {reason}")
        yield from [failure] * (len(wanted) - place)


def _image(value: Any, file: str, row: int) -> bytes | EdgesegError:
    """Bytes, or a struct that has them, as other tools write pictures into Parquet."""
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes) or not data:
        return PhotoError(f"{shown_path(file)}, row {row} of its group: no picture")
    if len(data) > MAX_PHOTO_BYTES:
        return PhotoError(
            f"{shown_path(file)}, row {row} of its group: more than {MAX_PHOTO_BYTES >> 20} MiB"
        )
    return data
