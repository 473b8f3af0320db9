"""Accepted labels as a training folder: `edgeseg train segmenter --data FOLDER` takes it as it is.

    FOLDER/split.csv     image, mask, split, group, photo, who, how, decided_at
    FOLDER/images/       the photos' own bytes, by number
    FOLDER/masks/        0/255 PNG, by the same number

Photos and masks come first and the table last, in one rename each: whatever is killed when, the
table names files that are there.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath

from edgeseg import imaging, limits
from edgeseg.errors import DatasetError, EdgesegError
from edgeseg.evaluation.splits import VALIDATION_SHARE, hash_share, split_of
from edgeseg.files import made_folder, read_bounded, sha256_hex, shown_path, write_atomic
from edgeseg.labelling.records import PhotoRecord
from edgeseg.labelling.view import LabelSetView

TABLE_NAME = "split.csv"
COLUMNS = ("image", "mask", "split", "group", "photo", "who", "how", "decided_at")
# Photos that change or vanish while they are exported are left out, and told; a mask is replaced
# when its photo is labelled again meanwhile, and is then looked up anew.
_TRIES = 3


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        train, val: how many photos went where.
        failures: one line for each accepted photo that was left out.
    """

    train: int
    val: int
    failures: tuple[str, ...]


def export_labels(
    labels: LabelSetView,
    folder: str | os.PathLike[str],
    validation_share: float = VALIDATION_SHARE,
    on_progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Write the accepted labels as a training folder, or bring one that was exported up to date.

    A group is in the training or in the validation part by a draw from its name, so it stays there
    as a set grows. Where that leaves a part empty, the group nearest to it goes there.

    Args:
        labels: the set.
        folder: to write; new, empty, or exported before.
        validation_share: share of the groups to validate on, from 0 to 1.
        on_progress: called with (done, total) after each photo.

    Raises:
        DatasetError: nothing is accepted, or the folder holds something else.
        EdgesegError: it cannot be written.
    """
    accepted = labels.records("accepted")
    if not accepted:
        raise DatasetError(
            f"{shown_path(labels.folder)} has no accepted label yet: "
            "accept some with `edgeseg label serve`"
        )
    place = _prepared(Path(folder))
    splits = splits_by_group({record.group for record in accepted}, validation_share)
    rows: list[tuple[str, ...]] = []
    failures: list[str] = []
    for done, record in enumerate(accepted, start=1):
        try:
            image, mask = _copied(labels, record, place)
        except EdgesegError as error:
            failures.append(str(error))
        else:
            when = datetime.fromtimestamp(record.decided_at, timezone.utc)
            rows.append(
                (
                    image,
                    mask,
                    splits[record.group],
                    record.group,
                    record.path,
                    record.decided_by,
                    record.how,
                    when.isoformat(timespec="seconds"),
                )
            )
        if on_progress is not None:
            on_progress(done, len(accepted))
    if not rows:
        raise DatasetError(failures[0])
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    write_atomic(place / TABLE_NAME, text.getvalue().encode())
    trained = sum(row[2] == "train" for row in rows)
    return Exported(trained, len(rows) - trained, tuple(failures))


def splits_by_group(groups: set[str], validation_share: float) -> dict[str, str]:
    """Each group's split; with two groups or more and a share inside (0, 1) neither is empty."""
    splits = {group: split_of(group, validation_share) for group in groups}
    if len(groups) > 1 and 0.0 < validation_share < 1.0 and len(set(splits.values())) == 1:
        chosen = max if "train" not in splits.values() else min
        nearest = chosen(groups, key=hash_share)
        splits[nearest] = "train" if splits[nearest] == "val" else "val"
    return splits


def _prepared(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f"{shown_path(folder)} is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()):
        table = folder / TABLE_NAME
        head = table.open("rb").readline(1_000).decode(errors="replace") if table.is_file() else ""
        started = {path.name for path in folder.iterdir()} <= {"images", "masks"}
        if head.strip() != ",".join(COLUMNS) and not started:
            raise DatasetError(
                f"{shown_path(folder)} holds something else than exported labels; name another"
            )
    for part in ("images", "masks"):
        made_folder(folder / part)
    return folder


def _copied(labels: LabelSetView, record: PhotoRecord, folder: Path) -> tuple[str, str]:
    """Write a photo and its mask; their paths relative to the folder."""
    source = labels.photo_path(record)
    data = read_bounded(source, limits.MAX_PHOTO_BYTES, "photo")
    if sha256_hex(data) != record.sha256:
        raise DatasetError(f"{shown_path(source)} is another photo than the one that was labelled")
    png = _mask_png(labels, record)
    height, width = imaging.read_mask(png, f"the mask of {record.path}").shape
    if (width, height) != (record.width_px, record.height_px):
        raise DatasetError(f"the mask of {record.path} is {width} x {height}, the photo is not")
    image = PurePosixPath("images", f"{record.id:06d}{source.suffix.lower()}")
    mask = PurePosixPath("masks", f"{record.id:06d}.png")
    write_atomic(folder / image, data)
    write_atomic(folder / mask, png)
    return str(image), str(mask)


def _mask_png(labels: LabelSetView, record: PhotoRecord) -> bytes:
    for _ in range(_TRIES):
        current = labels.record(record.id)
        path = labels.mask_path(current)
        if path is None or current.state != "accepted":
            break
        if path.is_file():
            return read_bounded(path, limits.MAX_PHOTO_BYTES, "mask")
    raise DatasetError(f"the mask of {record.path} is gone; label it again")
