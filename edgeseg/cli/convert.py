"""``edgeseg convert``: a trained checkpoint in, a bundle for the handheld out."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeseg.cli import console
from edgeseg.cli.options import JsonOption

if TYPE_CHECKING:
    from converters.recipe import Recipe
    from converters.report import Report

_HELP = """Compress a checkpoint and pack it into a bundle.

Pruning (on request), quantization after a recipe, conversion to TFLite, and a comparison with the
float network: below the floor nothing is written. Without photographs, drawn pictures set the
ranges; real ones are better. Recipes: float32, float16, dynamic_wi8, static_wi8_ai8, qat_wi8_ai8,
or the path of your own JSON file.

Examples:

\b
  edgeseg convert segmenter.safetensors --recipe float16 -o shop.bundle
  edgeseg convert segmenter.safetensors --embedder embedder.safetensors \\
      --recipe static_wi8_ai8 --representative photos/ --parity labelled/ -o shop.bundle
  edgeseg convert segmenter.safetensors --recipe qat_wi8_ai8 --data labelled/ \\
      --prune-sparsity 0.5 -o small.bundle
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
        Path | None, typer.Option(metavar="CHECKPOINT", help="An embedder to pack beside it.")
    ] = None,
    recipe: Annotated[
        str, typer.Option(metavar="NAME", help="How to compress.")
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
    floor_iou_drop: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Largest fall of the mean IoU. Default: the recipe's."),
    ] = None,
    prune_sparsity: Annotated[
        float | None,
        typer.Option(min=0.01, max=0.99, help="Share of weights to prune. Default: the recipe's."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Convert a checkpoint; see ``_HELP``."""
    console.settings.quiet = as_json
    from converters.quiet import quiet_native_stderr
    from converters.recipe import load_recipe

    chosen = load_recipe(recipe).with_overrides(iou_drop=floor_iou_drop, sparsity=prune_sparsity)
    with contextlib.nullcontext() if console.settings.debug else quiet_native_stderr():
        report = _run(
            checkpoint,
            embedder,
            chosen,
            output,
            tuple(representative or ()),
            tuple(parity or ()),
            tuple(data or ()),
        )
    if as_json:
        console.print_json({"bundle": str(output), **report.to_dict()})
        return
    columns, rows = report.table()
    console.print_table(columns, rows)
    console.print_line(f"calibrated on {report.representative}")
    if report.tuning is not None:
        console.print_line(f"fine-tuned on {report.tuning}")
    console.print_line(f"{output} ({output.stat().st_size:,} bytes)")


def _run(
    checkpoint: Path,
    embedder: Path | None,
    recipe: Recipe,
    output: Path,
    representative: tuple[Path, ...],
    parity: tuple[Path, ...],
    data: tuple[Path, ...],
) -> Report:
    with console.needs_extra("convert"):
        from converters.pipeline import Sources
        from converters.pipeline import convert as run

    step = ""
    with console.progress_reporter("converting") as report_steps:

        def on_progress(name: str, done: int, total: int) -> None:
            nonlocal step
            if name != step:
                step = name
                console.print_note(name)
            report_steps(done, total)

        sources = Sources(representative, parity, data)
        return run(checkpoint, embedder, recipe, output, sources, on_progress)
