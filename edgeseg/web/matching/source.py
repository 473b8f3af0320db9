"""The catalogue that answers, always the newest that opens, and whole for each answer."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

from edgeseg.catalogue import Catalogue
from edgeseg.errors import EdgesegError
from edgeseg.item_pictures import item_pictures
from edgeseg.matcher import Matcher
from edgeseg.presets import BundleSource
from edgeseg.sync.clock import now
from edgeseg.sync.live import LiveMatcher
from edgeseg.sync.state import Installed, span_told


@dataclass(frozen=True, eq=False)
class Opened:
    """One catalogue that is open, with all that an answer needs of it.

    Attributes:
        matcher: searches it.
        generation: its own; 0 where it was never published.
        pictures: where its items' pictures are, by SKU; a few, all or none.
        dated: when it was published, or its file written.
    """

    matcher: Matcher
    generation: int
    pictures: Mapping[str, Path]
    dated: datetime


class Source(Protocol):
    """Where catalogues come from. Safe to use from several threads."""

    @property
    def trouble(self) -> str:
        """Why the newest is not the one that answers; empty where it is."""
        ...

    def current(self) -> Opened:
        """The one that answers; a newer one is opened in the background."""
        ...

    def age_told(self, opened: Opened) -> str:
        """How old one is, in one line."""
        ...


class FileSource:
    """A catalogue file, opened again whenever it is replaced.

    Args:
        path: the file.
        bundle: makes queries for it.
        threads: for the networks.
        pictures: the CSV or folder of the items' pictures; None takes what was noted at the build.

    Raises:
        EdgesegError: it does not open, or `pictures` cannot be read.
    """

    def __init__(
        self, path: Path, bundle: BundleSource, threads: int, pictures: Path | None
    ) -> None:
        self._path, self._bundle, self._threads = path, bundle, threads
        self._pictures = pictures
        self._trouble = ""
        self._moving = threading.Lock()
        self._seen = self._stamp()
        self._opened = self._open()

    @property
    def trouble(self) -> str:
        """Why the file as it is now does not answer; empty where it does."""
        return self._trouble

    def current(self) -> Opened:
        """What answers; where the file was replaced, the new one is opened in the background."""
        if self._stamp() != self._seen and self._moving.acquire(blocking=False):
            threading.Thread(target=self._move, daemon=True).start()
        return self._opened

    def age_told(self, opened: Opened) -> str:
        """How old the file is."""
        age = span_told((now() - opened.dated).total_seconds())
        if opened.generation:
            return f"generation {opened.generation}, written {age} ago"
        return f"catalogue written {age} ago"

    def _move(self) -> None:
        stamp = self._stamp()
        try:
            self._opened = self._open()
            self._trouble = ""
        except EdgesegError as error:
            self._trouble = str(error)
        finally:
            # A file that does not open is not tried again before it changes.
            self._seen = stamp
            self._moving.release()

    def _open(self) -> Opened:
        catalogue = Catalogue.open(self._path)
        matcher = Matcher(catalogue, self._bundle, self._threads)
        pictures = item_pictures(self._path, self._pictures)
        written = datetime.fromtimestamp(self._path.stat().st_mtime, timezone.utc)
        return Opened(matcher, catalogue.data.generation, pictures, written)

    def _stamp(self) -> tuple[int, int, int]:
        try:
            status = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return status.st_ino, status.st_mtime_ns, status.st_size


class StoreSource:
    """A store that `edgeseg sync` keeps current.

    Args:
        live: follows the store.
        pictures: the CSV or folder of the items' pictures; None shows none.

    Raises:
        EdgesegError: `pictures` cannot be read.
    """

    def __init__(self, live: LiveMatcher, pictures: Path | None) -> None:
        self._live, self._pictures = live, pictures
        self._lock = threading.Lock()
        installed, matcher = live.pair()
        self._made = (installed, self._make(installed, matcher))

    @property
    def trouble(self) -> str:
        """Why the newest generation does not answer; empty where it does."""
        return self._live.trouble

    def current(self) -> Opened:
        """The generation that answers."""
        installed, matcher = self._live.pair()
        with self._lock:
            # A generation that changed only other shards has the matcher of the one before.
            if self._made[0] is not installed or self._made[1].matcher is not matcher:
                self._made = (installed, self._make(installed, matcher))
            return self._made[1]

    def age_told(self, opened: Opened) -> str:
        """How old the generation is, and whether more could have been heard of it."""
        installed, made = self._made
        if made is not opened:
            age = span_told((now() - opened.dated).total_seconds())
            return f"generation {opened.generation}, published {age} ago"
        try:
            return self._live.store.state().age_told(now(), installed)
        except EdgesegError as error:
            return str(error)

    def _make(self, installed: Installed, matcher: Matcher) -> Opened:
        pictures = item_pictures(None, self._pictures)
        return Opened(matcher, installed.generation, pictures, installed.published)
