"""``edgeseg fleet``: who is behind, and who fails and why."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Annotated

import typer

from edgeseg.cli import console
from edgeseg.cli.confirmed import passed_over, tell
from edgeseg.cli.options import JsonOption

_HELP = """Tell from sync reports who is behind, and who fails and why.

REPORTS are files and folders of them, as `edgeseg sync --report-to` leaves. The newest report of
each device counts; the newest generation is the newest that any report names, or --generation.
Whoever fails or is behind comes first; the exit code is 1 where there is one and --strict is given.

Confirmations of the handheld page come with the reports: of each device it is told how many came,
of how many the cutout was corrected, and how many said none of these.

Examples:

\b
  edgeseg fleet /srv/reports
  edgeseg fleet /srv/reports --silent-hours 24 --json
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("fleet", help=_HELP, no_args_is_help=True)(fleet)


def fleet(
    reports: Annotated[
        list[Path], typer.Argument(metavar="REPORTS...", help="Report files, or folders of them.")
    ],
    generation: Annotated[
        int | None, typer.Option(min=1, help="The generation that all are to have.")
    ] = None,
    silent_hours: Annotated[
        float, typer.Option(min=0.01, help="A device that was not heard of for so long is silent.")
    ] = 48.0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 unless all are current.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the fleet; see ``_HELP``."""
    console.settings.quiet = as_json
    from edgeseg.sync.clock import now
    from edgeseg.sync.fleet import count_confirmed, gather, read_reports, summarize

    read, failures = read_reports(reports)
    gathering = gather(reports)
    confirmed = count_confirmed(gathering)
    summary = summarize(read, now(), silent_hours * 3600, generation, confirmed)
    if as_json:
        document = summary.to_dict() | {"unreadable": failures}
        document["confirmed"] |= passed_over(gathering)
        console.print_json(document)
    else:
        rows: list[tuple[object, ...]] = [
            (
                each.device,
                each.standing,
                "-" if each.generation is None else each.generation,
                "-" if each.behind is None else each.behind,
                f"{each.silent_hours:.1f}",
                each.syncs,
                each.failed,
                f"{each.received_bytes:,}",
                f"{each.seconds:.1f}",
                *(("-",) * 3 if each.confirmed is None else astuple(each.confirmed)),
                each.error,
            )
            for each in summary.devices
        ]
        columns: tuple[str, ...] = (
            "device", "standing", "generation", "behind", "hours ago", "syncs", "failed", "bytes",
            "seconds", "confirmed", "corrected", "none", "why",
        )  # fmt: skip
        if any(each.shard is not None for each in summary.devices):
            columns = (*columns[:2], "shard", *columns[2:])
            shards = ["-" if each.shard is None else each.shard for each in summary.devices]
            rows = [(*row[:2], own, *row[2:]) for row, own in zip(rows, shards, strict=True)]
        console.print_table(columns, rows)
        console.print_line(
            f"{summary.current} of {len(summary.devices)} devices are current at generation "
            f"{summary.generation}"
        )
    tell(gathering)
    for failure in failures:
        console.print_error(failure)
    if failures or (strict and summary.current < len(summary.devices)):
        raise typer.Exit(console.EXIT_FAILURE)
