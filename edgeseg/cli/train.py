"""``edgeseg train``: labelled photographs in, a checkpoint and the record of its run out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli import classes, console
from edgeseg.cli.confirmed import ConfirmationsOption
from edgeseg.cli.options import BundleOption, JsonOption
from edgeseg.cli.training_data import confused_items, read_confirmed, read_training_data
from edgeseg.cli.training_gate import JudgedRun, judge_run
from edgeseg.cli.training_options import (
    BackgroundsOption,
    DevicesOption,
    EpochsOption,
    OutputOption,
    Precision,
    PrecisionOption,
    RecipeOption,
    ReplayOption,
    SeedOption,
    TeacherNotesOption,
    TeacherOption,
    UnlabelledOption,
    check_devices,
    prepare_keras,
)

if TYPE_CHECKING:
    from edgeseg.training.fit import History

_SEGMENTER_HELP = """Train a Tiramisu on labelled photographs.

A data folder holds split.csv (columns image, mask and, where known, split and group), or images/
and masks/ paired by file stem; without a split a fifth of the groups is held out. The run's folder
keeps the checkpoint with the best validation IoU, history.json, curves.png and predictions.png
(the worst ten and ten random ones). The same command goes on with a run that was interrupted.

With --teacher the network learns from a larger one as well: from its confidence beside each label,
and from unlabelled photographs that the teacher is sure of. --from starts from a checkpoint's
weights and keeps its network.

To learn new photographs without forgetting, name the old ones with --replay: they are half of each
batch, and the recipe is `retrain` unless you name one: few epochs at a low rate and the
checkpoint's own input size. --gate then lets the new network pass only if it is better than the
old one beyond noise on the photographs held out, and in no folder worse. kept.safetensors in the
run's folder is the one to go on with, gate.json says why, and exit code 1 that it is the old one.

Recipes: default, student, recover (after pruning), retrain, teacher, fcdensenet103 (needs a GPU),
seed, or the path of your own JSON file.

Examples:

\b
  edgeseg train segmenter --data snapshots/ --data street/ -o runs/first
  edgeseg train segmenter --data snapshots/=0.6 --data street/=0.4 --backgrounds floors/ -o runs/a
  edgeseg train segmenter --data snapshots/ --recipe seed -o runs/seed
  edgeseg train segmenter --data snapshots/ --from runs/a/segmenter.safetensors \\
      --teacher runs/teacher/segmenter.safetensors --unlabelled photos/ -o runs/taught
  edgeseg train segmenter --from old.safetensors --data labels/ --replay snapshots/ --gate \\
      -o runs/again
  KERAS_BACKEND=jax edgeseg train segmenter --data snapshots/ --devices 4 -o runs/shared
"""

_EMBEDDER_HELP = """Train an embedder to find an item's catalogue picture from its snapshot.

