"""``edgeseg bench run``: how long models and bundles take here, and how much memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeseg.cli import console
from edgeseg.cli.bench.on import (
    OnOption,
    RemotePythonOption,
    RemoteTmpOption,
    SshOption,
    WheelsOption,
    bench_on_device,
)
from edgeseg.cli.options import JsonOption, ThreadsOption

_HELP = """Time models and bundles on this machine: cold and warm, percentiles, peak memory.

Give any number of .tflite files and bundles; without any, the built-in bundle. All take turns in
one run, each in a process of its own, and are compared with the first. A model's time is that of
its network alone; a bundle is also timed from the photo's file to its matches, stage by stage, on
drawn photos and a drawn catalogue unless you give your own.

Examples:

\b
  edgeseg bench
  edgeseg bench my.bundle peer.tflite --samples 200
  edgeseg bench my.bundle --catalogue shop.catalogue --photo a.jpg --photo b.jpg --json
  edgeseg bench a.tflite a.tflite                   how far apart noise alone puts two
  edgeseg bench my.bundle --on ssh://me@scanner     on the device, from the desk
"""

# Enough for a p99 of warm samples, and for a p90 of cold ones, which cost a process each.
_WARM_SAMPLES = 100
_COLD_SAMPLES = 10


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("run", help=_HELP)(run)


def run(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[BUNDLE | MODEL.tflite]...", help="Default: the built-in bundle."),
    ] = None,
    catalogue: Annotated[
        Path | None,
        typer.Option(metavar="CATALOGUE", help="Search this one. Default: a drawn one."),
    ] = None,
    photo: Annotated[
        list[Path] | None,
        typer.Option(metavar="PHOTO", help="A photo to match; repeat for more. Default: drawn."),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="Of a bundle, time only: model, segment, embed, search, match; repeat for more. "
            "Default: model, search and match.",
        ),
    ] = None,
    threads: ThreadsOption = 1,
    samples: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Warm invocations of each target.")
    ] = _WARM_SAMPLES,
    cold_samples: Annotated[
        int, typer.Option(min=0, max=10_000, help="Fresh processes of each target; 0 for none.")
    ] = _COLD_SAMPLES,
    on: OnOption = None,
    remote_python: RemotePythonOption = None,
    remote_tmp: RemoteTmpOption = None,
    wheels: WheelsOption = None,
    ssh_option: SshOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure and print; see ``_HELP``."""
    given = dict(locals())
    console.settings.quiet = as_json
    from device_bench import report
    from device_bench.plan import BUNDLE_TARGETS, DEFAULT_TARGETS, Inputs, plan
    from device_bench.runner import SCENARIOS, run_bench
    from device_bench.scenario import Scenario

    kinds = target or list(DEFAULT_TARGETS)
    for kind in kinds:
        if kind not in BUNDLE_TARGETS:
            raise typer.BadParameter(f"--target {kind}: not one of {', '.join(BUNDLE_TARGETS)}")
    if on is not None:
        _show(bench_on_device(run, given), as_json)
        return
    if not paths:
        from edgeseg.presets import preset_path

        paths = [preset_path()]
    counts = {"cold": cold_samples, "warm": samples}
    scenarios: list[Scenario] = [SCENARIOS[name](n) for name, n in counts.items() if n]
    with tempfile.TemporaryDirectory(prefix="edgeseg-bench-") as folder:
        inputs = Inputs(photo or [], catalogue, Path(folder), threads)
        result = run_bench(plan(paths, inputs, kinds), scenarios, threads, console.progress)
    _show(report.to_dict(result), as_json)


def _show(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        console.print_json(document)
    else:
        _print(document)


def _print(document: dict[str, Any]) -> None:
    from device_bench import report

    for line in report.environment_lines(document):
        console.print_line(line)
    console.print_table(*report.target_rows(document))
    for name in document["scenarios"]:
        columns, rows = report.stage_rows(document, name)
        if rows:
            console.print_table(columns, rows)
    for name, scenario in document["scenarios"].items():
        console.print_line(f"{name}: {scenario['timed']}; {scenario['samples']} samples a target")
    for note in document["notes"]:
        console.print_line(f"note: {note}")
