"""What a label set tells of its photos."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from edgeseg.errors import DatasetError

State = Literal["todo", "accepted", "rejected", "skipped", "unreadable"]
STATES: tuple[State, ...] = get_args(State)
Method = Literal["segmenter", "grabcut", "otsu"]
METHODS: tuple[Method, ...] = get_args(Method)


class ClaimedError(DatasetError):
    """Another person has this photo at the moment."""


@dataclass(frozen=True)
class PhotoRecord:
    """One photo of a label set, as it stood when it was read.

    Attributes:
        id: number in the set; never that of another photo.
        path: relative to the photos' folder, with slashes.
        sha256: of the photo's file; empty where it cannot be read.
        width_px, height_px: upright; 0 where it cannot be read.
        group: what never crosses a split: who sent it, or the photo itself.
        state: "todo", "accepted", "rejected" (no label can be made of it), "skipped" (for somebody
            else, or later) or "unreadable".
        note: why it was rejected or skipped, or cannot be read.
        method: of the automatic label.
        mask: path of the mask relative to the set, or None: the accepted one, before that the
            automatic one. Always whole: a new mask is another file.
        seed: path of the automatic label's confidence, relative to the set, or None.
        priority: the highest is labelled next.
        strokes_done, strokes_known: strokes in force, and with those that can be redone.
        mask_strokes: strokes behind the accepted mask, by kind.
        decided_by, decided_at: who accepted, rejected or skipped it, and when (seconds since 1970);
            empty and 0 where nobody did.
        claimed_by, claimed_until: who has it now, and until when unless renewed.
    """

    id: int
    path: str
    sha256: str
    width_px: int
    height_px: int
    group: str
    state: State
    note: str
    method: str
    mask: PurePosixPath | None
    seed: PurePosixPath | None
    priority: float
    strokes_done: int
    strokes_known: int
    mask_strokes: dict[str, int]
    decided_by: str
    decided_at: float
    claimed_by: str
    claimed_until: float

    @property
    def can_undo(self) -> bool:
        """Whether a stroke is in force."""
        return self.strokes_done > 0

    @property
    def can_redo(self) -> bool:
        """Whether a stroke was undone and none was made since."""
        return self.strokes_done < self.strokes_known

    @property
    def how(self) -> str:
        """In words, how the accepted mask was made: "segmenter + 2 click + 1 foreground"."""
        counts = [f"{count} {kind}" for kind, count in self.mask_strokes.items()]
        return " + ".join([self.method, *counts])

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "id": self.id,
            "photo": self.path,
            "group": self.group,
            "width_px": self.width_px,
            "height_px": self.height_px,
            "state": self.state,
            "note": self.note,
            "how": self.how,
            "can_undo": self.can_undo,
            "can_redo": self.can_redo,
            "decided_by": self.decided_by,
            "decided_at": self.decided_at,
            "claimed_by": self.claimed_by,
        }


@dataclass(frozen=True)
class NewPhoto:
    """A photo to add to a set, with its automatic label.

    Attributes:
        path, sha256, width_px, height_px, group, method: see :class:`PhotoRecord`.
        seed_png: the confidence as a PNG's bytes; empty where the photo cannot be read.
        mask_png: the automatic mask as a PNG's bytes, likewise.
        problem: why it cannot be read; empty where it can.
    """

    path: str
    sha256: str
    width_px: int
    height_px: int
    group: str
    method: str
    seed_png: bytes = b""
    mask_png: bytes = b""
    problem: str = ""


@dataclass(frozen=True)
class Progress:
    """Counts of photos, of a set or of one group in it.

    Attributes:
        group: empty for the whole set.
        counts: photos by state; every state is there.
    """

    group: str
    counts: dict[State, int]

    @property
    def total(self) -> int:
        """All photos that can be read."""
        return sum(self.counts.values()) - self.counts["unreadable"]

    @property
    def coverage(self) -> float:
        """Share of the readable photos that have an accepted mask, in [0, 1]."""
        return self.counts["accepted"] / self.total if self.total else 0.0

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        counts = {str(state): count for state, count in self.counts.items()}
        return {"group": self.group, **counts, "total": self.total, "coverage": self.coverage}


def record_from(row: Any) -> PhotoRecord:
    """Read a row of the database's `photos`, with `strokes_known` beside its columns."""
    return PhotoRecord(
        id=row["id"],
        path=row["path"],
        sha256=row["sha256"],
        width_px=row["width_px"],
        height_px=row["height_px"],
        group=row["photo_group"],
        state=row["state"],
        note=row["note"],
        method=row["method"],
        mask=PurePosixPath("masks", row["mask"]) if row["mask"] else None,
        seed=PurePosixPath("seeds", row["seed"]) if row["seed"] else None,
        priority=row["priority"],
        strokes_done=row["strokes_done"],
        strokes_known=row["strokes_known"],
        mask_strokes=json.loads(row["mask_strokes"]),
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        claimed_by=row["claimed_by"],
        claimed_until=row["claimed_until"],
    )


def checked_relative(path: str) -> str:
    """A path that stays below its folder.

    Raises:
        DatasetError: it is absolute, empty or climbs out.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\x00" in path:
        raise DatasetError(f"{path!r} does not stay below the photos' folder")
    return path


def photo_path(root: Path, record: PhotoRecord) -> Path:
    """Where a photo lies."""
    return root / checked_relative(record.path)
