"""``edgeseg index``: build a catalogue from pictures, look into one, and bring it up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgeseg.cli import console, duplicates, generations, index_build
from edgeseg.cli.options import JsonOption

_INFO_HELP = """Say what a catalogue holds and which embedder it belongs to.

Examples:

\b
  edgeseg index info shop.catalogue
  edgeseg index info shop.catalogue --json
"""


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    group = typer.Typer(
        help="Build a catalogue from pictures, look into one, and bring it up to date.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    index_build.register(group)
    group.command("info", help=_INFO_HELP, no_args_is_help=True)(info)
    duplicates.register(group)
    generations.register(group)
    app.add_typer(group, name="index")


def info(
    catalogue: Annotated[Path, typer.Argument(metavar="CATALOGUE", help="A catalogue file.")],
    as_json: JsonOption = False,
) -> None:
    """Print a catalogue's facts; see ``_INFO_HELP``."""
    from edgeseg.catalogue import Catalogue

    document = Catalogue.open(catalogue).info()
    if as_json:
        console.print_json(document)
        return
    rows = [
        (name, ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value))
        for name, value in document.items()
    ]
    console.print_table(("", str(catalogue)), rows)
