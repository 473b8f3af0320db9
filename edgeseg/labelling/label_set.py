"""The label set on disk: photos, their masks, who does which, and what was done.

    LABELS/labels.sqlite    everything but pictures; see :mod:`edgeseg.labelling.store`
    LABELS/masks/           the masks, 0/255 PNG at the photo's size, named by photo and digest
    LABELS/seeds/           the automatic labels' confidence, 8-bit PNG at the network's size

A mask is written whole and flushed under a name of its own before the database names it, and the
one before is removed after. So whatever is killed when, each photo has its old mask or its new one.
Each call is one transaction; strokes are kept as they were made, and a mask is found again from the
seed and the strokes in force, so undo and redo outlive a restart.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3

from edgeseg.errors import DatasetError
from edgeseg.labelling.filling import write_picture
from edgeseg.labelling.records import ClaimedError, PhotoRecord, State
from edgeseg.labelling.strokes import Stroke, counts_by_kind
from edgeseg.labelling.view import SELECT, LabelSetView, stored_record, strokes_in_force

# Without a sign of life for so long a photo goes to the next person.
LEASE_S = 600.0
# Far more than a careful correction; what is beyond came from a broken page.
MAX_STROKES = 2_000
MAX_NAME_CHARS = 100
MAX_NOTE_CHARS = 500


class LabelSet(LabelSetView):
    """A label set to work on: who has which photo, strokes, and what becomes of each photo.

    Thread-safe, and safe between processes. Arguments and errors as :class:`LabelSetView`.
    """

    def claim_next(self, who: str, lease_s: float = LEASE_S) -> PhotoRecord | None:
        """Give a person the next photo to label, which nobody else gets meanwhile.

        Args:
            who: the person's name.
            lease_s: until when it stays theirs without another call about it, in seconds.

        Returns:
            The one they have already, else the one of highest priority; None when all are done or
            in others' hands.
        """
        _check_name(who)
        with self.store.changing() as db:
            now = self.clock()
            row = db.execute(
                f"{SELECT}WHERE state = 'todo' AND (claimed_until <= ? OR claimed_by = ?) "
                "ORDER BY (claimed_by = ? AND claimed_until > ?) DESC, priority DESC, id LIMIT 1",
                (now, who, who, now),
            ).fetchone()
            if row is None:
                return None
            return self._claim(db, row["id"], who, lease_s)

    def claim(self, photo_id: int, who: str, lease_s: float = LEASE_S) -> PhotoRecord:
        """Give a person this very photo, or renew their lease; arguments as for `claim_next`.

        Raises:
            ClaimedError: another person has it.
            DatasetError: no such photo, or an unreadable one.
        """
        with self.store.changing() as db:
            return self._claim(db, photo_id, who, lease_s)

    def release(self, photo_id: int, who: str) -> None:
        """Give a photo back; nothing happens when it is not theirs."""
        with self.store.changing() as db:
            db.execute(
                "UPDATE photos SET claimed_by = '', claimed_until = 0 "
                "WHERE id = ? AND claimed_by = ?",
                (photo_id, who),
            )

    def add_stroke(self, photo_id: int, who: str, stroke: Stroke) -> PhotoRecord:
        """Keep a stroke; those that were undone before can't be redone any more.

        Raises:
            ClaimedError, DatasetError: as `claim`; also above `MAX_STROKES`.
        """
        with self.store.changing() as db:
            record = self._todo(db, photo_id, who)
            if record.strokes_done >= MAX_STROKES:
                raise DatasetError(f"this photo has {MAX_STROKES} strokes; undo some")
            db.execute(
                "DELETE FROM strokes WHERE photo_id = ? AND number > ?",
                (photo_id, record.strokes_done),
            )
            text = json.dumps(stroke.to_dict(), separators=(",", ":"))
            number = record.strokes_done + 1
            db.execute(
                "INSERT INTO strokes VALUES (?, ?, ?, ?, ?)",
                (photo_id, number, text, who, self.clock()),
            )
            return self._changed(db, photo_id, who, stroke.kind, strokes_done=number)

    def undo(self, photo_id: int, who: str) -> PhotoRecord:
        """Take the last stroke in force back; nothing happens where there is none.

        Raises:
            ClaimedError, DatasetError: as `claim`.
        """
        return self._step(photo_id, who, -1)

    def redo(self, photo_id: int, who: str) -> PhotoRecord:
        """Put the stroke that was undone last back in force; nothing happens where there is none.

        Raises:
            ClaimedError, DatasetError: as `claim`.
        """
        return self._step(photo_id, who, +1)

    def accept(self, photo_id: int, who: str, mask_png: bytes) -> PhotoRecord:
        """Keep a mask as the photo's label; when this returns, it is on the disk.

        Args:
            photo_id: the photo's.
            who: the person's name.
            mask_png: 0/255 PNG of the photo's size.

        Raises:
            ClaimedError, DatasetError: as `claim`.
            EdgesegError: it cannot be written; the photo is as before.
        """
        with self.store.changing() as db:
            record = self._claim(db, photo_id, who, LEASE_S)
            name = write_picture(self.folder / "masks", photo_id, mask_png)
            counts = json.dumps(counts_by_kind(strokes_in_force(db, record)))
            accepted = self._decide(
                db, photo_id, who, "accepted", note="", mask=name, mask_strokes=counts
            )
        former = self.mask_path(record)
        if former is not None and record.mask != accepted.mask:
            # The database names the new one for good; `sweep` would find a file that stays.
            with contextlib.suppress(OSError):
                former.unlink()
        return accepted

    def reject(self, photo_id: int, who: str, note: str = "") -> PhotoRecord:
        """Say that no label can be made of a photo; arguments and errors as `skip`."""
        return self._set_aside(photo_id, who, "rejected", note)

    def skip(self, photo_id: int, who: str, note: str = "") -> PhotoRecord:
        """Leave a photo for later.

        Args:
            photo_id: the photo's.
            who: the person's name.
            note: why.

        Raises:
            ClaimedError, DatasetError: as `claim`.
        """
        return self._set_aside(photo_id, who, "skipped", note)

    def reopen(self, photo_id: int, who: str) -> PhotoRecord:
        """Label a photo again that was accepted, rejected or skipped; its mask and strokes stay.

        Raises:
            ClaimedError, DatasetError: as `claim`.
        """
        with self.store.changing() as db:
            self._claim(db, photo_id, who, LEASE_S)
            return self._changed(
                db, photo_id, who, "reopened", state="todo", decided_by="", decided_at=0.0
            )

    def _claim(
        self, db: sqlite3.Connection, photo_id: int, who: str, lease_s: float
    ) -> PhotoRecord:
        _check_name(who)
        record, now = stored_record(db, photo_id), self.clock()
        if record.state == "unreadable":
            raise DatasetError(f"{record.path} cannot be labelled: {record.note}")
        if record.claimed_by not in ("", who) and record.claimed_until > now:
            raise ClaimedError(f"{record.path} is with {record.claimed_by} at the moment")
        db.execute(
            "UPDATE photos SET claimed_by = ?, claimed_until = ? WHERE id = ?",
            (who, now + lease_s, photo_id),
        )
        return stored_record(db, photo_id)

    def _todo(self, db: sqlite3.Connection, photo_id: int, who: str) -> PhotoRecord:
        record = self._claim(db, photo_id, who, LEASE_S)
        if record.state != "todo":
            raise DatasetError(f"{record.path} is {record.state}: reopen it to change its mask")
        return record

    def _step(self, photo_id: int, who: str, step: int) -> PhotoRecord:
        with self.store.changing() as db:
            record = self._todo(db, photo_id, who)
            done = record.strokes_done + step
            if not 0 <= done <= record.strokes_known:
                return record
            what = "undone" if step < 0 else "redone"
            return self._changed(db, photo_id, who, what, strokes_done=done)

    def _set_aside(self, photo_id: int, who: str, state: State, note: str) -> PhotoRecord:
        if len(note) > MAX_NOTE_CHARS:
            raise DatasetError(f"a note has at most {MAX_NOTE_CHARS} characters")
        with self.store.changing() as db:
            self._claim(db, photo_id, who, LEASE_S)
            return self._decide(db, photo_id, who, state, note=note)

    def _decide(
        self, db: sqlite3.Connection, photo_id: int, who: str, state: State, **columns: str
    ) -> PhotoRecord:
        db.execute(
            "UPDATE photos SET state = ?, decided_by = ?, decided_at = ?, claimed_by = '', "
            "claimed_until = 0 WHERE id = ?",
            (state, who, self.clock(), photo_id),
        )
        return self._changed(db, photo_id, who, state, **columns)

    def _changed(
        self,
        db: sqlite3.Connection,
        photo_id: int,
        who: str,
        what: str,
        **columns: str | int | float,
    ) -> PhotoRecord:
        for name, value in columns.items():
            db.execute(f"UPDATE photos SET {name} = ? WHERE id = ?", (value, photo_id))
        db.execute("INSERT INTO events VALUES (?, ?, ?, ?)", (photo_id, self.clock(), who, what))
        return stored_record(db, photo_id)


def _check_name(who: str) -> None:
    if not 0 < len(who) <= MAX_NAME_CHARS or not who.isprintable():
        raise DatasetError(f"a person's name has 1 to {MAX_NAME_CHARS} printable characters")
