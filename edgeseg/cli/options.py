"""The options that several commands have, spelled and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

BundleOption = Annotated[
    Path | None,
    typer.Option(
        "--bundle", metavar="BUNDLE", help="The bundle to use. Default: the built-in one."
    ),
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", min=1, max=64, help="Threads of the interpreter.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
