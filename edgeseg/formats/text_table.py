"""SKUs and attributes as columns of bytes: opened without one Python object for each."""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import limits
from edgeseg.errors import FormatError, LimitExceededError

_CHUNK_BYTES = 1 << 20
_ROWS_AT_ONCE = 4096
# Odd, so that no part of a word is lost: the 64-bit golden ratio of Fibonacci hashing.
_HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class TextTable:
    """Strings in columns and rows.

    Attributes:
        rows: rows in each column.
        offsets: ``(columns * rows + 1,)`` uint32; a cell is ``text[offsets[i]:offsets[i + 1]]``
            with ``i = column * rows + row``.
        text: the cells' UTF-8, one after another.
    """

    rows: int
    offsets: NDArray[np.uint32]
    text: memoryview

    @classmethod
    def of(cls, columns: Sequence[Sequence[str]]) -> TextTable:
        """Make a table of columns of equal length.

        Raises:
            LimitExceededError: the text is longer than ``limits.MAX_CATALOGUE_TEXT_BYTES``.
        """
        return cls.of_cells([[cell.encode("utf-8") for cell in column] for column in columns])

    @classmethod
    def of_cells(cls, columns: Sequence[Sequence[bytes]]) -> TextTable:
        """As :meth:`of`, of cells in UTF-8."""
        cells = [cell for column in columns for cell in column]
        ends = np.zeros(len(cells) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, cells), np.int64, len(cells)), out=ends[1:])
        if ends[-1] > limits.MAX_CATALOGUE_TEXT_BYTES:
            raise LimitExceededError(
                f"SKUs and attributes take {ends[-1]} bytes, and a catalogue holds "
                f"{limits.MAX_CATALOGUE_TEXT_BYTES}"
            )
        return cls(len(columns[0]), ends.astype("<u4"), memoryview(b"".join(cells)))

    @property
    def columns(self) -> int:
        """How many columns."""
        return (len(self.offsets) - 1) // self.rows

    def cell(self, column: int, row: int) -> str:
        """One string."""
        at, offset = column * self.rows + row, self.offsets.item
        return self.text[offset(at) : offset(at + 1)].tobytes().decode()

    def named(
        self, rows: NDArray[np.int64], names: Sequence[str]
    ) -> Iterator[tuple[str, dict[str, str]]]:
        """Some rows, with their cells by name; the quickest way for a few rows.

        Args:
            rows: which, ``(n,)``.
            names: of the columns after the first.

        Yields:
            A row's first cell, and by name those of the others that are not empty.
        """
        # Plain loops: for a few rows NumPy's calls take longer, and so does `str` of a view.
        text, offset = self.text, self.offsets.item
        for row in rows.tolist():
            at, others = row, {}
            for name in names:
                at += self.rows
                start, end = offset(at), offset(at + 1)
                if start < end:
                    others[name] = text[start:end].tobytes().decode()
            yield text[offset(row) : offset(row + 1)].tobytes().decode(), others

    def cells(self, column: int) -> list[bytes]:
        """A column's cells in UTF-8, quicker than one by one."""
        ends = self.offsets[column * self.rows : (column + 1) * self.rows + 1]
        first = int(ends[0])
        text = bytes(self.text[first : int(ends[-1])])
        places = (ends.astype(np.int64) - first).tolist()
        return [text[start:end] for start, end in itertools.pairwise(places)]

    def rows_equal(self, column: int, text: str) -> NDArray[np.int64]:
        """The rows of a column whose cell is ``text``, rising."""
        wanted = np.frombuffer(text.encode("utf-8"), np.uint8)
        offsets = self.offsets[column * self.rows : (column + 1) * self.rows + 1].astype(np.int64)
        rows = np.flatnonzero(np.diff(offsets) == len(wanted))
        places = offsets[rows, None] + np.arange(len(wanted))
        same = (np.frombuffer(self.text, np.uint8)[places] == wanted).all(axis=1)
        found: NDArray[np.int64] = rows[same].astype(np.int64)
        return found


