"""``edgeseg bench run``: how long models and bundles take here, and how much memory."""

from __future__ import annotations

from typing import Annotated

import typer

from edgeseg.cli import console
from edgeseg.cli.bench import measuring
from edgeseg.cli.bench.measuring import (
    CatalogueOption,
    ColdSamplesOption,
    FilesArgument,
    ImagesOption,
    InterpreterChoice,
    MasksOption,
    Measuring,
    MinutesOption,
    PercentileOption,
    PhotoOption,
    ProcessesOption,
    QueriesOption,
    ResolveOption,
    SamplesOption,
    ScenarioOption,
    SplitNameOption,
    SplitOption,
    SyncFromOption,
    SyncRootOption,
    TargetOption,
)
from edgeseg.cli.bench.on import (
    OnOption,
    RemotePythonOption,
    RemoteTmpOption,
    SshOption,
    WheelsOption,
    bench_on_device,
)
from edgeseg.cli.bench.output import HtmlOption, MarkdownOption, OutOption, deliver
from edgeseg.cli.options import JsonOption, ThreadsOption

_HELP = """Time models and bundles on this machine: percentiles with their intervals, and memory.

Give any number of .tflite files and bundles; without any, the built-in bundle. All take turns in
one run, each in processes of its own, and are compared with the first. A model's time is that of
its network alone; a bundle is also timed from the photo's file to its matches, stage by stage, on
drawn photos and a drawn catalogue unless you give your own. With labelled photos (--split, or
--images and --masks) or known matches (--queries with --catalogue) quality stands beside time.

Scenarios: cold_start (a fresh process each), single_stream (one invocation after the other),
sustained (without a pause, for minutes: does it slow down?), sync_while_matching (what a worker
notices of a catalogue that arrives).

Examples:

\b
  edgeseg bench
  edgeseg bench my.bundle peer.tflite --percentile 99 --html report.html
  edgeseg bench my.bundle --catalogue shop.catalogue --photo a.jpg --photo b.jpg --json
  edgeseg bench my.bundle --split labels.csv --queries queries.csv --catalogue shop.catalogue
  edgeseg bench my.bundle --scenario sustained --minutes 10 --out hot.json
  edgeseg bench my.bundle --resolve 5 --out release.json
  edgeseg bench my.bundle --on ssh://me@scanner --out scanner.json
  edgeseg bench run a.tflite a.tflite             how far apart noise alone puts two
"""


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command("run", help=_HELP)(run)


def run(
    paths: FilesArgument = None,
    catalogue: CatalogueOption = None,
    photo: PhotoOption = None,
    images: ImagesOption = None,
    masks: MasksOption = None,
    split: SplitOption = None,
    split_name: SplitNameOption = "val",
    queries: QueriesOption = None,
    scenario: ScenarioOption = None,
    target: TargetOption = None,
    threads: ThreadsOption = 1,
    interpreter: Annotated[
        InterpreterChoice | None,
        typer.Option("--interpreter", help="Which, where both are installed."),
    ] = None,
    xnnpack: Annotated[
        bool | None,
        typer.Option("--xnnpack/--no-xnnpack", help="Whether the default delegate takes part."),
    ] = None,
    samples: SamplesOption = measuring.SAMPLES,
    percentile: PercentileOption = None,
    processes: ProcessesOption = measuring.PROCESSES,
    resolve: ResolveOption = None,
    cold_samples: ColdSamplesOption = measuring.COLD_SAMPLES,
    minutes: MinutesOption = measuring.MINUTES,
    sync_from: SyncFromOption = None,
    sync_root: SyncRootOption = None,
    on: OnOption = None,
    remote_python: RemotePythonOption = None,
    remote_tmp: RemoteTmpOption = None,
    wheels: WheelsOption = None,
    ssh_option: SshOption = None,
    out: OutOption = None,
    html: HtmlOption = None,
    markdown: MarkdownOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure and print; see ``_HELP``."""
    given = dict(locals())
    console.settings.quiet = as_json
    asked = Measuring(
        scenarios=measuring.chosen(scenario, cold_samples),
        targets=target,
        photos=photo or [],
        images=images,
        masks=masks,
        split=split,
        split_name=split_name,
        queries=queries,
        samples=samples,
        percentile=percentile,
        processes=processes,
        resolve=resolve,
        cold_samples=cold_samples,
        minutes=minutes,
        sync_from=sync_from,
        sync_root=sync_root,
    )
    asked.check(catalogue)
    if on is not None:
        if split is not None or queries is not None:
            raise typer.BadParameter("--split and --queries name files that --on does not copy")
        deliver(bench_on_device(run, given), out, html, markdown, as_json)
        return

    from device_bench.configuration import Configuration
    from device_bench.target import Settings
    from edgeseg import runtime

    settings = Settings(
        threads=threads,
        interpreter=interpreter.value if interpreter else None,
        xnnpack=runtime.uses_xnnpack() if xnnpack is None else xnnpack,
    )
    configurations = [
        Configuration(path, settings, catalogue) for path in measuring.or_built_in(paths)
    ]
    deliver(measuring.measure(configurations, asked), out, html, markdown, as_json)
