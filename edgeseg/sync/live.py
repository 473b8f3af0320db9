"""Matching while syncs go on: each photo with one whole generation, the newest that is open."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from edgeseg.catalogue import Where
from edgeseg.errors import EdgesegError
from edgeseg.files import PathLike
from edgeseg.imaging import Photo
from edgeseg.matcher import Matcher, MatchResult
from edgeseg.postprocess import SegmenterOptions
from edgeseg.sync.state import Installed
from edgeseg.sync.store import OpenGeneration, Store


@dataclass(frozen=True, eq=False)
class LiveMatch:
    """What one photo matched, and in which generation.

    Attributes:
        result: as of :meth:`edgeseg.matcher.Matcher.match`.
        generation: of the catalogue that was searched.
        published: when it was.
    """

    result: MatchResult
    generation: int
    published: datetime


class LiveMatcher:
    """Finds garments in a store's active generation, and moves on with it between two photos.

    A new generation is opened beside the old one, which answers until it is ready; where it does
    not open, the old one goes on. Safe to use from several threads.

    Attributes:
        store: what is followed.
        trouble: why the newest generation is not the one that answers; empty where it is.
    """

    def __init__(
        self, store: Store, threads: int = 1, options: SegmenterOptions | None = None
    ) -> None:
        """Open what is active.

        Args:
            store: of this device; it is only read.
            threads: for the networks.
            options: what counts as a garment, and how finely it is cut out.

        Raises:
            SyncError: there is no generation yet.
            EdgesegError: none opens.
        """
        self.store = store
        self.trouble = ""
        self._threads, self._options = threads, options
        self._moving = threading.Lock()
        self._seen = self._stamp()
        self._current = self._opened()

    @property
    def installed(self) -> Installed:
        """The generation that answers."""
        return self._current[0]

    def match(
        self,
        photo: Photo | PathLike,
        k: int = 10,
        segment: bool = True,
        *,
        where: Where | None = None,
        group_by: str | None = None,
    ) -> LiveMatch:
        """Match a photo, see :meth:`edgeseg.matcher.Matcher.match`."""
        installed, matcher = self.pair()
        result = matcher.match(photo, k, segment, where=where, group_by=group_by)
        return LiveMatch(result, installed.generation, installed.published)

    def pair(self) -> tuple[Installed, Matcher]:
        """The generation that answers now and its matcher, for work of more than one step.

        What is done with this one pair is done with one generation, whatever becomes active
        meanwhile. A newer one that is not open yet is opened in the background.
        """
        if self._stamp() != self._seen and self._moving.acquire(blocking=False):
            threading.Thread(target=self._move, daemon=True).start()
        return self._current

    def follow(self) -> Installed:
        """Move to the active generation now and wait for it; returns which answers then."""
        self._moving.acquire()
        self._move()
        return self.installed

    def _move(self) -> None:
        try:
            stamp = self._stamp()
            active = self.store.state().active
            if active is None or active.release == self.installed.release:
                self.trouble = ""
            elif active.files == self.installed.files:
                # As of a shard that did not change: only what it is called is new.
                self._current, self.trouble = (active, self._current[1]), ""
            else:
                self._current = self._opened()
            self._seen = stamp
        except EdgesegError as error:
            # Not tried again before the next change: it will not open a moment later either.
            self._seen, self.trouble = stamp, str(error)
        finally:
            self._moving.release()

    def _opened(self) -> tuple[Installed, Matcher]:
        opened: OpenGeneration = self.store.open_active()
        matcher = Matcher(opened.catalogue, opened.bundle, self._threads, self._options)
        self.trouble = opened.instead_of
        return opened.installed, matcher

    def _stamp(self) -> tuple[int, int]:
        """Changes whenever the store's state is replaced."""
        try:
            status = self.store.state_path.stat()
        except OSError:
            return (0, 0)
        return status.st_ino, status.st_mtime_ns
