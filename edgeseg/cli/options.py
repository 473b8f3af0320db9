"""The options that several commands have, spelled and explained once."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgeseg.postprocess import SegmenterOptions


class RefineChoice(str, Enum):
    """How the mask's edge is moved onto the photo's own; the values of `refine.Refinement`."""

    none = "none"
    guided = "guided"
    grabcut = "grabcut"


class BackgroundChoice(str, Enum):
    """What becomes of a query's background; the values of `evaluation.retrieval.Background`."""

    none = "none"
    grabcut = "grabcut"
    model = "model"
    mask = "mask"


BundleOption = Annotated[
    Path | None,
    typer.Option(
        "--bundle", metavar="BUNDLE", help="The bundle to use: a file, or nano, small or base."
    ),
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", min=1, max=64, help="Threads of the interpreter.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="DIR",
        help="The folder of generations; else $EDGESEG_STORE, else ~/.local/share/edgeseg.",
    ),
]
RefineOption = Annotated[
    RefineChoice,
    typer.Option(
        "--refine", help="Move the mask's edge onto the photo's own: guided is fast, grabcut finer."
    ),
]
FlipOption = Annotated[
    bool,
    typer.Option("--flip", help="Segment the mirrored photo too and average: twice the time."),
]


def segmenter_options(refine: RefineChoice, flip: bool) -> SegmenterOptions:
    """The options that ``--refine`` and ``--flip`` ask for."""
    from edgeseg.postprocess import SegmenterOptions

    return SegmenterOptions(refine=refine.value, flip=flip)
