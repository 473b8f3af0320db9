"""``edgeseg bench``: the harness, one file a command."""

from __future__ import annotations

import typer

from edgeseg.cli.bench import compare, gate, profile, run, schema, show, sweep
from edgeseg.cli.default_command import defaulting_to

_HELP = """Measure models and bundles, and judge what was measured.

`edgeseg bench FILE...` is short for `edgeseg bench run FILE...`.

Examples:

\b
  edgeseg bench my.bundle --out today.json
  edgeseg bench compare yesterday.json today.json
  edgeseg bench gate today.json --max-p90-ms 80 --min-iou 0.9
"""

_COMMANDS = (run, sweep, compare, gate, profile, show, schema)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(cls=defaulting_to("run", alone=True), help=_HELP)
    for command in _COMMANDS:
        command.register(group)
    app.add_typer(group, name="bench")
