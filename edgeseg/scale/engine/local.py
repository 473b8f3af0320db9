"""This process: one chunk after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType

from edgeseg.scale.assembly import ShardDone, ShardWork, assemble
from edgeseg.scale.worker import Done, Work, Worker


class LocalEngine:
    """Does everything here; see :class:`edgeseg.scale.engine.Engine`."""

    name = "local"
    workers = 1

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held."""

    def work(self, work: Work, chunks: int) -> Iterator[Done]:
        """Do all chunks, in order."""
        worker = Worker(work)
        return (worker.do(number) for number in range(chunks))

    def assemble(self, works: Sequence[ShardWork]) -> Iterator[ShardDone]:
        """Build all catalogues, in order."""
        return map(assemble, works)
