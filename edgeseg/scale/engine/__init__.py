"""Engines: where chunks and shards are done. What is done does not depend on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol

from edgeseg.scale.assembly import ShardDone, ShardWork
from edgeseg.scale.worker import Done, Work


class Engine(Protocol):
    """Has the work of a build done, somewhere; a context manager around all of it."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def workers(self) -> int:
        """How many describe pictures at once; known inside the context."""

    def __enter__(self) -> Engine: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def work(self, work: Work, chunks: int) -> Iterator[Done]:
        """Do all chunks, each at least once, in any order; tells of each as it is done.

        Raises:
            EdgesegError: a worker cannot go on, whatever it is given.
        """

    def assemble(self, works: Sequence[ShardWork]) -> Iterator[ShardDone]:
        """Build all catalogues, in any order.

        Raises:
            EdgesegError: one cannot be built.
        """
