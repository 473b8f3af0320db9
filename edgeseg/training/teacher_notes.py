"""A teacher's answers, kept between runs: asking it again costs minutes."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import FormatError
from edgeseg.files import read_bounded, sha256_hex, write_atomic
from edgeseg.limits import MAX_CHECKPOINT_BYTES

_NOTES_BEFORE_SAVING = 400


class TeacherNotes:
    """What a teacher has said so far, by photograph; kept in a file where there is one.

    Args:
        path: an ``.npz`` file; notes of another teacher in it are left unread and replaced.
        teacher: digest of the teacher's weights.
    """

    def __init__(self, path: Path | None, teacher: str) -> None:
        self.path = path
        self.teacher = teacher
        self.masks: dict[str, NDArray[np.uint8]] = {}
        self.unsaved = 0
        if path is not None and path.is_file():
            data = io.BytesIO(read_bounded(path, MAX_CHECKPOINT_BYTES, "teacher's notes"))
            try:
                with np.load(data, allow_pickle=False) as stored:
                    if str(stored["teacher"]) == teacher:
                        self.masks = {name: stored[name] for name in stored if name != "teacher"}
            except (ValueError, KeyError, OSError, zipfile.BadZipFile, zlib.error) as error:
                raise FormatError(f"{path}: damaged; delete it to ask the teacher anew") from error

    def get(self, image: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """The confidence for a photograph: ``(H, W)`` uint8, or None."""
        return self.masks.get(_name(image))

    def add(self, image: NDArray[np.uint8], confidence: NDArray[np.uint8]) -> None:
        """Notes a confidence, and writes the file now and then."""
        self.masks[_name(image)] = confidence
        self.unsaved += 1
        if self.unsaved >= _NOTES_BEFORE_SAVING:
            self.save()

    def save(self) -> None:
        """Writes what is new, in one rename."""
        if self.path is None or not self.unsaved:
            return
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {"teacher": np.array(self.teacher), **self.masks}
        np.savez_compressed(buffer, **arrays)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self.path, buffer.getvalue())
        self.unsaved = 0


def _name(image: NDArray[np.uint8]) -> str:
    return sha256_hex(np.ascontiguousarray(image).tobytes())
