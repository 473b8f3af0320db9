"""What the worker decides: kept on the device, once for each answer."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from pathlib import Path

from edgeseg import limits
from edgeseg.errors import EdgesegError
from edgeseg.files import made_folder, write_atomic
from edgeseg.imaging import encode_jpeg
from edgeseg.sync.clock import now
from edgeseg.sync.confirmations import Confirmation, ConfirmationLog, new_id
from edgeseg.web.matching.answers import Answer

_PHOTO_QUALITY = 92


class UndecidableError(EdgesegError):
    """What was decided does not fit the answer; the message says why."""


class Decisions:
    """Keeps decisions. Safe between threads.

    Args:
        log: the device's confirmations.
        photos: a folder for the photos that are worth a label; None keeps no photo.
    """

    def __init__(self, log: ConfirmationLog, photos: Path | None) -> None:
        self._log = log
        self._photos = photos
        self._lock = threading.Lock()
        # A page that heard no answer asks again: the same decision is kept once.
        self._made: OrderedDict[str, str | None] = OrderedDict()

    def decide(self, answer: Answer, sku: str | None) -> None:
        """Keep that an answer's garment is an item, or none of those shown; on the disk then.

        Raises:
            UndecidableError: the item is not among those shown, or something else was decided.
            EdgesegError: it cannot be written.
        """
        if answer.query is None:
            raise UndecidableError("no garment was found: there is nothing to confirm")
        if sku is not None and sku not in {match.sku for match in answer.matches}:
            raise UndecidableError("this item is not among those shown")
        with self._lock:
            if answer.id in self._made:
                if self._made[answer.id] != sku:
                    raise UndecidableError("something else was confirmed of this photo before")
                return
            self._log.append(_confirmation(answer, sku))
            self._made[answer.id] = sku
            while len(self._made) > limits.MAX_KEPT_ANSWERS:
                self._made.popitem(last=False)
        if self._photos is not None and _is_worth_a_label(answer, sku):
            keep_photo(self._photos, answer)


def _confirmation(answer: Answer, sku: str | None) -> Confirmation:
    assert answer.query is not None
    return Confirmation(
        id=new_id(),
        time=now(),
        photo_sha256=answer.photo_sha256,
        generation=answer.generation,
        catalogue_digest=answer.catalogue_digest,
        embedder_digest=answer.embedder_digest,
        embedding=answer.query,
        shown=tuple((match.sku, match.distance) for match in answer.matches),
        sku=sku,
        probability=answer.probability,
        cutout=answer.cutout,
    )


def _is_worth_a_label(answer: Answer, sku: str | None) -> bool:
    """Whether the network may have been wrong: about the cutout, the item, or its own doubt."""
    first = answer.matches[0].sku if answer.matches else None
    return answer.cutout != "model" or sku is None or sku != first or answer.accepted is False


def keep_photo(folder: Path, answer: Answer) -> None:
    """Keep an answer's photo, named by its file's SHA-256; the oldest of very many go.

    It is encoded anew, without the place and time that a phone writes into its files.

    Raises:
        EdgesegError: it cannot be written.
    """
    made_folder(folder)
    write_atomic(
        folder / f"{answer.photo_sha256}.jpg", encode_jpeg(answer.photo, _PHOTO_QUALITY), 0o600
    )
    kept = sorted(folder.glob("*.jpg"), key=lambda path: path.stat().st_mtime_ns)
    for old in kept[: -limits.MAX_LABEL_PHOTOS]:
        with contextlib.suppress(OSError):
            old.unlink()
