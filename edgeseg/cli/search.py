"""``edgeseg search``: which network costs what on the device, and which is worth it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli import console
from edgeseg.cli.options import JsonOption
from edgeseg.cli.training_data import TrainingData, read_training_data
from edgeseg.cli.training_options import (
    BackgroundsOption,
    Precision,
    PrecisionOption,
    SeedOption,
    TeacherNotesOption,
    TeacherOption,
    UnlabelledOption,
)

if TYPE_CHECKING:
    from converters.search.quality import ShortTraining
    from converters.search.records import WorkFolder
    from converters.search.space import Candidate, Space
    from edgeseg.training.recipe import SegmenterRecipe

_HELP = """Search a space of networks for those that none beats in both latency and IoU.

Three phases, one work folder. "latency" converts every candidate to int8 and measures it in the
interpreter, one thread, in turn with the space's reference; no training, no photographs. "train"
trains candidates for a short while, all on the same photographs in the same order, and takes their
validation IoU. "report" writes device-networks.md, and device-networks.png with the front.

A candidate is done once: the same command goes on with a search that was interrupted. Spaces:
device, or the path of your own JSON file (see converters/search/space.py).

Examples:

\b
  edgeseg search device --phase latency --work runs/search
  edgeseg search device --phase train --work runs/search --data snapshots/=0.6 --data street/=0.4 \\
      --photographs 6000 --only compact --only k12
  edgeseg search device --phase report --work runs/search -o docs/
"""


class SearchPhase(str, Enum):
    """What to do; see ``_HELP``."""

    latency = "latency"
    train = "train"
    report = "report"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("search", help=_HELP, no_args_is_help=True)(search)


def search(
    space: Annotated[str, typer.Argument(metavar="SPACE", help="The candidates.")],
    phase: Annotated[SearchPhase, typer.Option(help="What to do.")],
    work: Annotated[Path, typer.Option(metavar="DIR", help="Keeps what is known of each.")],
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="This candidate alone. Repeatable.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="DIR[=WEIGHT]", help="Labelled photographs to train on. Repeatable."),
    ] = None,
    photographs: Annotated[
        int, typer.Option(min=1, help="How many each candidate is shown in training.")
    ] = 6000,
    backgrounds: BackgroundsOption = None,
    teacher: TeacherOption = None,
    teacher_notes: TeacherNotesOption = None,
    unlabelled: UnlabelledOption = None,
    recipe: Annotated[
        str, typer.Option(metavar="NAME", help="How to train; its network and length aside.")
    ] = "default",
    seed: SeedOption = 0,
    precision: PrecisionOption = Precision.float32,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="The report's folder.")
    ] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Search; see ``_HELP``."""
    console.settings.quiet = as_json
    from converters.quiet import quiet_native_stderr
    from converters.search.records import WorkFolder
    from converters.search.space import load_space

    chosen = load_space(space)
    folder = WorkFolder(work)
    candidates = chosen.chosen(list(only or ()))
    if phase is SearchPhase.report:
        _report(chosen, folder, output, as_json)
        return
    with contextlib.nullcontext() if console.settings.debug else quiet_native_stderr():
        if phase is SearchPhase.latency:
            records = _measure(chosen, candidates, folder)
        else:
            if not data:
                raise typer.BadParameter("--phase train needs labelled photographs (--data)")
            training = _training(
                read=lambda how: read_training_data(
                    data,
                    [],
                    unlabelled or [],
                    backgrounds or [],
                    teacher,
                    how,
                    chosen.largest_px,
                    teacher_notes or folder.common_file("teacher.npz"),
                ),
                recipe=recipe,
                photographs=photographs,
                seed=seed,
                precision=precision,
            )
            records = _train([c for c in candidates if c.quantization != "none"], folder, training)
    if as_json:
        console.print_json({"candidates": records})
    elif phase is SearchPhase.latency:
        _tell_costs(records)
    else:
        _tell_quality(records)


def _measure(
    space: Space, candidates: tuple[Candidate, ...], folder: WorkFolder
) -> list[dict[str, Any]]:
    with console.needs_extra("convert"):
        from converters.search.cost import measure_costs

    with _steps("searching") as on_progress:
        return measure_costs(space, candidates, folder, on_progress)


def _training(
    read: Callable[[SegmenterRecipe], TrainingData],
    recipe: str,
    photographs: int,
    seed: int,
    precision: Precision,
) -> ShortTraining:
    with console.needs_extra("train"):
        from converters.search.quality import ShortTraining
        from edgeseg.training.recipe import SegmenterRecipe, load_recipe

    # Photographs are read as large as the largest candidate needs them, and shrunk for the others.
    how = replace(load_recipe(SegmenterRecipe, recipe), photo_px=None)
    found = read(how)
    return ShortTraining(
        recipe=how,
        photographs=photographs,
        dataset=found.dataset,
        folder_weights=found.weights,
        backgrounds=found.backgrounds,
        seed=seed,
        precision=precision.value,
        teacher=found.teacher,
    )


def _train(
    candidates: list[Candidate], folder: WorkFolder, training: ShortTraining
) -> list[dict[str, Any]]:
    from converters.search.quality import train_candidates

    with _steps("searching") as on_progress:
        return train_candidates(candidates, folder, training, on_progress)


@contextlib.contextmanager
def _steps(label: str) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar, and a line on standard error whenever another step begins."""
    step = ""
    with console.progress_reporter(label) as report_steps:

        def on_progress(name: str, done: int, total: int) -> None:
            nonlocal step
            if name != step:
                step = name
                console.print_note(name)
            report_steps(done, total)

        yield on_progress


def _report(space: Space, folder: WorkFolder, output: Path, as_json: bool) -> None:
    with console.needs_extra("train"):
        from converters.search.findings import findings
        from converters.search.report import write_report

    result = findings(space, folder)
    written = write_report(result, output)
    if as_json:
        console.print_json({"written": [str(path) for path in written], **result.to_dict()})
        return
    console.print_table(*result.table(result.found))
    for path in written:
        console.print_line(str(path))


def _tell_costs(records: list[dict[str, Any]]) -> None:
    rows = [
        (
            record["candidate"]["name"],
            record["candidate"]["input_px"],
            f"{record['parameters']:,}",
            f"{record['model_bytes']:,}",
            f"{record['latency']['ms']:.2f}",
            f"{record['latency']['ratio']:.3f}",
        )
        for record in sorted(records, key=lambda record: float(record["latency"]["ratio"]))
    ]
    columns = ("network", "px", "parameters", "bytes", "ms", f"of {records[0]['reference']}'s")
    console.print_table(columns, rows)


def _tell_quality(records: list[dict[str, Any]]) -> None:
    folders = list(records[0]["training"]["iou"])
    rows = [
        (
            record["candidate"]["name"],
            *(f"{record['training']['iou'][name]:.4f}" for name in folders),
            f"{record['training']['score']:.4f}",
            f"{record['training']['seconds']:.0f}",
        )
        for record in records
    ]
    columns = ("network", *(f"IoU {name}" for name in folders), "mean", "seconds")
    console.print_table(columns, rows)
