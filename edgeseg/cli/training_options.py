"""The options that the commands which train have, spelled and explained once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from edgeseg.cli import console


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
ReplayOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DIR[=WEIGHT]",
        help="What --from learnt before, to be seen again among the new. Repeatable.",
    ),
]
EpochsOption = Annotated[
    int | None, typer.Option(min=1, help="The most epochs. Default: the recipe's.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Of the weights and every random choice.")]
PrecisionOption = Annotated[
    Precision, typer.Option(help="bfloat16 is faster where the machine has instructions for it.")
]
DevicesOption = Annotated[
    int,
    typer.Option(
        min=1,
        help="Share each step between so many GPUs, or CPUs where there is none; the result is "
        "that of one. Needs KERAS_BACKEND=jax.",
    ),
]
TeacherOption = Annotated[
    Path | None, typer.Option(metavar="CHECKPOINT", help="A larger segmenter to learn from.")
]
TeacherNotesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="NPZ",
        help="Keep the teacher's confidence masks here, for a next run. "
        "Default: teacher.npz in the run's folder.",
    ),
]
UnlabelledOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DIR[=WEIGHT]",
        help="Photographs without masks, for the teacher to label. Repeatable.",
    ),
]


def prepare_keras(devices: int) -> None:
    """Sets what Keras's backends read when they are imported.

    Args:
        devices: how many are to share the training.
    """
    from edgeseg.training.cpu_devices import divide_processor

    quiet_tensorflow()
    if devices > 1:
        divide_processor(devices)


def check_devices(devices: int, batches: Mapping[str, int]) -> None:
    """Says which devices will train, before anything is read or made.

    Args:
        devices: how many are asked for.
        batches: samples in a step, by who says so.

    Raises:
        DevicesError: they are not to be had, or cannot share a step.
    """
    from edgeseg.training.devices import chosen_devices

    if names := chosen_devices(devices, batches):
        of_one = " (parts of one processor, to try it: no faster)" if "cpu:0" in names else ""
        console.print_note(f"each step is shared by {', '.join(names)}{of_one}")


def quiet_tensorflow() -> None:
    """Keeps TensorFlow's banner off stderr: it is no line of a command's."""
    # Read when TensorFlow is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
