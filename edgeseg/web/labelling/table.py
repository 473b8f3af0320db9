"""The people's table: each action checked, done once however often it is sent, and answered."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from typing import Any

from edgeseg.errors import DatasetError, EdgesegError
from edgeseg.labelling.correction import Corrector
from edgeseg.labelling.desk import Desk
from edgeseg.labelling.label_set import LEASE_S, MAX_STROKES, LabelSet
from edgeseg.labelling.records import ClaimedError, PhotoRecord, State
from edgeseg.web.labelling.asked import Action, Person
from edgeseg.web.labelling.pictures import Cut, fitted, run_lengths
from edgeseg.web.labelling.seats import Seats
from edgeseg.web.refusal import RefusedError

# Each photo may be a group of its own.
_MAX_GROUPS_SHOWN = 200

Answer = dict[str, Any]


class Table:
    """What the page's requests do. Thread-safe; one action at a time.

    Args:
        labels: the set.
    """

    def __init__(self, labels: LabelSet) -> None:
        self._labels = labels
        self._desk = Desk(labels)
        self._seats = Seats()
        # A corrector is not thread-safe, and is asked for its mask beyond the desk's own lock.
        self._lock = threading.RLock()

    def next(self, person: Person, side_px: int) -> Answer:
        """Claim the next photo."""
        with self._told():
            self._seats.take(person.who, person.browser, over=person.over)
            record = self._labels.claim_next(person.who)
            return self._counted(self._opened(record, side_px))

    def skipped(self, person: Person, side_px: int) -> Answer:
        """Claim one that was skipped before."""
        with self._told():
            self._seats.take(person.who, person.browser)
            for record in self._labels.records("skipped"):
                with contextlib.suppress(ClaimedError):
                    opened = self._labels.reopen(record.id, person.who)
                    return self._counted(self._opened(opened, side_px))
            return self._counted(self._opened(None, side_px))

    def alive(self, person: Person, photo_id: int | None, active: bool) -> Answer:
        """Take a sign of life: a person at work keeps their photo.

        Args:
            person: who gives it.
            photo_id: what they have on screen.
            active: whether they did anything of late; else the lease is left to run out.

        Raises:
            RefusedError: the photo is theirs no more (409).
        """
        with self._told():
            self._seats.take(person.who, person.browser)
            if photo_id is not None:
                self._mine(photo_id, person.who)
                if active:
                    self._labels.claim(photo_id, person.who)
            return self._counted({})

    def release(self, person: Person, photo_id: int) -> Answer:
        """Give a photo back."""
        with self._told():
            self._labels.release(photo_id, person.who)
            return {}

    def stroke(self, action: Action) -> Answer:
        """Save a stroke; the answer has the mask with it."""
        stroke = action.stroke
        if stroke is None:
            raise RefusedError(400, "the stroke is missing")

        def is_done() -> bool:
            return self._labels.strokes(action.photo_id)[-1:] == [stroke]

        def add(photo_id: int, who: str) -> tuple[PhotoRecord, Corrector]:
            return self._desk.stroke(photo_id, who, stroke)

        return self._step(action, +1, is_done, add)

    def undo(self, action: Action) -> Answer:
        """Take the last stroke back."""
        return self._step(action, -1, lambda: True, self._desk.undo)

    def redo(self, action: Action) -> Answer:
        """Put the stroke that was taken back last in force again."""
        return self._step(action, +1, lambda: True, self._desk.redo)

    def decide(self, action: Action, state: State) -> Answer:
        """Accept, reject or skip; an accepted mask is on the disk when this returns."""
        with self._told():
            self._seats.take(action.person.who, action.person.browser)
            record = self._record(action.photo_id, action.sha256)
            who = action.person.who
            if record.state == state and record.decided_by == who:
                return self._counted({"photo": _shown(record)})
            self._mine(action.photo_id, who)
            if state == "accepted":
                if record.strokes_done != action.strokes:
                    raise _stale(record)
                self._corrector(record)
                record = self._desk.accept(record.id, who)
            elif state == "rejected":
                record = self._labels.reject(record.id, who, action.note)
            else:
                record = self._labels.skip(record.id, who, action.note)
            return self._counted({"photo": _shown(record)})

    def reopen(self, action: Action, instead_of: int | None) -> Answer:
        """Take up a photo again that was decided, and give the present one back."""
        with self._told():
            who = action.person.who
            self._seats.take(who, action.person.browser)
            record = self._record(action.photo_id, action.sha256)
            if record.state == "todo":
                record = self._labels.claim(record.id, who)
            else:
                record = self._labels.reopen(record.id, who)
            if instead_of is not None and instead_of != record.id:
                self._labels.release(instead_of, who)
            return self._counted(self._opened(record, action.side_px))

    def picture(self, photo_id: int, cut: Cut) -> bytes:
        """A photo or a part of it, as JPEG."""
        with self._told():
            photo = self._corrector(self._record(photo_id)).photo
        # A photo under correction is never written to.
        return cut.jpeg(photo)

    def _step(
        self,
        action: Action,
        step: int,
        is_done: Callable[[], bool],
        do: Callable[[int, str], tuple[PhotoRecord, Corrector]],
    ) -> Answer:
        """Do what changes the count of strokes by one, unless that was done already."""
        with self._told():
            self._seats.take(action.person.who, action.person.browser)
            record = self._record(action.photo_id, action.sha256)
            self._mine(record.id, action.person.who)
            corrector = self._corrector(record)
            if record.strokes_done == action.strokes:
                if not 0 <= record.strokes_done + step <= MAX_STROKES:
                    raise RefusedError(422, f"a photo has 0 to {MAX_STROKES} strokes")
                record, corrector = do(record.id, action.person.who)
            elif record.strokes_done != action.strokes + step or not is_done():
                raise _stale(record)
            mask = _mask(record, corrector, action.side_px)
            return {"photo": _shown(record), "mask": mask}

    def _opened(self, record: PhotoRecord | None, side_px: int) -> Answer:
        if record is None:
            return {"photo": None, "mask": None, "problem": None}
        answer: Answer = {"photo": _shown(record), "mask": None, "problem": None}
        try:
            answer["mask"] = _mask(record, self._corrector(record), side_px)
        except RefusedError as gone:
            # To be skipped or rejected, and no reason to stop.
            answer["problem"] = gone.message
        return answer

    def _counted(self, answer: Answer) -> Answer:
        """With the set's counts, and how long a photo stays someone's."""
        groups = sorted(
            self._labels.progress_by_group(), key=lambda each: (each.coverage, each.group)
        )
        return answer | {
            "progress": self._labels.progress().to_dict(),
            "groups": [group.to_dict() for group in groups[:_MAX_GROUPS_SHOWN]],
            "groups_total": len(groups),
            "lease_s": LEASE_S,
        }

    def _record(self, photo_id: int, sha256: str | None = None) -> PhotoRecord:
        try:
            record = self._labels.record(photo_id)
        except DatasetError as error:
            if self._is_away(error):
                raise
            raise RefusedError(404, "there is no such photo", str(error)) from error
        if record.state == "unreadable" or sha256 not in (None, record.sha256):
            raise RefusedError(404, "there is no such photo in this label set")
        return record

    def _mine(self, photo_id: int, who: str) -> None:
        """Refuse what is no longer a person's to change.

        Raises:
            RefusedError: another has it, or it was decided (409).
        """
        record = self._record(photo_id)
        if record.state != "todo":
            by = f" by {record.decided_by}" if record.decided_by else ""
            raise RefusedError(409, f"this photo was {record.state}{by} meanwhile")
        if record.claimed_by not in ("", who) and record.claimed_until > self._labels.clock():
            raise RefusedError(409, f"this photo is with {record.claimed_by} now")

    def _corrector(self, record: PhotoRecord) -> Corrector:
        """The corrector of a photo.

        Raises:
            RefusedError: the photo is gone, damaged or another one (410).
        """
        try:
            return self._desk.corrector(record.id)
        except EdgesegError as error:
            if self._is_away(error):
                raise
            raise RefusedError(
                410, "the photo's file is gone, damaged or changed since", str(error)
            ) from error

    def _is_away(self, error: EdgesegError) -> bool:
        """Whether the label set itself is the trouble, which may pass."""
        return isinstance(error.__cause__, sqlite3.Error) or not self._labels.store.exists

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """One action at a time, and the label set's refusals as the page's."""
        try:
            with self._lock:
                yield
        except ClaimedError as error:
            raise RefusedError(409, str(error)) from error
        except DatasetError as error:
            raise RefusedError(
                503, "the label set cannot be changed now; the server's log says why", str(error)
            ) from error


def _stale(record: PhotoRecord) -> RefusedError:
    return RefusedError(
        412, "this photo was changed in another window", f"{record.strokes_done} strokes in force"
    )


def _mask(record: PhotoRecord, corrector: Corrector, side_px: int) -> Answer:
    return run_lengths(corrector.mask(*fitted(record.width_px, record.height_px, side_px)))


def _shown(record: PhotoRecord) -> Answer:
    """What the page needs of a photo."""
    return {
        "id": record.id,
        "name": record.path,
        "sha256": record.sha256,
        "group": record.group,
        "width_px": record.width_px,
        "height_px": record.height_px,
        "state": record.state,
        "method": record.method,
        "strokes_done": record.strokes_done,
        "strokes_known": record.strokes_known,
    }