def check_table(table: TextTable, empty_rows: NDArray[np.bool_] | None = None) -> None:
    """Refuse what is no table of SKUs and attributes.

    Args:
        table: column 0 has the SKUs.
        empty_rows: ``(rows,)`` bool: the rows whose cells are all empty; None is none of them.

    Raises:
        FormatError: the offsets do not rise from 0 to the text's length, a cell is not UTF-8 or has
            control characters, a SKU is empty or occurs twice, or a row that is to be empty is not.
        LimitExceededError: the text, a SKU or an attribute is too long.
    """
    text = np.frombuffer(table.text, np.uint8)
    if len(text) > limits.MAX_CATALOGUE_TEXT_BYTES:
        raise LimitExceededError("its text is too long")
    ends = table.offsets
    if ends[0] != 0 or ends[-1] != len(text) or bool((ends[1:] < ends[:-1]).any()):
        raise FormatError("its text offsets do not rise from 0 to the text's length")
    inner = ends[ends < len(text)]
    if bool((text[inner] & 0xC0 == 0x80).any()):
        raise FormatError("a text offset falls inside a character")
    _check_text(table.text)
    lengths = np.diff(ends).reshape(-1, table.rows)
    # In bytes, so up to four times the limit in characters: this bounds memory, no more.
    if int(lengths[0].max()) > 4 * limits.MAX_SKU_CHARS:
        raise LimitExceededError(f"a SKU is longer than {limits.MAX_SKU_CHARS} characters")
    if int(lengths[1:].max(initial=0)) > 4 * limits.MAX_ATTRIBUTE_CHARS:
        raise LimitExceededError(
            f"an attribute is longer than {limits.MAX_ATTRIBUTE_CHARS} characters"
        )
    empty = np.zeros(table.rows, np.bool_) if empty_rows is None else empty_rows
    if bool((lengths[0] == 0)[~empty].any()):
        raise FormatError("a SKU is empty")
    if bool(lengths[:, empty].any()):
        raise FormatError("a removed item has text")
    if _repeats(table.text, ends[: table.rows + 1]):
        raise FormatError("a SKU occurs twice")


def _repeats(text: memoryview, ends: NDArray[np.uint32]) -> bool:
    """Whether two cells that are not empty are equal; without an object for each."""
    starts, lengths = ends[:-1].astype(np.int64), np.diff(ends)
    letters = np.frombuffer(text, np.uint8)
    for length in np.flatnonzero(np.bincount(lengths[lengths > 0].astype(np.intp))).tolist():
        same = starts[lengths == length]
        cells = np.zeros((len(same), -(-length // 8) * 8), np.uint8)
        # Indices take eight times the bytes of the letters they fetch.
        for first in range(0, len(same), _ROWS_AT_ONCE):
            rows = same[first : first + _ROWS_AT_ONCE, None]
            cells[first : first + _ROWS_AT_ONCE, :length] = letters[rows + np.arange(length)]
        words = cells.view(np.uint64)
        # Numbers sort many times as fast as strings; equal cells have equal ones.
        factors = _HASH_FACTOR ** np.arange(words.shape[1], dtype=np.uint64)
        if _has_equals(words @ factors) and _has_equals(
            # No letter is 0, so that NumPy's strings, which end there, are whole.
            cells.view(f"S{cells.shape[1]}").reshape(-1)
        ):
            return True
    return False


def _has_equals(values: NDArray[Any]) -> bool:
    ordered = np.sort(values)
    return bool((ordered[1:] == ordered[:-1]).any())


def check_names(names: Iterable[object]) -> None:
    """Refuse what cannot be the names of attributes.

    Raises:
        FormatError: a name is empty or not printable, or occurs twice.
        LimitExceededError: a name is too long.
    """
    seen = set()
    for name in names:
        if not isinstance(name, str) or not name or not name.isprintable():
            raise FormatError("an attribute's name is empty or not plain text")
        if len(name) > limits.MAX_ATTRIBUTE_NAME_CHARS:
            raise LimitExceededError("an attribute's name is too long")
        if name in seen:
            raise FormatError("an attribute's name occurs twice")
        seen.add(name)


def _check_text(text: memoryview) -> None:
    """UTF-8 without control characters: a terminal would obey those, and matches print the text."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(text), _CHUNK_BYTES):
        # One byte more, so that a character of two bytes is seen whole once.
        chunk = np.frombuffer(text[start : start + _CHUNK_BYTES + 1], np.uint8)
        if bool(((chunk < 0x20) | (chunk == 0x7F)).any()) or bool(
            ((chunk[:-1] == 0xC2) & (chunk[1:] < 0xA0)).any()
        ):
            raise FormatError("its text has control characters")
        part = text[start : start + _CHUNK_BYTES]
        try:
            decoder.decode(bytes(part), final=start + len(part) == len(text))
        except UnicodeDecodeError as error:
            raise FormatError("its text is not UTF-8") from error


def has_control_characters(text: str) -> bool:
    """Whether ``text`` has a C0 or C1 control character, line breaks included."""
    # What may be printed has none: a catalogue asks for each of its texts, and nearly all are so.
    if text.isprintable():
        return False
    codes = np.frombuffer(text.encode("utf-32-le"), "<u4")
    return bool(((codes < 0x20) | ((codes >= 0x7F) & (codes < 0xA0))).any())
