"""A worker: takes a chunk's pictures from their places, describes them and writes its part.

The same worker does its work in this process or in an actor on another machine.
"""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edgeseg import __version__, limits
from edgeseg.errors import EdgesegError, PhotoError
from edgeseg.files import sha256_hex
from edgeseg.imaging import Photo, read_photo
from edgeseg.scale.chunk import KnownPictures, read_chunk
from edgeseg.scale.part import Found, part_path, read_found, write_part
from edgeseg.scale.place import Place, fetched

# One picture is decoded while another is described; more would only hold more photos in memory. For
# each thread that decodes.
_DECODE_AHEAD = 2
STAGES = ("fetch", "decode", "describe", "write")


class DescribesPictures(Protocol):
    """What a worker needs; :class:`edgeseg.description.Describer` is one."""

    @property
    def dim(self) -> int:
        """Length of the vectors."""

    def describe(self, picture: Photo, name: str) -> NDArray[np.float32]:
        """``(H, W, 3)`` uint8 RGB to ``(dim,)`` float32, L2-normalised."""


@runtime_checkable
class DescribesBatches(DescribesPictures, Protocol):
    """A describer that many pictures together are quicker for, as they are on a GPU."""

    @property
    def batch_pictures(self) -> int:
        """How many it wants at once."""

    @property
    def threads(self) -> int:
        """How many threads it may keep busy; as many decode for it."""

    def describe_all(self, pictures: Sequence[Photo], names: Sequence[str]) -> NDArray[np.float32]:
        """Each ``(H, W, 3)`` uint8 RGB, of any size, to ``(n, dim)`` float32, L2-normalised."""


@dataclass(frozen=True)
class Work:
    """What all workers of a build share; it travels to other machines.

    Attributes:
        run: names the build, so that what it does twice is written once.
        folder: of its chunks, that every worker sees.
        parts: folder of parts, that every worker sees.
        open_describer: makes the describer, once in each worker.
        edgeseg: the version that all must have.
    """

    run: str
    folder: Path
    parts: Path
    open_describer: Callable[[], DescribesPictures]
    edgeseg: str = __version__

    def part_name(self, number: int) -> str:
        """The part of a chunk."""
        return sha256_hex(f"{self.run} {number}".encode())[:32]


@dataclass
class Done:
    """What became of a chunk.

    Attributes:
        number: of the chunk.
        part: its name.
        pictures: how many there were.
        described: of them anew.
        known: of them already.
        unreadable: of them not at all.
        read_bytes: of pictures.
        seconds: by stage; the stages overlap.
        worker: the machine and process.
    """

    number: int
    part: str
    pictures: int = 0
    described: int = 0
    known: int = 0
    unreadable: int = 0
    read_bytes: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    worker: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self)

    def count(self, found: Found, described: bool) -> None:
        """Count a picture."""
        self.pictures += 1
        if described:
            self.described += 1
        elif found.reason:
            self.unreadable += 1
        else:
            self.known += 1


