"""The photographs that a conversion is given: to calibrate on, to compare on, to learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tf_keras

from converters.fine_tune import TuningData, self_taught
from converters.photographs import Photograph, read_photographs
from converters.representative import RepresentativeSet
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.checkpoint import load_checkpoint
from edgeseg.training.dataset import load_dataset
from edgeseg.training.teacher import Lesson, Teacher, taught

# Enough for a mean IoU that is steady to a thousandth, and a minute of float32 on a slow machine.
MAX_PARITY_PICTURES = 400
# Longer sides are shrunk to this many times the network's input before they are varied.
_TUNING_OVERSIZE = 2
# As much of the teacher's word as of the label; every photograph here has one.
_LESSON = Lesson(share=0.5, confidence_floor=0.0)

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Sources:
    """The photographs that a conversion may use; every one of them is optional.

    Attributes:
        representative: folders to calibrate on.
        parity: folders to compare on; without any, the representative photographs are used.
        tuning: labelled folders for pruning and simulated quantization; without any, the float
            network labels the representative pictures.
        teacher: checkpoint of a larger segmenter, whose confidence is blended into the labels of
            ``tuning``; it needs some.
    """

    representative: tuple[Path, ...] = ()
    parity: tuple[Path, ...] = ()
    tuning: tuple[Path, ...] = ()
    teacher: Path | None = None


def parity_photographs(
    sources: Sources, representative: RepresentativeSet, seed: int, classes: int
) -> tuple[list[Photograph], str]:
    """What to compare on, and the same in words.

    Args:
        sources: the folders.
        representative: what to compare on where there are none.
        seed: of the choice.
        classes: how many the segmenter tells apart; 0 for one of garments.

    Raises:
        DatasetError: a folder does not exist or holds no picture.
        PhotoError: a picture cannot be read.
    """
    if sources.parity:
        photographs = read_photographs(sources.parity, "val", MAX_PARITY_PICTURES, seed, classes)
        return photographs, f"{len(photographs)} photographs"
    source = f"{representative.source}, the calibration's own"
    if representative.drawn:
        # A drawing's label says nothing of a network that learnt from photographs: agreement only.
        return [replace(p, mask=None) for p in representative.photographs], source
    return list(representative.photographs), source


def tuning_data(
    sources: Sources,
    model: Any,
    representative: RepresentativeSet,
    preprocessing: Preprocessing,
    tell: OnProgress,
) -> TuningData:
    """What a changed segmenter learns from.

    Args:
        sources: the folders.
        model: the float ``tf_keras`` segmenter, which labels pictures where there are no labels.
        representative: those pictures.
        preprocessing: the network's.
        tell: called with (step, done, total).

    Raises:
        DatasetError: a folder cannot be used.
        ModelContractError: the teacher is no segmenter.
        EdgesegError: its checkpoint cannot be read.
    """
    if not sources.tuning:
        return self_taught(model, representative, preprocessing)
    dataset = load_dataset(list(sources.tuning), _TUNING_OVERSIZE * preprocessing.input_px)
    source = f"{len(dataset.train)} labelled photographs"
    if sources.teacher is not None:
        teacher = Teacher(load_checkpoint(sources.teacher), tf_keras)
        dataset = taught(
            dataset, teacher, _LESSON, lambda done, total: tell("asking the teacher", done, total)
        )
        source += f", blended with the confidence of {sources.teacher.name}"
    return TuningData(source, samples=tuple(dataset.train))
