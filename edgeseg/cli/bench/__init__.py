"""``edgeseg bench``: the harness, one file a command."""

from __future__ import annotations

import typer

from edgeseg.cli.bench import profile, run
from edgeseg.cli.default_command import defaulting_to

_HELP = """Measure models and bundles, and judge what was measured.

`edgeseg bench FILE...` is short for `edgeseg bench run FILE...`.
"""

_COMMANDS = (run, profile)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(cls=defaulting_to("run", alone=True), help=_HELP)
    for command in _COMMANDS:
        command.register(group)
    app.add_typer(group, name="bench")
