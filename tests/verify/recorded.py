"""The page that keeps measured figures: written by the measurement, never by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeseg.errors import FormatError
from edgeseg.files import write_atomic
from tests.verify.figure import Row

_HEAD = ("| what | bar | measured |", "|---|---|---|")


def record(page: Path, suite: str, rows: Sequence[Row], order: Sequence[str] | None = None) -> None:
    """Put rows into a suite's table, in place of those of the same names.

    Rows that were not measured this time stay as they are, so that a long suite can be measured in
    pieces; a row whose promise is no longer made goes.

    Args:
        page: A Markdown file with the lines ``<!-- SUITE: begin -->`` and ``<!-- SUITE: end -->``.
        suite: Of ``tests.verify.__main__.SUITES``.
        rows: As measured.
        order: What each figure of the suite measures, as the suite has them; None keeps the rows
            that the table has, and adds none.

    Raises:
        FormatError: The page has no such lines.
    """
    text = page.read_text(encoding="utf-8")
    begin, end = f"<!-- {suite}: begin -->\n", f"<!-- {suite}: end -->\n"
    before, found, rest = text.partition(begin)
    table, closed, after = rest.partition(end)
    if not found or not closed:
        raise FormatError(f"{page.name} has no place for the figures of {suite}")
    lines = {line.split("|")[1].strip(): line for line in table.splitlines() if _is_row(line)}
    names = list(lines) if order is None else [_cell(what) for what in order]
    lines |= {_cell(row.what): _line(row) for row in rows}
    written = "\n".join((*_HEAD, *(lines[name] for name in names if name in lines), ""))
    write_atomic(page, f"{before}{begin}{written}{end}{after}".encode())


def _line(row: Row) -> str:
    aside = "" if row.fine else f" ({row.status})"
    return f"| {_cell(row.what)} | {row.bar} | {row.measured}{aside} |".replace("  ", " ")


def _cell(text: str) -> str:
    return text.replace("|", "/")


def _is_row(line: str) -> bool:
    return line.startswith("| ") and line != _HEAD[0]
