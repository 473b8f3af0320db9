"""``edgeseg doctor``: is this machine, this installation and this bundle fit for work."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeseg.cli import console
from edgeseg.cli.options import BundleOption, JsonOption

if TYPE_CHECKING:
    from edgeseg.diagnosis.finding import Finding

_HELP = """Check machine and installation, and name the command that mends each problem.

What loads native code runs in processes of its own, so that a library that was built for another
processor costs one line here. Both networks run, and answer a drawn picture as they have to. Only
names commands; changes nothing. Exits with 1 when something is broken, and with 0 after warnings.

Examples:

\b
  edgeseg doctor
  edgeseg doctor --bundle my.bundle --catalogue shop.catalogue --json
  edgeseg doctor --store /var/lib/edgeseg --need sync
"""


class NeedChoice(str, Enum):
    """The extras that can be asked for; the names in ``console.EXTRA_MODULES``."""

    sync = "sync"
    publish = "publish"
    train = "train"
    convert = "convert"
    peers = "peers"
    tflite = "tflite"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("doctor", help=_HELP)(doctor)


def doctor(
    bundle: BundleOption = None,
    catalogue: Annotated[
        Path | None,
        typer.Option(metavar="CATALOGUE", help="Also check that this catalogue fits the bundle."),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder of generations to check; else the usual one, where it is in use.",
        ),
    ] = None,
    need: Annotated[
        list[NeedChoice] | None,
        typer.Option(help="An extra that has to be there; may be repeated."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1.0, help="Seconds after which a check counts as hanging.")
    ] = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Examine the machine; see ``_HELP``."""
    from edgeseg.diagnosis.examination import Request, document, examine

    request = Request(
        bundle=str(bundle or ""),
        catalogue=str(catalogue or ""),
        store=str(store or ""),
        needed=[extra.value for extra in need or ()],
        extras=console.EXTRA_MODULES,
        timeout_s=timeout,
    )
    findings: list[Finding] = []
    with console.progress_reporter("examining") as report:
        for finding in examine(request):
            findings.append(finding)
            report(len(findings), len(findings) + 1)
    told = document(findings)
    if as_json:
        console.print_json(told)
    else:
        _print(findings)
    if told["status"] == "broken":
        raise typer.Exit(console.EXIT_FAILURE)


def _print(findings: Iterable[Finding]) -> None:
    rows = [(each.name, each.found, each.status) for each in findings]
    console.print_table(("check", "found", "status"), rows)
    sys.stdout.flush()  # the table comes before what is wrong, also in a log of both
    broken = [each for each in findings if each.status == "broken"]
    warnings = [each for each in findings if each.status == "warning"]
    for kind, problems in (("", broken), ("warning: ", warnings)):
        for problem in problems:
            console.print_error(f"{kind}{problem.name}: {problem.why or problem.found}")
            if problem.mend:
                # A line of its own, with nothing before it that a copy would take along.
                console.print_note(problem.mend)
    if not broken:
        told = f", with {len(warnings)} warnings" if len(warnings) > 1 else ", with a warning"
        console.print_line("all is well" + (told if warnings else ""))
