"""What a network is trained on, as the commands that train take it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edgeseg.cli import console
from edgeseg.cli.confirmed import tell

if TYPE_CHECKING:
    from edgeseg.sync.gathered import Gathering
    from edgeseg.training.augment import Image
    from edgeseg.training.confused import Confused
    from edgeseg.training.dataset import Dataset
    from edgeseg.training.instances import Instance
    from edgeseg.training.recipe import SegmenterRecipe


@dataclass(frozen=True)
class TrainingData:
    """Photographs in memory.

    Attributes:
        dataset: labelled, and taught where there is a teacher.
        weights: how often each folder's photographs are drawn.
        backgrounds: pictures free of garments.
        teacher: who taught, for the run's record; None where nobody did.
        replayed: folders, by index, whose photographs are old.
        labelled: the labelled folders, the old ones last.
    """

    dataset: Dataset
    weights: tuple[float, ...]
    backgrounds: list[Image]
    teacher: dict[str, Any] | None
    replayed: frozenset[int]
    labelled: tuple[Path, ...]


def read_training_data(
    data: list[str],
    replay: list[str],
    unlabelled: list[str],
    backgrounds: list[Path],
    teacher: Path | None,
    recipe: SegmenterRecipe,
    input_px: int,
    teacher_notes: Path | None = None,
) -> TrainingData:
    """Reads the folders, under progress bars, and asks the teacher about them.

    Args:
        data: labelled folders, each as ``DIR`` or ``DIR=WEIGHT``.
        replay: labelled folders of old photographs, in the same form.
        unlabelled: folders for the teacher to label, in the same form.
        backgrounds: folders of pictures free of garments.
        teacher: a segmenter's checkpoint, or None.
        recipe: says how much of the teacher's word is taken.
        input_px: of the largest network that learns from them.
        teacher_notes: file in which the teacher's answers are kept.

    Raises:
        typer.BadParameter: a weight is no number, or there is nobody to label the unlabelled.
        EdgesegError: a folder or the teacher cannot be used.
    """
    if unlabelled and teacher is None:
        raise typer.BadParameter("--unlabelled needs a --teacher to label the photographs")
    folders, weights = _weighted([*data, *replay])
    with console.needs_extra("train"):
        import keras

        from edgeseg.training.backgrounds import garment_free_parts, read_pictures
        from edgeseg.training.checkpoint import load_checkpoint
        from edgeseg.training.dataset import load_dataset
        from edgeseg.training.segmenter import OVERSAMPLING
        from edgeseg.training.teacher import Lesson, Teacher, taught, with_unlabelled

    side = recipe.photo_px or round(input_px * OVERSAMPLING)
    with console.progress_reporter("reading photographs") as on_progress:
        dataset = load_dataset(folders, side, on_progress)
    behind = read_pictures(backgrounds) + garment_free_parts(dataset.train)
    described = None
    if teacher is not None:
        master = Teacher(load_checkpoint(teacher), keras, teacher_notes)
        described = master.describe()
        lesson = Lesson(recipe.teacher_share, recipe.confidence_floor)
        with console.progress_reporter("asking the teacher about labels") as on_progress:
            dataset = taught(dataset, master, lesson, on_progress)
        if unlabelled:
            more, more_weights = _weighted(unlabelled)
            with console.progress_reporter("asking the teacher for labels") as on_progress:
                dataset, counts = with_unlabelled(dataset, more, master, lesson, side, on_progress)
            weights += more_weights
            for folder, count in zip(more, counts, strict=True):
                console.print_note(f"{folder}: the teacher is sure of {count} photographs")
    replayed = frozenset(range(len(data), len(folders)))
    return TrainingData(dataset, tuple(weights), behind, described, replayed, tuple(folders))


def read_confirmed(confirmations: list[Path], hard_group: int) -> Gathering:
    """Files of confirmations, found but not read yet.

    Args:
        confirmations: files, or folders of them.
        hard_group: of the recipe.

    Raises:
        typer.BadParameter: the recipe cannot learn from them.
        DatasetError: a path is missing.
    """
    from edgeseg.sync.gathered import Gathering

    if hard_group < 2:
        raise typer.BadParameter(
            "--confirmations say which items stand together in a batch: the recipe's hard_group "
            f"must be 2 or more, and is {hard_group}"
        )
    return Gathering(confirmations)


def confused_items(gathering: Gathering, train: list[Instance]) -> Confused:
    """The items that workers saw taken for one another, as far as they are trained on; tells."""
    from edgeseg.training.confused import confused

    trained = (instance.name for instance in train if instance.scenes)
    found = confused((each for _, each in gathering), trained)
    note = f"{found.confirmations:,} items confirmed: {len(found.pairs):,} pairs to tell apart"
    if found.left_out:
        note += f"; {found.left_out:,} are left out, for they are not in the training data"
    tell(gathering, note)
    return found


def _weighted(texts: list[str]) -> tuple[list[Path], list[float]]:
    """Folders and their weights, from ``DIR`` or ``DIR=WEIGHT`` each."""
    folders, weights = [], []
    for text in texts:
        folder, mark, weight = text.rpartition("=")
        try:
            value = float(weight) if mark else 1.0
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise typer.BadParameter(
                f"--data {text}: the weight after = must be a number from 0 up"
            )
        folders.append(Path(folder if mark else text))
        weights.append(value)
    return folders, weights
