"""A report as Markdown, for a pull request or a wiki."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from device_bench.report.tables import environment_lines, scenario_lines, tables


def markdown(report: Mapping[str, Any]) -> str:
    """The same tables, lines and notes as on the terminal."""
    parts = ["# edgeseg bench", *environment_lines(report)]
    for title, columns, rows in tables(report):
        parts += [f"## {title}", _table(columns, rows)]
    parts += ["## What was timed", _list(scenario_lines(report))]
    if report["notes"]:
        parts += ["## Notes", _list([_cell(note) for note in report["notes"]])]
    return "\n\n".join(parts) + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] + ["---:"] * (len(columns) - 1), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _cell(text: str) -> str:
    """Text that no file name can make into a table's or a page's markup."""
    for character, safe in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("`", "\\`")):
        text = text.replace(character, safe)
    return " ".join(text.split())
