"""What workers said of matches: this item, or none of these. One JSON object on each line.

A confirmation is one write to the end of a file, flushed to the disk before the worker is told that
it is kept. A kill in the middle leaves a torn last line, which readers pass over and the next
confirmation ends. The file is bounded: a full one takes the place of the older one beside it.

They are the cheapest labels that there are. Items that were shown before the right one are hard
negatives of it; photos like those whose cutout or match was wrong are the next to label.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import limits
from edgeseg.errors import EdgesegError, FormatError, LimitExceededError
from edgeseg.files import cannot, made_folder, read_bounded, sync_folder, write_all
from edgeseg.formats.document import Fields, canonical_json, parse_object
from edgeseg.formats.text_table import has_control_characters
from edgeseg.lock import Lock
from edgeseg.sync.clock import time_of, time_text

SUFFIX = ".jsonl"
FORMAT_VERSION = 1
_WHAT = "a confirmation"
_OLDER = ".older"
_LOCK = ".lock"


@dataclass(frozen=True, eq=False)
class Confirmation:
    """What a worker said of one photo's matches.

    Attributes:
        id: unique; the same confirmation may reach a fleet's watcher twice.
        time: when, by the device's clock, in UTC.
        photo_sha256: of the photo's file, as it was taken.
        generation: of the catalogue that was searched; 0 for one that was never published.
        catalogue_digest: of that catalogue.
        embedder_digest: names the embedder that made the embedding.
        embedding: `(dim,)` float32, what was searched for.
        shown: SKUs that were shown, nearest first, each with its distance.
        sku: the item that it is; None for none of these.
        probability: that the first match was right, as it was told; None where nothing was.
        cutout: "model", "corrected" by hand, or "whole" for a photo that was not cut out.
    """

    id: str
    time: datetime
    photo_sha256: str
    generation: int
    catalogue_digest: str
    embedder_digest: str
    embedding: NDArray[np.float32]
    shown: tuple[tuple[str, float], ...]
    sku: str | None
    probability: float | None
    cutout: str

    def to_line(self) -> bytes:
        """The line, with its line feed."""
        return canonical_json(
            {
                "catalogue_digest": self.catalogue_digest,
                "cutout": self.cutout,
                "embedder_digest": self.embedder_digest,
                "embedding": base64.b64encode(self.embedding.astype("<f4").tobytes()).decode(),
                "format_version": FORMAT_VERSION,
                "generation": self.generation,
                "id": self.id,
                "photo_sha256": self.photo_sha256,
                "probability": None if self.probability is None else round(self.probability, 6),
                "shown": [[sku, round(distance, 6)] for sku, distance in self.shown],
                "sku": self.sku,
                "time": time_text(self.time),
            }
        ) + b"\n"  # fmt: skip

    @classmethod
    def from_line(cls, line: bytes) -> Confirmation:
        """Read a line.

        Raises:
            FormatError: it is none.
        """
        fields = Fields(parse_object(line, limits.MAX_CONFIRMATION_BYTES, _WHAT), _WHAT)
        fields.integer("format_version", FORMAT_VERSION, FORMAT_VERSION)
        probability = fields.take("probability")
        sku = fields.take("sku")
        read = cls(
            id=fields.text("id", 64),
            time=time_of(fields.text("time"), _WHAT),
            photo_sha256=fields.sha256("photo_sha256"),
            generation=fields.integer("generation", 0, limits.MAX_GENERATION),
            catalogue_digest=fields.sha256("catalogue_digest"),
            embedder_digest=fields.sha256("embedder_digest"),
            embedding=_vector(fields.text("embedding", limits.MAX_CONFIRMATION_BYTES)),
            shown=_shown(fields.array("shown", limits.MAX_SHOWN_MATCHES)),
            sku=None if sku is None else _sku(sku),
            probability=None
            if probability is None
            else Fields({"probability": probability}, _WHAT).number("probability"),
            cutout=fields.text("cutout"),
        )
        fields.done()
        if read.cutout not in ("model", "corrected", "whole"):
            raise FormatError(f"{_WHAT} has an unknown cutout: {read.cutout[:40]}")
        return read


def new_id() -> str:
    """An id that no other device draws."""
    return secrets.token_hex(12)


class ConfirmationLog:
    """The file of a device's confirmations; safe between processes.

    Args:
        path: the file; made when absent, with its folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._older = self.path.with_name(self.path.name + _OLDER)
        self._lock_path = self.path.with_name(self.path.name + _LOCK)

    def append(self, confirmation: Confirmation) -> None:
        """Keep a confirmation: on the disk when this returns.

        Raises:
            LimitExceededError: it is too large.
            EdgesegError: it cannot be written; the disk is full, for one.
        """
        line = confirmation.to_line()
        if len(line) > limits.MAX_CONFIRMATION_BYTES:
            raise LimitExceededError(f"{_WHAT} of {len(line)} bytes is not kept")
        made_folder(self.path.parent)
        with _Held(self._lock_path):
            try:
                self._make_room(len(line))
                _append(self.path, line)
            except OSError as error:
                raise EdgesegError(cannot("write", "", self.path, error)) from error

    def count(self) -> int:
        """How many are kept, in the file and the older one."""
        return sum(1 for path in (self._older, self.path) for _ in _lines(path))

    def take(self, folder: Path) -> None:
        """Move all that is kept into a folder, from which it is sent; each file in one rename.

        Where some still waits there, all stays where it is, and where it is bounded.

        Raises:
            EdgesegError: it cannot be moved.
        """
        if not (self.path.exists() or self._older.exists()) or any(folder.glob(f"*{SUFFIX}")):
            return
        with _Held(self._lock_path):
            for number, path in enumerate((self._older, self.path)):
                if path.exists():
                    name = f"confirmations-{secrets.token_hex(6)}-{number}{SUFFIX}"
                    try:
                        path.rename(folder / name)
                        sync_folder(folder)
                    except OSError as error:
                        raise EdgesegError(cannot("move", "", path, error)) from error

    def _make_room(self, more_bytes: int) -> None:
        if not self.path.exists():
            return
        if self.path.stat().st_size + more_bytes > limits.MAX_CONFIRMATIONS_FILE_BYTES:
            self.path.replace(self._older)
            sync_folder(self.path.parent)