A data folder holds items.csv with a sku column (pictures on white; those of one SKU show one item),
split.csv with masks, or items.csv without sku (photographs, cut out by the bundle's segmenter).
Snapshots are composed from every picture and cut out by that segmenter. The same command goes on
with a run that was interrupted.

--confirmations are what workers said at `edgeseg serve`, as FILE or as the folder that
`edgeseg sync --report-to` fills: items shown before the one that they confirmed, or hardly farther,
then meet in batches, so that the network learns to tell them apart.

Examples:

\b
  edgeseg train embedder --data studio/ --data snapshots/ --backgrounds floors/ -o runs/embedder
  edgeseg train embedder --data studio/ --teacher big.tflite --bundle shop.bundle -o runs/taught
  edgeseg train embedder --data studio/ --confirmations /srv/reports -o runs/again
"""


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    train = typer.Typer(
        help="Train a segmenter, a network of several classes, or an embedder.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    train.command("segmenter", help=_SEGMENTER_HELP, no_args_is_help=True)(segmenter)
    train.command("classes", help=classes.TRAIN_HELP, no_args_is_help=True)(classes.train_classes)
    train.command("embedder", help=_EMBEDDER_HELP, no_args_is_help=True)(embedder)
    app.add_typer(train, name="train")


def segmenter(
    data: Annotated[
        list[str],
        typer.Option(metavar="DIR[=WEIGHT]", help="Labelled photographs. Repeatable."),
    ],
    output: OutputOption,
    backgrounds: BackgroundsOption = None,
    teacher: TeacherOption = None,
    teacher_notes: TeacherNotesOption = None,
    unlabelled: UnlabelledOption = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--from", metavar="CHECKPOINT", help="Start from these weights."),
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(
            metavar="TFLITE", help="A MobileNet v1 to start the network mobilenet_unet from."
        ),
    ] = None,
    replay: ReplayOption = None,
    gate: Annotated[
        bool,
        typer.Option("--gate", help="Keep the network of --from unless the new one is better."),
    ] = False,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="How to train. Default: retrain with --replay, else default."
        ),
    ] = None,
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
    precision: PrecisionOption = Precision.float32,
    devices: DevicesOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Train a segmenter; see ``_SEGMENTER_HELP``."""
    console.settings.quiet = as_json
    prepare_keras(devices)
    with console.needs_extra("train", "jax"):
        import keras

        from edgeseg.training import report, start
        from edgeseg.training import segmenter as training
        from edgeseg.training.checkpoint import load_checkpoint
        from edgeseg.training.recipe import SegmenterRecipe, load_recipe, with_epochs

    if encoder is not None and checkpoint is not None:
        raise typer.BadParameter("--encoder and --from are two ways to start: choose one")
    if checkpoint is None and (replay or gate):
        raise typer.BadParameter("--replay and --gate go with --from, the network to retrain")
    chosen = load_recipe(SegmenterRecipe, recipe or ("retrain" if replay else "default"))
    if recipe is None and replay and checkpoint is not None:
        chosen = start.retraining(chosen, checkpoint)
    chosen = with_epochs(chosen, epochs)
    check_devices(devices, {"the recipe": chosen.batch})
    begun = start.begin(chosen, checkpoint, encoder, seed)
    found = read_training_data(
        data,
        replay or [],
        unlabelled or [],
        backgrounds or [],
        teacher,
        chosen,
        chosen.input_px,
        teacher_notes or output / "teacher.npz",
    )
    run = training.SegmenterRun(
        recipe=chosen,
        dataset=found.dataset,
        folder_weights=found.weights,
        backgrounds=found.backgrounds,
        seed=seed,
        precision=precision.value,
        network=begun.network,
        start=begun.weights,
        teacher=found.teacher,
        replayed=found.replayed,
    )
    with _progress(chosen.epochs) as callbacks:
        history = training.train_segmenter(run, output, devices=devices, **callbacks)
    best = output / training.CHECKPOINT_FILE
    report.write_curves(history.epochs, output / "curves.png")
    report.write_contact_sheet(
        load_checkpoint(best), found.dataset.val, keras, output / "predictions.png"
    )
    judged = None
    if gate and checkpoint is not None:
        judged = judge_run(checkpoint, best, found.labelled, output)
    _tell(history, best, as_json, judged)


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
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="CHECKPOINT", help="Start from the weights of layers like these."
        ),
    ] = None,
    confirmations: ConfirmationsOption = None,
    recipe: RecipeOption = "default",
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
    precision: PrecisionOption = Precision.float32,
    devices: DevicesOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Train an embedder; see ``_EMBEDDER_HELP``."""
    console.settings.quiet = as_json
    prepare_keras(devices)
    with console.needs_extra("train", "jax"):
        from edgeseg.training import embedder as training
        from edgeseg.training import instances, report, start
        from edgeseg.training.backgrounds import read_pictures
        from edgeseg.training.recipe import EmbedderRecipe, load_recipe, with_epochs
    from edgeseg.files import read_bounded
    from edgeseg.limits import MAX_BUNDLE_BYTES
    from edgeseg.segmenter import Segmenter

    chosen = with_epochs(load_recipe(EmbedderRecipe, recipe), epochs)
    check_devices(devices, {"the recipe": chosen.batch})
    said = read_confirmed(confirmations, chosen.hard_group) if confirmations else None
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
        start=start.embedder_weights(chosen, checkpoint) if checkpoint is not None else None,
        seed=seed,
        precision=precision.value,
        confused=confused_items(said, train) if said is not None else None,
    )
    with _progress(chosen.epochs) as callbacks:
        history = training.train_embedder(run, output, devices=devices, **callbacks)
    report.write_curves(history.epochs, output / "curves.png")
    _tell(history, output / training.CHECKPOINT_FILE, as_json)


@contextmanager
def _progress(epochs: int) -> Iterator[dict[str, Any]]:
    """The callbacks of a run: a bar over the epochs, and a line for each on standard error."""
    with console.progress_reporter("training") as report_epochs:

        def on_epoch(record: dict[str, float]) -> None:
            report_epochs(int(record["epoch"]) + 1, epochs)
            figures = ", ".join(f"{k} {v:.4g}" for k, v in record.items() if k != "epoch")
            console.print_note(f"epoch {int(record['epoch']) + 1}/{epochs}: {figures}")

        yield {"on_epoch": on_epoch}


def _tell(
    history: History, checkpoint: Path, as_json: bool, judged: JudgedRun | None = None
) -> None:
    best = history.epochs[history.best_epoch]
    if as_json:
        document: dict[str, Any] = {
            "checkpoint": str(checkpoint),
            "best": best,
            "epochs": history.epochs,
        }
        if judged is not None:
            document["gate"] = judged.to_dict()
        console.print_json(document)
    else:
        console.print_table(("figure", "best epoch"), [(k, f"{v:.4g}") for k, v in best.items()])
        console.print_line(f"{checkpoint} ({checkpoint.stat().st_size:,} bytes)")
    if judged is not None:
        judged.tell(as_json)
