"""``edgeseg bench gate``: whether a report is good enough to ship."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeseg.cli import console
from edgeseg.cli.bench.measuring import ScenarioChoice
from edgeseg.cli.options import JsonOption

if TYPE_CHECKING:
    from device_bench.gate import Held

_HELP = """Hold a report against bounds: exit 0 when all hold, 1 with the reason when one does not.

REPORT is one that `edgeseg bench --out` kept. Every configuration in it must hold every bound. What
was not measured does not hold. Times and memory are those of the whole match, unless --target names
another: segment, embed, search, model, segmenter, embedder.

\b
Examples:

\b
  edgeseg bench gate report.json --max-p90-ms 80 --min-iou 0.9
  edgeseg bench gate report.json --target segmenter --max-p50-ms 20 --max-peak-mb 100 --sure
"""

_Bound = Annotated[float | None, typer.Option(min=0.0)]


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command("gate", help=_HELP, no_args_is_help=True)(gate)


def gate(
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="A report.")],
    target: Annotated[
        str, typer.Option(metavar="KIND", help="Whose times and memory are judged.")
    ] = "match",
    scenario: Annotated[
        ScenarioChoice | None, typer.Option(help="Of which scenario. Default: single_stream.")
    ] = None,
    max_p50_ms: _Bound = None,
    max_p90_ms: _Bound = None,
    max_p99_ms: _Bound = None,
    max_load_ms: _Bound = None,
    max_peak_mb: _Bound = None,
    max_steady_mb: _Bound = None,
    max_energy_mj: _Bound = None,
    max_drift: Annotated[
        float | None, typer.Option(min=0.0, help="Under sustained: the end over the start.")
    ] = None,
    min_iou: _Bound = None,
    min_recall_at_1: _Bound = None,
    min_recall_at_5: _Bound = None,
    min_recall_at_10: _Bound = None,
    sure: Annotated[
        bool, typer.Option("--sure", help="Judge by the worse end of each 95% interval.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge; see ``_HELP``."""
    given = {
        "p50_ms": max_p50_ms, "p90_ms": max_p90_ms, "p99_ms": max_p99_ms, "load_ms": max_load_ms,
        "peak_mb": max_peak_mb, "steady_mb": max_steady_mb, "energy_mj": max_energy_mj,
        "drift": max_drift, "iou": min_iou, "recall_at_1": min_recall_at_1,
        "recall_at_5": min_recall_at_5, "recall_at_10": min_recall_at_10,
    }  # fmt: skip
    if all(value is None for value in given.values()):
        raise typer.BadParameter("give a bound, as in --max-p90-ms 80")

    from device_bench.gate import Bar, judge
    from device_bench.report.stored import read_report

    bars = [Bar(name, value) for name, value in given.items() if value is not None]
    chosen = None if scenario is None else scenario.value
    held = judge(read_report(report), bars, target, chosen, sure)
    fine = all(each.status == "held" for each in held)
    if as_json:
        console.print_json({"held": fine, "bounds": [_document(each) for each in held]})
    else:
        columns = ("of", "bound", "measured", "")
        console.print_table(columns, [(e.of, _bound(e), _measured(e), _status(e)) for e in held])
    if not fine:
        short = [
            f"{e.of}: {e.bar.figure} {_measured(e)}, and {_bound(e)} was asked for"
            for e in held
            if e.status != "held"
        ]
        console.print_error(f"the gate is shut: {'; '.join(short)}")
        raise typer.Exit(console.EXIT_FAILURE)


def _document(held: Held) -> dict[str, object]:
    return {
        "of": held.of,
        "figure": held.bar.figure,
        "bound": held.bar.value,
        "rule": "<=" if held.bar.upper else ">=",
        "measured": held.value,
        "interval": held.interval,
        "status": held.status,
        "near": held.near,
    }


def _bound(held: Held) -> str:
    return f"{held.bar.figure} {'<=' if held.bar.upper else '>='} {held.bar.value:g}"


def _measured(held: Held) -> str:
    if held.value is None:
        return "not measured"
    interval = "" if held.interval is None else f" ({held.interval[0]:.4g}-{held.interval[1]:.4g})"
    return f"{held.value:.4g}{interval}"


def _status(held: Held) -> str:
    return f"{held.status}{', within noise of the bound' if held.near else ''}"