def read_confirmations(path: str | os.PathLike[str]) -> tuple[list[Confirmation], int]:
    """Read a file of confirmations.

    Returns:
        Those that are whole, in order, and how many lines are not: a kill leaves one at most.

    Raises:
        EdgesegError: the file cannot be read.
    """
    whole: list[Confirmation] = []
    torn = 0
    data = read_bounded(path, 2 * limits.MAX_CONFIRMATIONS_FILE_BYTES, "confirmations")
    for line in data.splitlines():
        if not line.strip():
            continue
        try:
            whole.append(Confirmation.from_line(line))
        except FormatError:
            torn += 1
    return whole, torn


def batches(path: Path) -> Iterator[list[bytes]]:
    """The whole lines of a file, so many at once as are sent together.

    Raises:
        EdgesegError: the file cannot be read.
    """
    batch: list[bytes] = []
    size_bytes = 0
    for line in _whole(_lines(path)):
        if batch and size_bytes + len(line) > limits.MAX_CONFIRMATIONS_BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
        batch.append(line)
        size_bytes += len(line)
    if batch:
        yield batch


def _whole(lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        try:
            Confirmation.from_line(line)
        except FormatError:
            continue
        yield line


def _lines(path: Path) -> list[bytes]:
    if not path.exists():
        return []
    data = read_bounded(path, 2 * limits.MAX_CONFIRMATIONS_FILE_BYTES, "confirmations")
    return [line for line in data.splitlines() if line.strip()]


def _append(path: Path, line: bytes) -> None:
    fresh = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        # A line that a kill tore is ended first, so that it takes no whole one with it.
        size_bytes = os.fstat(descriptor).st_size
        if size_bytes and os.pread(descriptor, 1, size_bytes - 1) != b"\n":
            line = b"\n" + line
        write_all(descriptor, memoryview(line))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if fresh:
        sync_folder(path.parent)


class _Held:
    """The lock, waited for: whoever holds it is done in a moment."""

    def __init__(self, path: Path) -> None:
        self._lock = Lock(path)

    def __enter__(self) -> None:
        self._lock.acquire(wait=True)

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _vector(text: str) -> NDArray[np.float32]:
    try:
        vector = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
    except (binascii.Error, ValueError) as error:
        raise FormatError(f"{_WHAT} has an embedding that is none") from error
    if not 1 <= len(vector) <= limits.MAX_DIM or not np.isfinite(vector).all():
        raise FormatError(f"{_WHAT} has an embedding that is none")
    return vector


def _shown(values: list[object]) -> tuple[tuple[str, float], ...]:
    shown = []
    for value in values:
        if not isinstance(value, list) or len(value) != 2:
            raise FormatError(f"{_WHAT} has a match that is none")
        shown.append((_sku(value[0]), Fields({"distance": value[1]}, _WHAT).number("distance")))
    return tuple(shown)


def _sku(value: object) -> str:
    # A catalogue may have SKUs that `str.isprintable` calls unprintable, such as with joiners.
    plain = isinstance(value, str) and not has_control_characters(value)
    if not (isinstance(value, str) and plain and 0 < len(value) <= limits.MAX_SKU_CHARS):
        raise FormatError(f"{_WHAT} has a SKU that is none")
    return value
