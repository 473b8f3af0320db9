"""What a person sits at: a label set's photos with their correctors, each action saved at once."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np

from edgeseg import limits
from edgeseg.errors import DatasetError
from edgeseg.files import read_bounded, sha256_hex
from edgeseg.imaging import encode_png, read_photo
from edgeseg.labelling.correction import Corrector
from edgeseg.labelling.label_set import LabelSet
from edgeseg.labelling.records import PhotoRecord
from edgeseg.labelling.strokes import Stroke
from edgeseg.photo_file import read_category_mask

# A 12-megapixel photo is 36 MB.
KEPT_PHOTOS = 3


class Desk:
    """Photos under correction, in memory for speed and on the disk for good. Thread-safe.

    What is in memory is only ever what the label set says: a photo that another process changed
    meanwhile is worked out anew from its strokes.

    Args:
        labels: the set.
    """

    def __init__(self, labels: LabelSet) -> None:
        self.labels = labels
        self._correctors: OrderedDict[int, Corrector] = OrderedDict()
        self._lock = threading.RLock()

    def corrector(self, photo_id: int) -> Corrector:
        """The corrector of a photo with the strokes in force.

        Raises:
            PhotoError: the photo is gone, or no longer the one that was labelled.
            DatasetError: the set has no such photo, or it was unreadable.
        """
        with self._lock:
            return self._synced(self.labels.record(photo_id))

    def stroke(self, photo_id: int, who: str, stroke: Stroke) -> tuple[PhotoRecord, Corrector]:
        """Save a stroke and take it in.

        Raises:
            ClaimedError, DatasetError, PhotoError: see :class:`LabelSet`; the stroke is not kept.
        """
        with self._lock:
            self.corrector(photo_id)
            record = self.labels.add_stroke(photo_id, who, stroke)
            return record, self._synced(record)

    def undo(self, photo_id: int, who: str) -> tuple[PhotoRecord, Corrector]:
        """Take the last stroke back; errors as `stroke`."""
        with self._lock:
            record = self.labels.undo(photo_id, who)
            return record, self._synced(record)

    def redo(self, photo_id: int, who: str) -> tuple[PhotoRecord, Corrector]:
        """Put the last undone stroke back in force; errors as `stroke`."""
        with self._lock:
            record = self.labels.redo(photo_id, who)
            return record, self._synced(record)

    def accept(self, photo_id: int, who: str) -> PhotoRecord:
        """Keep the mask at the photo's size; it is on the disk when this returns.

        Raises:
            ClaimedError, DatasetError, PhotoError: as `stroke`.
        """
        with self._lock:
            self.labels.claim(photo_id, who)
            png = encode_png(self.corrector(photo_id).full_mask())
            record = self.labels.accept(photo_id, who, png)
            self._correctors.pop(photo_id, None)
            return record

    def _synced(self, record: PhotoRecord) -> Corrector:
        """The corrector, brought to the strokes in force by undoing and applying the fewest."""
        wanted = self.labels.strokes(record.id)
        corrector = self._correctors.get(record.id)
        if corrector is None:
            corrector = self._opened(record)
            self._correctors[record.id] = corrector
        self._correctors.move_to_end(record.id)
        while len(self._correctors) > KEPT_PHOTOS:
            self._correctors.popitem(last=False)
        shared = 0
        for mine, theirs in zip(corrector.strokes, wanted, strict=False):
            if mine != theirs:
                break
            shared += 1
        while len(corrector.strokes) > shared:
            corrector.undo()
        corrector.replay(wanted[shared:])
        return corrector

    def _opened(self, record: PhotoRecord) -> Corrector:
        path, seed = self.labels.photo_path(record), self.labels.seed_path(record)
        if seed is None:
            raise DatasetError(f"{record.path} cannot be labelled: {record.note}")
        data = read_bounded(path, limits.MAX_PHOTO_BYTES, "photo")
        if sha256_hex(data) != record.sha256:
            raise DatasetError(f"{path} is another photo than the one in the label set")
        confidence = read_category_mask(seed).astype(np.float32) / np.float32(255.0)
        return Corrector(read_photo(data, str(path)), confidence)
