"""``edgeseg train classes`` and ``edgeseg eval classes``: networks that tell classes apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli import console
from edgeseg.cli.options import BundleOption, JsonOption, ThreadsOption
from edgeseg.cli.training_options import (
    DevicesOption,
    OutputOption,
    Precision,
    PrecisionOption,
    SeedOption,
    check_devices,
    prepare_keras,
    quiet_tensorflow,
)

if TYPE_CHECKING:
    from edgeseg.evaluation.classes import ClassScores, PredictClasses
    from edgeseg.training.classes_recipe import Statistics

TRAIN_HELP = """Train a Tiramisu to tell classes apart, as on CamVid.

The data folder holds train/ and val/ with photographs, and trainannot/ and valannot/ with category
masks of the same file stems: grey PNGs of class ids, where the number of classes, and 255, is void.
A recipe has stages, such as random crops and then whole photographs. The run's folder keeps the
checkpoint with the best validation mean IoU of all stages; each stage has history.json and
curves.png in a folder of its own. The same command goes on with a run that was interrupted.

Recipes: camvid56, camvid67, camvid103 (FC-DenseNet as in arXiv 1611.09326, section 4), camvid_quick
(a small network, minutes on a CPU: to see that all is well), or the path of your own JSON file.

Examples:

\b
  edgeseg train classes --data camvid/ --recipe camvid56 -o runs/camvid56
  KERAS_BACKEND=jax edgeseg train classes --data camvid/ --recipe camvid103 -o runs/camvid103
"""

EVAL_HELP = """Compare category masks of several classes with true ones.

The data folder holds SPLIT/ with photographs and SPLITannot/ with category masks, as for `edgeseg
train classes`. Every figure comes from one confusion matrix over all pixels that are not void.

\b
  mean_iou   mean over the classes of intersection over union
  accuracy   share of pixels whose class is right

A checkpoint is evaluated on whole photographs, and batch normalization either works with the
averages that training gathered (--statistics moving, as a converted network does) or with those of
the photographs that go through the network together (--statistics batch --batch 10, as the code
published with the Tiramisu paper does). The two are different figures.

Examples:

\b
  edgeseg eval classes --data camvid/ --split test --checkpoint segmenter.safetensors
  edgeseg eval classes --data camvid/ --checkpoint segmenter.safetensors --statistics batch
  edgeseg eval classes --data camvid/ --split test --bundle camvid.bundle --json
"""


class StatisticsChoice(str, Enum):
    """What batch normalization works with."""

    moving = "moving"
    batch = "batch"


DataOption = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="Photographs and category masks.")
]


def train_classes(
    data: DataOption,
    recipe: Annotated[str, typer.Option(metavar="NAME", help="How to train.")],
    output: OutputOption,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="The most epochs of each stage. Default: the recipe's."),
    ] = None,
    seed: SeedOption = 0,
    precision: PrecisionOption = Precision.float32,
    devices: DevicesOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Train a network that tells classes apart; see ``TRAIN_HELP``."""
    console.settings.quiet = as_json
    prepare_keras(devices)
    with console.needs_extra("train", "jax"):
        # Its curves are drawn at the end: what is missing is told now.
        import matplotlib.figure  # noqa: F401

        from edgeseg.training import classes as training
        from edgeseg.training.checkpoint import load_checkpoint
        from edgeseg.training.class_predictor import ClassPredictor
        from edgeseg.training.classes_data import load_classes
        from edgeseg.training.classes_recipe import load_classes_recipe, with_stage_epochs
        from edgeseg.training.report import write_curves

    chosen = with_stage_epochs(load_classes_recipe(recipe), epochs)
    check_devices(devices, chosen.batches)
    with console.progress_reporter("reading photographs") as on_progress:
        dataset = load_classes(data, len(chosen.classes), on_progress)
    run = training.ClassesRun(chosen, dataset, seed, precision.value)
    most = {stage.name: stage.epochs for stage in chosen.stages}
    with console.progress_reporter("training") as report_epochs:

        def on_epoch(stage: str, record: Mapping[str, float]) -> None:
            done = int(record["epoch"]) + 1
            report_epochs(done, most[stage])
            figures = ", ".join(f"{k} {v:.4g}" for k, v in record.items() if k != "epoch")
            console.print_note(f"{stage} {done}/{most[stage]}: {figures}")

        histories = training.train_classes(run, output, devices=devices, on_epoch=on_epoch)
    for stage, history in histories.items():
        write_curves(history.epochs, output / stage / "curves.png")
    checkpoint = output / training.CHECKPOINT_FILE
    best = load_checkpoint(checkpoint)
    predict = ClassPredictor.of(best, chosen.validation_statistics)
    scores = _evaluate(data, "val", predict, chosen.classes, chosen.validation_batch)
    _write_sheet(scores, predict, output / "predictions.png")
    if as_json:
        stages = {stage: history.epochs for stage, history in histories.items()}
        console.print_json(
            {"checkpoint": str(checkpoint), "best": best.evaluation, "stages": stages}
        )
        return
    console.print_table(("figure", "best epoch"), _rows(best.evaluation))
    console.print_line(f"{checkpoint} ({checkpoint.stat().st_size:,} bytes)")


