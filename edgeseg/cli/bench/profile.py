"""``edgeseg bench profile``: where a model's milliseconds go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edgeseg.cli import console
from edgeseg.cli.options import JsonOption, ThreadsOption

_HELP = """Tell where the time of a model goes: per operator, per operator type and per block.

Each operator is cut out of the file and timed as a model of its own, in turns with the whole and on
what the operators before it give; the interpreter offers no profile of its own. `accounted for` is
the sum over all of them against the whole. A block is what the layers' names have in common before
the first underscore, such as down0 or up1; where they tell none, operators of one spatial size.

Examples:

\b
  edgeseg bench profile                             the built-in bundle's segmenter
  edgeseg bench profile my.bundle --network embedder
  edgeseg bench profile model.tflite --svg profile.svg --top 30
  edgeseg bench profile model.tflite --threads 2 --json
"""

_ROUNDS = 50
_TOP = 15
_NETWORKS = ("segmenter", "embedder")


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("profile", help=_HELP)(profile)


def profile(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[BUNDLE | MODEL.tflite]", help="Default: the built-in bundle."),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK", help="Of a bundle: segmenter or embedder. Default: segmenter."
        ),
    ] = None,
    threads: ThreadsOption = 1,
    samples: Annotated[
        int, typer.Option(min=1, max=100_000, help="Timed invocations of the whole and each part.")
    ] = _ROUNDS,
    top: Annotated[
        int, typer.Option(min=0, max=100_000, help="Show so many operators, the longest first.")
    ] = _TOP,
    every: Annotated[
        bool, typer.Option("--all", help="Show every operator, in the model's order.")
    ] = False,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Draw the blocks' times here.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure and print; see ``_HELP``."""
    console.settings.quiet = as_json
    from device_bench.plan import is_bundle
    from device_bench.profile.report import profile as measure

    if network is not None and network not in _NETWORKS:
        raise typer.BadParameter(f"--network {network}: not one of {', '.join(_NETWORKS)}")
    if path is None:
        from edgeseg.presets import preset_path

        path = preset_path()
    if is_bundle(path):
        network = network or "segmenter"
    elif network is not None:
        raise typer.BadParameter(f"--network is for bundles, and {path} is none")
    document = measure(path, network, threads, samples, console.progress)
    if svg is not None:
        from device_bench.profile.chart import draw
        from edgeseg.files import write_atomic

        write_atomic(svg, draw(document).encode())
    if as_json:
        console.print_json(document)
    else:
        _print(document, None if every else top)


def _print(document: dict[str, Any], most: int | None) -> None:
    from device_bench.profile import tables

    for line in tables.summary_lines(document):
        console.print_line(line)
    console.print_table(*tables.block_table(document))
    console.print_table(*tables.type_table(document))
    if most is None or most > 0:
        console.print_table(*tables.operator_table(document, most))
    for note in document["notes"]:
        console.print_line(f"note: {note}")
