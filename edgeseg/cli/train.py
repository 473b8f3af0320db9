"""``edgeseg train``: labelled photographs in, a checkpoint and the record of its run out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli import console
from edgeseg.cli.options import BundleOption, JsonOption

if TYPE_CHECKING:
    from edgeseg.training.fit import History

_SEGMENTER_HELP = """Train a Tiramisu on labelled photographs.

A data folder holds split.csv (columns image, mask and, where known, split and group), or images/
and masks/ paired by file stem; without a split a fifth of the groups is held out. The run's folder
keeps the checkpoint with the best validation IoU, history.json, curves.png and predictions.png
(the worst ten and ten random ones). The same command goes on with a run that was interrupted.

Recipes: default, seed, or the path of your own JSON file.

Examples:

\b
  edgeseg train segmenter --data snapshots/ --data street/ -o runs/first
  edgeseg train segmenter --data snapshots/=0.6 --data street/=0.4 --backgrounds floors/ -o runs/a
  edgeseg train segmenter --data snapshots/ --recipe seed -o runs/seed
"""

_EMBEDDER_HELP = """Train an embedder to find an item's catalogue picture from its snapshot.

A data folder holds items.csv with a sku column (pictures on white; those of one SKU show one item),
split.csv with masks, or items.csv without sku (photographs, cut out by the bundle's segmenter).
Snapshots are composed from every picture and cut out by that segmenter. The same command goes on
with a run that was interrupted.

Examples:

\b
  edgeseg train embedder --data studio/ --data snapshots/ --backgrounds floors/ -o runs/embedder
  edgeseg train embedder --data studio/ --teacher big.tflite --bundle shop.bundle -o runs/taught
"""


class Precision(str, Enum):
    """Arithmetic of the layers; weights are float32 in both."""

    float32 = "float32"
    bfloat16 = "bfloat16"


OutputOption = Annotated[
    Path, typer.Option("-o", "--output", metavar="DIR", help="The run's folder.")
]
BackgroundsOption = Annotated[
    list[Path] | None,
    typer.Option(metavar="DIR", help="Pictures without garments, to lie behind. Repeatable."),
]
RecipeOption = Annotated[str, typer.Option(metavar="NAME", help="How to train.")]
EpochsOption = Annotated[
    int | None, typer.Option(min=1, help="The most epochs. Default: the recipe's.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Of the weights and every random choice.")]
PrecisionOption = Annotated[
    Precision, typer.Option(help="bfloat16 is faster where the machine has instructions for it.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    train = typer.Typer(
        help="Train a segmenter or an embedder.", no_args_is_help=True, rich_markup_mode=None
    )
    train.command("segmenter", help=_SEGMENTER_HELP, no_args_is_help=True)(segmenter)
    train.command("embedder", help=_EMBEDDER_HELP, no_args_is_help=True)(embedder)
    app.add_typer(train, name="train")


def segmenter(
    data: Annotated[
        list[str],
        typer.Option(metavar="DIR[=WEIGHT]", help="Labelled photographs. Repeatable."),
    ],
    output: OutputOption,
    backgrounds: BackgroundsOption = None,
    recipe: RecipeOption = "default",
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
    precision: PrecisionOption = Precision.float32,
    as_json: JsonOption = False,
) -> None:
    """Train a segmenter; see ``_SEGMENTER_HELP``."""
    console.settings.quiet = as_json
    _quiet_tensorflow()
    with console.needs_extra("train"):
        import keras

        from edgeseg.training import report
        from edgeseg.training import segmenter as training
        from edgeseg.training.backgrounds import garment_free_parts, read_pictures
        from edgeseg.training.checkpoint import load_checkpoint
        from edgeseg.training.dataset import load_dataset
        from edgeseg.training.recipe import SegmenterRecipe, load_recipe, with_epochs

    chosen = with_epochs(load_recipe(SegmenterRecipe, recipe), epochs)
    folders, weights = zip(*(_weighted(text) for text in data), strict=True)
    side = round(chosen.input_px * training.OVERSAMPLING)
    with console.progress_reporter("reading photographs") as on_progress:
        dataset = load_dataset(folders, side, on_progress)
    run = training.SegmenterRun(
        recipe=chosen,
        dataset=dataset,
        folder_weights=weights,
        backgrounds=read_pictures(backgrounds or ()) + garment_free_parts(dataset.train),
        seed=seed,
        precision=precision.value,
    )
    with _progress(chosen.epochs) as callbacks:
        history = training.train_segmenter(run, output, **callbacks)
    checkpoint = output / training.CHECKPOINT_FILE
    report.write_curves(history.epochs, output / "curves.png")
    report.write_contact_sheet(
        load_checkpoint(checkpoint), dataset.val, keras, output / "predictions.png"
    )
    _tell(history, checkpoint, as_json)


def embedder(
    data: Annotated[
        list[Path], typer.Option(metavar="DIR", help="Items to tell apart. Repeatable.")
    ],
    output: OutputOption,
    bundle: BundleOption = None,
    backgrounds: BackgroundsOption = None,
    teacher: Annotated[
        Path | None, typer.Option(metavar="TFLITE", help="A larger embedder to learn from.")
    ] = None,
    recipe: RecipeOption = "default",
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
    precision: PrecisionOption = Precision.float32,
    as_json: JsonOption = False,
) -> None:
    """Train an embedder; see ``_EMBEDDER_HELP``."""
    console.settings.quiet = as_json
    _quiet_tensorflow()
    with console.needs_extra("train"):
        from edgeseg.training import embedder as training
        from edgeseg.training import instances, report
        from edgeseg.training.backgrounds import read_pictures
        from edgeseg.training.recipe import EmbedderRecipe, load_recipe, with_epochs
    from edgeseg.files import read_bounded
    from edgeseg.limits import MAX_BUNDLE_BYTES
    from edgeseg.segmenter import Segmenter

    chosen = with_epochs(load_recipe(EmbedderRecipe, recipe), epochs)
    model = read_bounded(teacher, MAX_BUNDLE_BYTES, "teacher") if teacher is not None else None
    with console.progress_reporter("composing snapshots") as on_progress:
        items = instances.load_instances(
            data, Segmenter(bundle), read_pictures(backgrounds or ()), chosen, seed, on_progress
        )
    train, val = instances.split_instances(items, chosen.validation_share)
    run = training.EmbedderRun(
        recipe=chosen,
        train=train,
        val=val,
        teacher=training.teach(model, train) if model is not None else None,
        seed=seed,
        precision=precision.value,
    )
    with _progress(chosen.epochs) as callbacks:
        history = training.train_embedder(run, output, **callbacks)
    report.write_curves(history.epochs, output / "curves.png")
    _tell(history, output / training.CHECKPOINT_FILE, as_json)


def _quiet_tensorflow() -> None:
    # TensorFlow reads it when it is imported: its banner is no line of this command's.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _weighted(text: str) -> tuple[Path, float]:
    """``DIR`` or ``DIR=WEIGHT``."""
    folder, mark, weight = text.rpartition("=")
    if not mark:
        return Path(text), 1.0
    try:
        value = float(weight)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise typer.BadParameter(f"--data {text}: the weight after = must be a number from 0 up")
    return Path(folder), value


@contextmanager
def _progress(epochs: int) -> Iterator[dict[str, Any]]:
    """The callbacks of a run: a bar over the epochs, and a line for each on standard error."""
    with console.progress_reporter("training") as report_epochs:

        def on_epoch(record: dict[str, float]) -> None:
            report_epochs(int(record["epoch"]) + 1, epochs)
            figures = ", ".join(f"{k} {v:.4g}" for k, v in record.items() if k != "epoch")
            console.print_note(f"epoch {int(record['epoch']) + 1}/{epochs}: {figures}")

        yield {"on_epoch": on_epoch}


def _tell(history: History, checkpoint: Path, as_json: bool) -> None:
    best = history.epochs[history.best_epoch]
    if as_json:
        console.print_json({"checkpoint": str(checkpoint), "best": best, "epochs": history.epochs})
        return
    console.print_table(("figure", "best epoch"), [(k, f"{v:.4g}") for k, v in best.items()])
    console.print_line(f"{checkpoint} ({checkpoint.stat().st_size:,} bytes)")
