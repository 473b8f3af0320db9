"""``edgeseg bench schema``: what a report's JSON is made of."""

from __future__ import annotations

import typer

from edgeseg.cli import console

_HELP = """Print the JSON Schema (2020-12) of the report that --out and --json of `bench run` give.

\b
Examples:

\b
  edgeseg bench schema > report.schema.json
  edgeseg bench --json > report.json
  check-jsonschema --schemafile report.schema.json report.json
"""


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command("schema", help=_HELP)(schema)


def schema() -> None:
    """Print it; see ``_HELP``."""
    from device_bench.report.document import read_schema

    console.print_json(read_schema())
