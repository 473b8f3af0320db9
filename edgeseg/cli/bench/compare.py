"""``edgeseg bench compare``: what changed from one report to another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeseg.cli import console
from edgeseg.cli.options import JsonOption

if TYPE_CHECKING:
    from device_bench.compare import Change, Comparison

_HELP = """Say what changed from one report to another, beyond noise.

Both are reports that `edgeseg bench --out` kept, of the same kinds of targets. Targets are
compared process by process, each sample as a ratio to a fixed piece of work done beside it, so that
a slower machine or a busy neighbour does not count. A change is told where it is 3% or more and its
interval does not reach 1. Memory, quality and the machine are compared, too.

Examples:

\b
  edgeseg bench compare before.json after.json
  edgeseg bench compare before.json after.json --fail-if-slower --json
"""


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command("compare", help=_HELP, no_args_is_help=True)(compare)


def compare(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="A report.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="A later one.")],
    least_change: Annotated[
        float,
        typer.Option("--least-change", min=0.0, max=1.0, help="Tell changes from this share on."),
    ] = 0.03,
    fail_if_slower: Annotated[
        bool, typer.Option("--fail-if-slower", help="Exit with 1 where something became slower.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare; see ``_HELP``."""
    from device_bench import compare as comparing
    from device_bench.report.stored import read_report

    told = comparing.compare(read_report(before), read_report(after), least_change)
    if not told.changes:
        raise _nothing_in_common(before, after)
    if as_json:
        console.print_json(told.to_dict())
    else:
        _print(told)
    if fail_if_slower and told.slower:
        raise typer.Exit(console.EXIT_FAILURE)


def _nothing_in_common(before: Path, after: Path) -> Exception:
    from device_bench.errors import BenchError

    return BenchError(f"{before} and {after} have no target in common")


def _print(told: Comparison) -> None:
    columns = ("target", "scenario", "before ms", "after ms", "ratio", "interval", "verdict")
    console.print_table(columns, [_row(change) for change in told.changes])
    for change in told.changes:
        if change.why:
            console.print_line(f"note: {change.target}, {change.scenario}: {change.why}")
    for line in (*told.others, *told.circumstances):
        console.print_line(f"note: {line}")
    console.print_line(told.headline())


def _row(change: Change) -> tuple[str, ...]:
    ratio = change.ratio
    return (
        change.target,
        change.scenario,
        f"{change.before_ms:.3f}",
        f"{change.after_ms:.3f}",
        "-" if ratio is None else f"{ratio.ratio:.3f}x",
        "-" if ratio is None else f"{ratio.low:.3f}-{ratio.high:.3f}",
        change.verdict,
    )
