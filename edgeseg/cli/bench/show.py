"""``edgeseg bench show``: a report that was kept, as tables, Markdown or a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgeseg.cli import console
from edgeseg.cli.bench.output import HtmlOption, MarkdownOption, deliver
from edgeseg.cli.options import JsonOption

_HELP = """Show a report that was kept: as tables, as Markdown, or as a page with plots.

\b
Examples:

\b
  edgeseg bench show report.json
  edgeseg bench show report.json --html report.html
"""


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command("show", help=_HELP, no_args_is_help=True)(show)


def show(
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="From `edgeseg bench --out`.")],
    html: HtmlOption = None,
    markdown: MarkdownOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print and write; see ``_HELP``."""
    console.settings.quiet = as_json
    from device_bench.report.stored import read_report

    deliver(read_report(report), None, html, markdown, as_json)
