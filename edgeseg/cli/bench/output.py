"""Where a bench report goes: the terminal, and files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeseg.cli import console

OutOption = Annotated[
    Path | None, typer.Option(metavar="JSON", help="Keep the report, for compare and gate.")
]
HtmlOption = Annotated[
    Path | None, typer.Option(metavar="HTML", help="Write one page with plots, of no other file.")
]
MarkdownOption = Annotated[
    Path | None, typer.Option(metavar="MD", help="Write the tables as Markdown.")
]


def deliver(
    report: Mapping[str, Any],
    out: Path | None,
    html: Path | None,
    markdown: Path | None,
    as_json: bool,
) -> None:
    """Write what is asked for, and print the tables or the document."""
    from edgeseg.files import write_atomic

    if out is not None:
        write_atomic(out, (json.dumps(report, indent=1) + "\n").encode())
    if html is not None:
        from device_bench.report.page import page

        write_atomic(html, page(report).encode())
    if markdown is not None:
        from device_bench.report.markdown import markdown as as_markdown

        write_atomic(markdown, as_markdown(report).encode())
    if as_json:
        console.print_json(report)
    else:
        _print(report)
    for path in (out, html, markdown):
        if path is not None:
            console.print_note(f"wrote {path}")


def _print(report: Mapping[str, Any]) -> None:
    from device_bench.report.tables import environment_lines, scenario_lines, tables

    for line in environment_lines(report):
        console.print_line(line)
    for title, columns, rows in tables(report):
        console.print_line("")
        console.print_line(title)
        console.print_table(columns, rows)
    for line in scenario_lines(report):
        console.print_line(line)
    for note in report["notes"]:
        console.print_line(f"note: {note}")
