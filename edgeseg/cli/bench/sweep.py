"""``edgeseg bench sweep``: files and settings against each other, quality beside time."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from edgeseg.cli import console
from edgeseg.cli.bench import measuring
from edgeseg.cli.bench.measuring import (
    ImagesOption,
    InterpreterChoice,
    MasksOption,
    Measuring,
    PercentileOption,
    PhotoOption,
    ProcessesOption,
    QueriesOption,
    ResolveOption,
    SamplesOption,
    SplitNameOption,
    SplitOption,
    TargetChoice,
    TargetOption,
)
from edgeseg.cli.bench.output import HtmlOption, MarkdownOption, OutOption, deliver
from edgeseg.cli.options import JsonOption

_HELP = """Run every combination of files and settings in one run, quality beside milliseconds.

FILES are bundles and models, or the names of built-in bundles; without any, all three built-in
ones. Each axis takes a list with commas; what is not given stays as it is. With --split (or
--images and --masks) and --queries every configuration is scored, too, and --html draws which of
them no other beats in both. A sweep is a report like any other: compare and gate read it.

Examples:

\b
  edgeseg bench sweep --threads 1,2 --split labels.csv --html sweep.html
  edgeseg bench sweep float.bundle int8.bundle --xnnpack on,off --target segment
  edgeseg bench sweep small --precision int8,int10,float32 --target search
  edgeseg bench sweep small --interpreter ai-edge-litert,tflite-runtime
"""

T = TypeVar("T")


class _Switch(str, Enum):
    on = "on"
    off = "off"


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command("sweep", help=_HELP)(sweep)


def sweep(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[BUNDLE | MODEL.tflite]...", help="Default: nano, small, base."),
    ] = None,
    threads: Annotated[str, typer.Option(metavar="N,N", help="Threads of the interpreter.")] = "1",
    interpreter: Annotated[
        str | None, typer.Option(metavar="NAME,NAME", help="ai-edge-litert, tflite-runtime.")
    ] = None,
    xnnpack: Annotated[
        str | None, typer.Option(metavar="on,off", help="The default delegate.")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(metavar="NAME,NAME", help="Codes of a drawn catalogue: int8, int10, float32."),
    ] = None,
    catalogue: Annotated[
        list[Path] | None,
        typer.Option(metavar="CATALOGUE", help="Search this one; repeat for more."),
    ] = None,
    photo: PhotoOption = None,
    images: ImagesOption = None,
    masks: MasksOption = None,
    split: SplitOption = None,
    split_name: SplitNameOption = "val",
    queries: QueriesOption = None,
    target: TargetOption = None,
    samples: SamplesOption = measuring.SAMPLES,
    percentile: PercentileOption = None,
    processes: ProcessesOption = measuring.PROCESSES,
    resolve: ResolveOption = None,
    out: OutOption = None,
    html: HtmlOption = None,
    markdown: MarkdownOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sweep; see ``_HELP``."""
    console.settings.quiet = as_json
    if precision is not None and catalogue:
        raise typer.BadParameter("--precision is of a drawn catalogue; --catalogue has its own")
    asked = Measuring(
        scenarios=[measuring.ScenarioChoice.single_stream],
        targets=target or [TargetChoice.model, TargetChoice.search, TargetChoice.match],
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
    )
    asked.check(catalogue[0] if catalogue else None)

    from device_bench.configuration import Configuration
    from device_bench.target import Settings

    combinations = itertools.product(
        measuring.or_built_in(files or [Path(name) for name in ("nano", "small", "base")]),
        _axis("--threads", threads, _count, 1),
        _axis("--interpreter", interpreter, lambda text: InterpreterChoice(text).value, None),
        _axis("--xnnpack", xnnpack, lambda text: _Switch(text) is _Switch.on, _delegates()),
        catalogue or (None,),
        _axis("--precision", precision, _known_precision, None),
    )
    configurations = [
        Configuration(path, Settings(count, name, delegated), searched, codes)
        for path, count, name, delegated, searched, codes in combinations
    ]
    deliver(measuring.measure(configurations, asked), out, html, markdown, as_json)


def _axis(option: str, text: str | None, read: Callable[[str], T], otherwise: T) -> list[T]:
    """The values of an axis.

    Raises:
        typer.BadParameter: One of them is none.
    """
    if text is None:
        return [otherwise]
    try:
        return [read(part.strip()) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"{option} {text}: {error}") from error


def _delegates() -> bool:
    from edgeseg import runtime

    return runtime.uses_xnnpack()


def _known_precision(text: str) -> str:
    from edgeseg.formats.codes import PRECISIONS

    if text not in PRECISIONS:
        raise ValueError(f"{text!r} is not one of {', '.join(PRECISIONS)}")
    return text


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 64:
        raise ValueError(f"{count} is not between 1 and 64")
    return count