def eval_classes(
    data: DataOption,
    split: Annotated[
        str, typer.Option("--split", metavar="NAME", help="Which split of --data.")
    ] = "val",
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", metavar="CKPT", help="A float network, instead of a bundle."),
    ] = None,
    statistics: Annotated[
        StatisticsChoice | None,
        typer.Option(help="Of batch normalization, for --checkpoint. Default: moving."),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Photographs together, for --checkpoint. Default: 1."),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", metavar="PNG", help="Write a contact sheet of the worst ten."),
    ] = None,
    bundle: BundleOption = None,
    threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Evaluate category masks; see ``EVAL_HELP``."""
    console.settings.quiet = as_json
    if checkpoint is not None and bundle is not None:
        raise typer.BadParameter("--checkpoint and --bundle: one of them")
    if checkpoint is None and (statistics or batch):
        raise typer.BadParameter("--statistics and --batch are for --checkpoint")
    if sheet is not None and sheet.suffix.lower() != ".png":
        raise typer.BadParameter(f"--sheet {sheet}: end it in .png")
    chosen: Statistics = "moving" if statistics is None else statistics.value
    predict: PredictClasses
    if checkpoint is not None:
        quiet_tensorflow()
        with console.needs_extra("train", "jax"):
            from edgeseg.training.checkpoint import load_checkpoint
            from edgeseg.training.class_predictor import ClassPredictor

        loaded = load_checkpoint(checkpoint)
        predict, names = ClassPredictor.of(loaded, chosen), loaded.classes
    else:
        from edgeseg.categories import CategorySegmenter

        segmenter = CategorySegmenter(bundle, threads=threads)
        predict, names = partial(map, segmenter.segment), segmenter.classes
    scores = _evaluate(data, split, predict, names, batch or 1)
    if sheet is not None:
        _write_sheet(scores, predict, sheet)
    document = scores.to_dict()
    if checkpoint is not None:
        document |= {"statistics": chosen, "batch": batch or 1}
    if as_json:
        console.print_json(document)
        return
    each = document.pop("class_iou")
    console.print_table(("figure", split), _rows(document))
    console.print_table(("class", "IoU"), _rows(each))
    if sheet is not None:
        console.print_line(str(sheet))


def _evaluate(
    data: Path, split: str, predict: PredictClasses, names: Sequence[str], batch: int
) -> ClassScores:
    from edgeseg.evaluation.classes import evaluate_classes, pairs_of_classes

    pairing = pairs_of_classes(data, split)
    # On stderr under --json too: a figure over a part must not pass for one over all.
    for path in pairing.unmatched:
        console.print_error(f"{path} has no partner and is left out")
    with console.progress_reporter("telling classes apart") as report:
        return evaluate_classes(pairing.pairs, predict, names, batch, report)


def _write_sheet(scores: ClassScores, predict: PredictClasses, path: Path) -> None:
    from edgeseg.evaluation.classes import class_sheet
    from edgeseg.files import write_atomic
    from edgeseg.imaging import encode_png

    write_atomic(path, encode_png(class_sheet(scores, predict)))


def _rows(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    told = {key: f"{v:.4f}" if isinstance(v, float) else str(v) for key, v in figures.items()}
    return [(key, "-" if value == "None" else value) for key, value in told.items()]
