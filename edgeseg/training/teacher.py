"""What a teacher has to say about photographs: confidence masks to learn from.

Knowledge distillation (Hinton, Vinyals and Dean, arXiv 1503.02531): the student learns the
teacher's confidence, which knows more of a blurred edge or a doubtful pixel than a label of 0 or 1.
On photographs without a label the confidence, averaged over views of the photograph as in data
distillation (Radosavovic et al., arXiv 1712.04440, section 3), is all there is to learn; those of
which the teacher is unsure are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.errors import DatasetError, ModelContractError
from edgeseg.items import PICTURE_SUFFIXES
from edgeseg.preprocessing import Preprocessing
from edgeseg.table import read_table
from edgeseg.training.checkpoint import Checkpoint, set_weights, weights_digest
from edgeseg.training.dataset import Dataset, Sample, shrunk
from edgeseg.training.networks.embedder import MobileEmbedder
from edgeseg.training.teacher_notes import TeacherNotes

# Besides its own input size the teacher looks at photographs this much larger.
_VIEW_SCALES = (1.0, 1.3)
_BATCH = 16
_THRESHOLD = 0.5
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Lesson:
    """How much of a teacher's word is taken.

    Attributes:
        share: weight of the teacher's confidence against a label, in [0, 1].
        confidence_floor: least certainty of a photograph without a label, in [0, 1]; see
            ``certainty``.
    """

    share: float
    confidence_floor: float


class Teacher:
    """A trained segmenter, looking at each photograph in several views.

    Args:
        checkpoint: of a segmenter.
        framework: ``keras``.
        notes: file to keep its confidence masks in, so that a later run need not ask again.

    Raises:
        ModelContractError: the checkpoint is no segmenter's.
    """

    def __init__(
        self, checkpoint: Checkpoint, framework: ModuleType, notes: Path | None = None
    ) -> None:
        if isinstance(checkpoint.network, MobileEmbedder):
            raise ModelContractError("an embedder cannot teach a segmenter")
        stride = checkpoint.network.total_stride
        own = checkpoint.preprocessing
        self.views: list[tuple[Preprocessing, Any]] = []
        for scale in _VIEW_SCALES:
            side = round(own.input_px * scale / stride) * stride
            model = checkpoint.network.build(framework, side, sigmoid=True)
            set_weights(model, checkpoint.weights)
            self.views.append((replace(own, input_px=side), model))
        self.digest = weights_digest(checkpoint.weights)
        self.evaluation = checkpoint.evaluation
        self.model_version = checkpoint.model_version
        self.taught_by: dict[str, Any] | None = checkpoint.run.get("teacher")
        self.notes = TeacherNotes(notes, self.digest)

    def describe(self) -> dict[str, Any]:
        """Who it is and who taught it, for a run's record; JSON types."""
        return {
            "model_version": self.model_version,
            "digest": self.digest,
            "evaluation": self.evaluation,
            "teacher": self.taught_by,
        }

    def confidences(self, images: Sequence[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Mean confidence over the views: two sizes, each as it is and mirrored.

        Args:
            images: ``(H, W, 3)`` uint8 RGB each.

        Yields:
            ``(H, W)`` float32 in [0, 1] for each, to a 255th.
        """
        for start in range(0, len(images), _BATCH):
            batch = images[start : start + _BATCH]
            fresh = [image for image in batch if self.notes.get(image) is None]
            if fresh:
                for image, confidence in zip(fresh, self._looked_at(fresh), strict=True):
                    self.notes.add(image, confidence)
            for image in batch:
                known = self.notes.get(image)
                assert known is not None
                yield np.asarray(known, dtype=np.float32) / np.float32(255)
        self.notes.save()

    def _looked_at(self, batch: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        sums: list[NDArray[np.float32]] = [np.zeros(i.shape[:2], np.float32) for i in batch]
        for preprocessing, model in self.views:
            resized = [preprocessing.resized(image) for image in batch]
            inputs = preprocessing.normalized(np.stack(resized))
            seen = np.asarray(model.predict_on_batch(inputs), dtype=np.float32)
            mirrored = np.asarray(model.predict_on_batch(inputs[:, :, ::-1]), dtype=np.float32)
            both = seen[..., 0] + mirrored[:, :, ::-1, 0]
            for total, confidence in zip(sums, both, strict=True):
                height, width = total.shape[:2]
                total += imaging.resize_bilinear(confidence, width, height)
        return [_bytes(np.clip(total / (2 * len(self.views)), 0.0, 1.0)) for total in sums]


def certainty(confidence: NDArray[np.float32]) -> float:
    """How far a confidence mask agrees with itself: its soft IoU with its own thresholded mask.

    1 where every pixel is 0 or 1; 0 where there is no garment.
    """
    mask = (confidence >= _THRESHOLD).astype(np.float32)
    union = float(np.maximum(confidence, mask).sum())
    return float((confidence * mask).sum()) / union if mask.any() else 0.0


def taught(
    dataset: Dataset, teacher: Teacher, lesson: Lesson, on_progress: OnProgress | None = None
) -> Dataset:
    """The dataset with targets that blend each label with the teacher's confidence."""
    train: list[Sample] = []
    confidences = teacher.confidences([sample.image for sample in dataset.train])
    for sample, confidence in zip(dataset.train, confidences, strict=True):
        blend = (1 - lesson.share) * sample.mask + lesson.share * confidence
        train.append(replace(sample, target=_bytes(blend)))
        if on_progress is not None:
            on_progress(len(train), len(dataset.train))
    return replace(dataset, train=tuple(train))


def with_unlabelled(
    dataset: Dataset,
    folders: Sequence[Path],
    teacher: Teacher,
    lesson: Lesson,
    max_side_px: int,
    on_progress: OnProgress | None = None,
) -> tuple[Dataset, list[int]]:
    """The dataset with further folders, of photographs that only the teacher has labelled.

    Args:
        dataset: the labelled one.
        folders: each with ``items.csv`` (column ``image``; of a ``split`` column only the rows
            ``train`` are taken), or just pictures.
        teacher: labels them.
        lesson: says of which photographs it is sure enough.
        max_side_px: upper bound of a photograph's longer side.
        on_progress: called with (done, total) after each photograph.

    Returns:
        The dataset, and how many photographs of each folder were taken.

    Raises:
        DatasetError: a folder cannot be used, or the teacher is sure of none of its photographs.
        PhotoError: a photograph cannot be read.
    """
    listed = [
        (len(dataset.names) + index, path)
        for index, folder in enumerate(folders)
        for path in _photographs(Path(folder))
    ]
    images = [shrunk(imaging.read_photo(path), max_side_px) for _, path in listed]
    train: list[Sample] = []
    labelled = zip(listed, images, teacher.confidences(images), strict=True)
    for done, ((index, path), image, confidence) in enumerate(labelled, start=1):
        if certainty(confidence) >= lesson.confidence_floor:
            mask = (confidence >= _THRESHOLD).astype(np.uint8)
            train.append(Sample(image, mask, index, path, _bytes(confidence)))
        if on_progress is not None:
            on_progress(done, len(listed))
    counts = [sum(s.folder == len(dataset.names) + i for s in train) for i in range(len(folders))]
    for folder, count in zip(folders, counts, strict=True):
        if not count:
            raise DatasetError(
                f"{folder}: the teacher is sure of none of its photographs "
                f"(floor {lesson.confidence_floor})"
            )
    names = (*dataset.names, *(Path(folder).resolve().name for folder in folders))
    return Dataset((*dataset.train, *train), dataset.val, names), counts


def _bytes(confidence: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    return np.asarray(np.rint(confidence * 255), dtype=np.uint8)


def _photographs(folder: Path) -> list[Path]:
    table = folder / "items.csv"
    if table.is_file():
        rows = read_table(table, ("image",))
        return [folder / row["image"] for row in rows if row.get("split", "train") == "train"]
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in PICTURE_SUFFIXES]
    if not paths:
        raise DatasetError(f"{folder}: holds no photograph")
    return paths