class Worker:
    """Does chunks, one after the other.

    Args:
        work: what all workers share.

    Raises:
        EdgesegError: the describer cannot be opened, or the folder is not seen from here.
    """

    def __init__(self, work: Work) -> None:
        if work.edgeseg != __version__:
            raise EdgesegError(
                f"{platform.node()} has edgeseg {__version__}, and the build was started by "
                f"{work.edgeseg}: install the same version on all nodes"
            )
        self._work = work
        self._describer = describer = work.open_describer()
        self._batches = describer if isinstance(describer, DescribesBatches) else None
        try:
            self._known = KnownPictures(work.folder)
        except OSError as error:
            raise EdgesegError(
                f"{platform.node()} does not see {work.folder} ({error.strerror}): all nodes need "
                "the cache folder at the same path, such as on a network file system"
            ) from error

    def do(self, number: int) -> Done:
        """Do a chunk; one that is done already is only told.

        Raises:
            ModelContractError: the describer's network gives what it should not.
            EdgesegError: the part cannot be written.
        """
        name = self._work.part_name(number)
        done = Done(number, name, worker=f"{platform.node()}:{os.getpid()}")
        path = part_path(self._work.parts, name)
        if path.exists():
            for _, found, described in read_found(path):
                done.count(found, described)
            return done
        results: list[Found] = []
        waiting: dict[int, Photo] = {}
        for place, sha256, picture in self._pictures(number, done):
            reason = str(picture) if isinstance(picture, EdgesegError) else ""
            if isinstance(picture, np.ndarray):
                waiting[len(results)] = picture
            results.append(Found(place.address, place.stamp, sha256, reason=reason))
            if self._is_enough(waiting):
                self._describe(waiting, results, done)
        self._describe(waiting, results, done)
        for found in results:
            done.count(found, found.embedding is not None)
        start_s = time.perf_counter()
        write_part(path, results, self._describer.dim)
        done.seconds["write"] += time.perf_counter() - start_s
        return done

    def _is_enough(self, waiting: dict[int, Photo]) -> bool:
        batch = 1 if self._batches is None else self._batches.batch_pictures
        waiting_bytes = sum(picture.nbytes for picture in waiting.values())
        return len(waiting) >= batch or waiting_bytes > limits.MAX_WAITING_PHOTOS_BYTES

    def _describe(self, waiting: dict[int, Photo], results: list[Found], done: Done) -> None:
        """Describe what waits, by its row, and let it go."""
        if not waiting:
            return
        start_s = time.perf_counter()
        pictures, names = list(waiting.values()), [results[row].address for row in waiting]
        if self._batches is not None:
            embeddings = list(self._batches.describe_all(pictures, names))
        else:
            embeddings = [
                self._describer.describe(picture, name)
                for picture, name in zip(pictures, names, strict=True)
            ]
        done.seconds["describe"] += time.perf_counter() - start_s
        for row, embedding in zip(waiting, embeddings, strict=True):
            results[row] = replace(results[row], embedding=embedding)
        waiting.clear()

    def _pictures(
        self, number: int, done: Done
    ) -> Iterator[tuple[Place, bytes, Photo | EdgesegError | None]]:
        """Each place, what its bytes are, and the picture: None where it is known already."""
        places = read_chunk(self._work.folder, number)
        data = _timed(fetched([place.address for place in places]), done)
        pending: deque[tuple[Place, Future[_Read]]] = deque()
        threads = 1 if self._batches is None else self._batches.threads
        with ThreadPoolExecutor(max_workers=threads) as pool:
            try:
                for place, each in zip(places, data, strict=True):
                    pending.append((place, pool.submit(self._read, each, place.address)))
                    if len(pending) > _DECODE_AHEAD * threads:
                        yield _result(pending, done)
                while pending:
                    yield _result(pending, done)
            finally:
                pool.shutdown(cancel_futures=True)

    def _read(self, data: bytes | EdgesegError, name: str) -> _Read:
        start_s = time.perf_counter()
        if isinstance(data, EdgesegError):
            return _Read(b"", data, 0, 0.0)
        sha256 = hashlib.sha256(data).digest()
        picture: Photo | EdgesegError | None = None
        if sha256 not in self._known:
            try:
                picture = read_photo(data, name)
            except PhotoError as error:
                picture = error
        return _Read(sha256, picture, len(data), time.perf_counter() - start_s)


@dataclass(frozen=True, eq=False)
class _Read:
    """What was read from a place."""

    sha256: bytes
    picture: Photo | EdgesegError | None
    read_bytes: int
    seconds: float


def _result(
    pending: deque[tuple[Place, Future[_Read]]], done: Done
) -> tuple[Place, bytes, Photo | EdgesegError | None]:
    place, future = pending.popleft()
    read = future.result()
    done.read_bytes += read.read_bytes
    done.seconds["decode"] += read.seconds
    return place, read.sha256, read.picture


def _timed(data: Iterable[bytes | EdgesegError], done: Done) -> Iterator[bytes | EdgesegError]:
    left = iter(data)
    while True:
        start_s = time.perf_counter()
        each = next(left, None)
        done.seconds["fetch"] += time.perf_counter() - start_s
        if each is None:
            return
        yield each
