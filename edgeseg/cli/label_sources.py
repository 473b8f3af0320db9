"""Photos and labels for the commands that look at many: a label set, or a training folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeseg.evaluation.labelled import LabelledPhoto
    from edgeseg.labelling.label_set import LabelSet


@dataclass(frozen=True)
class Waiting:
    """Photos that wait for a label, and those that have one.

    Attributes:
        waiting: paths of photos.
        ids: their numbers in the label set; empty for a folder.
        labelled: paths of photos.
        labels: the set; None for a folder.
    """

    waiting: list[Path]
    ids: list[int]
    labelled: list[Path]
    labels: LabelSet | None


def waiting_photos(source: Path, labelled: list[Path]) -> Waiting:
    """The photos of a label set that nobody has decided on, or all of a folder or CSV.

    Args:
        source: a label set, a folder of photos or a CSV with the column ``image``.
        labelled: further training folders or label sets whose photos have labels.

    Raises:
        DatasetError: one of them cannot be used, or nothing waits.
    """
    from edgeseg.errors import DatasetError

    known = [photo.image for folder in labelled for photo in labelled_photos(folder)]
    labels = open_label_set(source)
    if labels is None:
        from edgeseg.labelling.automatic import list_photos

        root, listed = list_photos(source, source / ".edgeseg")
        here = {path.resolve() for path in known}
        paths = [root / each.path for each in listed]
        waiting = [path for path in paths if path.resolve() not in here]
        ids: list[int] = []
    else:
        todo = labels.records("todo")
        waiting, ids = [labels.photo_path(each) for each in todo], [each.id for each in todo]
        known += [labels.photo_path(each) for each in labels.records("accepted")]
    if not waiting:
        raise DatasetError(f"{source}: no photo waits for a label")
    return Waiting(waiting, ids, known, labels)


def labelled_photos(source: Path) -> list[LabelledPhoto]:
    """The accepted labels of a label set, or every labelled photo of a training folder.

    Raises:
        DatasetError: it cannot be used, or has no label.
    """
    from edgeseg.errors import DatasetError
    from edgeseg.evaluation.labelled import LabelledPhoto

    labels = open_label_set(source)
    if labels is None:
        from edgeseg.training.dataset import list_pairs

        return [LabelledPhoto(p.image.stem, p.image, p.mask) for p in list_pairs(source)]
    found = []
    for record in labels.records("accepted"):
        mask = labels.mask_path(record)
        if mask is not None:
            found.append(LabelledPhoto(record.path, labels.photo_path(record), mask))
    if not found:
        raise DatasetError(f"{source}: no label has been accepted yet")
    return found


def open_label_set(source: Path) -> LabelSet | None:
    """The label set in a folder; None where there is none."""
    from edgeseg.labelling.label_set import LabelSet
    from edgeseg.labelling.store import FILE_NAME

    return LabelSet(source) if (source / FILE_NAME).is_file() else None
