"""``edgeseg convert``: a trained checkpoint in, a bundle for the handheld out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeseg.cli import console
from edgeseg.cli.options import JsonOption

if TYPE_CHECKING:
    from converters.recipe import Recipe
    from converters.report import Report
    from converters.trials import Trial

_AUTO = "auto"
_HELP = """Compress a checkpoint and pack it into a bundle.

Pruning (on request), quantization after a recipe, conversion to TFLite, and a comparison with the
float network: below the floor nothing is written. Without photographs, drawn pictures set the
ranges; real ones are better. Recipes: float32, float16, dynamic_wi8, static_wi8_ai8 and its
variants _recalibrated, _equalized and _float_head, static_wi8_ai16, qat_wi8_ai8, or the path of
your own JSON file. With --recipe auto they are tried from the cheapest up, beside other tools'
int8, until one keeps the IoU drop within the floor in every folder of labelled photographs.

A network of several classes is compared on category masks, laid out as for `edgeseg train classes`.

Examples:

\b
  edgeseg convert segmenter.safetensors --recipe float16 -o shop.bundle
  edgeseg convert segmenter.safetensors --embedder embedder.safetensors \\
      --recipe static_wi8_ai8 --representative photos/ --parity labelled/ -o shop.bundle
  edgeseg convert segmenter.safetensors --recipe auto --floor-iou-drop 0.003 \\
      --representative photos/ --parity labelled/ -o shop.bundle
  edgeseg convert segmenter.safetensors --recipe qat_wi8_ai8 --data labelled/ \\
      --prune structured:0.4 --keep-checkpoint pruned.safetensors -o small.bundle
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("convert", help=_HELP, no_args_is_help=True)(convert)


def convert(
    checkpoint: Annotated[Path, typer.Argument(help="The segmenter's checkpoint.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="BUNDLE", help="The bundle to write.")
    ],
    embedder: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="An embedder to pack beside it: a checkpoint, or a bundle whose embedder is taken "
            "as it is, so that its catalogues fit the new one too.",
        ),
    ] = None,
    recipe: Annotated[
        str, typer.Option(metavar="NAME", help="How to compress; `auto` finds out.")
    ] = "static_wi8_ai8",
    representative: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Photographs that set the int8 ranges. Repeatable."),
    ] = None,
    parity: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Photographs to compare on, with masks for the IoU drop. Repeatable. "
            "Default: the representative ones.",
        ),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Labelled photographs to fine-tune on (pruning, qat_wi8_ai8). Repeatable. "
            "Default: the representative ones, labelled by the float network.",
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(
            metavar="CHECKPOINT",
            help="A larger segmenter, whose confidence is blended into the labels of --data.",
        ),
    ] = None,
    floor_iou_drop: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Largest fall of the mean IoU. Default: the recipe's."),
    ] = None,
    prune: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND:SHARE",
            help="`structured:0.4` removes whole filters and layers worth that share of the "
            "latency; `magnitude:0.5` sets that share of the weights to zero, which saves "
            "compressed bytes only. Repeatable. Default: the recipe's.",
        ),
    ] = None,
    latency_budget: Annotated[
        str | None,
        typer.Option(
            metavar="SHAREx",
            help="Structured pruning until the int8 network takes this share of its time, "
            "such as 0.5x.",
        ),
    ] = None,
    keep_checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="CHECKPOINT",
            help="Write the pruned network here too, whether or not the bundle passes.",
        ),
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Show the ten layers that add the most error.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Convert a checkpoint; see ``_HELP``."""
    console.settings.quiet = as_json
    shares = [_prune_share(each) for each in prune or ()]
    budget = None if latency_budget is None else _latency_share(latency_budget)
    from converters.quiet import quiet_native_stderr
    from converters.recipes import ladder, load_recipe

    rungs = ladder() if recipe == _AUTO else (load_recipe(recipe),)
    rungs = tuple(
        rung.with_overrides(
            iou_drop=floor_iou_drop,
            sparsity=dict(shares).get("magnitude"),
            structured_share=dict(shares).get("structured"),
            latency_budget=budget,
        )
        for rung in rungs
    )
    asked = _Asked(
        checkpoint,
        embedder,
        rungs,
        output,
        tuple(representative or ()),
        tuple(parity or ()),
        tuple(data or ()),
        teacher,
        keep_checkpoint,
    )
    with contextlib.nullcontext() if console.settings.debug else quiet_native_stderr():
        report = _run(asked, as_json)
    if as_json:
        console.print_json({"bundle": str(output), **report.to_dict()})
        return
    _print(report, layers)
    if keep_checkpoint is not None:
        console.print_line(f"{keep_checkpoint} (the pruned network)")
    console.print_line(f"{output} ({output.stat().st_size:,} bytes)")


def _prune_share(text: str) -> tuple[str, float]:
    found = re.fullmatch(r"(structured|magnitude):(0?\.\d+)", text)
    if found is None:
        raise typer.BadParameter(
            f"{text!r}: write structured:0.4 or magnitude:0.5", param_hint="--prune"
        )
    return found[1], float(found[2])


def _latency_share(text: str) -> float:
    found = re.fullmatch(r"(0?\.\d+)x", text)
    if found is None:
        raise typer.BadParameter(
            f"{text!r}: write a share such as 0.5x", param_hint="--latency-budget"
        )
    return float(found[1])


@dataclass(frozen=True)
class _Asked:
    """The command's arguments, of types that need no TensorFlow."""

    checkpoint: Path
    embedder: Path | None
    rungs: tuple[Recipe, ...]
    output: Path
    representative: tuple[Path, ...]
    parity: tuple[Path, ...]
    tuning: tuple[Path, ...]
    teacher: Path | None
    keep_checkpoint: Path | None


def _run(asked: _Asked, as_json: bool) -> Report:
    # TensorFlow greets on its import: inside the silence.
    with console.needs_extra("convert"):
        from converters.auto import NoRecipeError
        from converters.pipeline import convert as run
        from converters.sources import Sources

    sources = Sources(asked.representative, asked.parity, asked.tuning, asked.teacher)
    step = ""
    with console.progress_reporter("converting") as report_steps:

        def on_progress(name: str, done: int, total: int) -> None:
            nonlocal step
            if name != step:
                step = name
                console.print_note(name)
            report_steps(done, total)

        try:
            return run(
                asked.checkpoint,
                asked.embedder,
                asked.rungs,
                asked.output,
                sources,
                on_progress,
                asked.keep_checkpoint,
            )
        except NoRecipeError as error:
            # What was tried is the result, even where nothing was good enough.
            if as_json:
                trials = [trial.to_dict() for trial in error.trials]
                console.print_json({"bundle": None, "trials": trials})
            else:
                _print_trials(error.trials)
            raise


def _print(report: Report, layers: bool) -> None:
    from converters import summary

    _print_trials(report.trials)
    if report.bought:
        console.print_table(*summary.bought_table(report))
    console.print_table(*summary.change_table(report))
    if layers:
        console.print_table(*summary.layer_table(report))
    for line in summary.notes(report):
        console.print_line(line)


def _print_trials(trials: Sequence[Trial]) -> None:
    from converters.trials import COLUMNS

    if trials:
        console.print_table(COLUMNS, [trial.row() for trial in trials])
