"""A Ray cluster: Ray Data streams the chunks through a pool of actors, and shards are tasks.

What Ray moves is small: the number of a chunk one way, what became of it the other. Pictures go
from their places to a worker, and parts from there to the cache folder, so that nothing that is
lost with a process or a node has to be remembered: a chunk that was not told as done is done again,
and one that was done before its worker died is found done.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

from edgeseg import errors
from edgeseg.errors import EdgesegError, MissingExtraError
from edgeseg.scale.assembly import ShardDone, ShardWork, assemble
from edgeseg.scale.worker import Done, Work, Worker

# Of a processor: an actor works on one.
_WORKER_CPUS = 1.0
# Ray Data keeps a plan of each block: numbers share blocks where there are more chunks than this.
_MAX_BLOCKS = 4096
# A task that dies again and again must end the build, and nodes come and go.
_ATTEMPTS = 20
_CONNECT_S = 10.0


class RayEngine:
    """Has everything done by a Ray cluster; see :class:`edgeseg.scale.engine.Engine`.

    Args:
        address: of a cluster, as ``ray start`` printed it, or ``auto``; None starts one of this
            machine alone, and ends it.
        workers: how many work at once; None takes as many as there are processors.
        by_gpu: give each worker a GPU, as many workers as there are, where the cluster has any.

    Raises:
        MissingExtraError: Ray is not installed.
    """

    name = "ray"

    def __init__(
        self, address: str | None = None, workers: int | None = None, *, by_gpu: bool = False
    ) -> None:
        self._address, self._asked_workers, self._by_gpu = address, workers, by_gpu
        self._ray = _ray()

    def __enter__(self) -> RayEngine:
        ray = self._ray
        if self._address is not None:
            _check_answers(self._address)
        # Ray's own usage reports leave the machine; nothing of edgeseg does.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # Its C++ part warns of what Ray Data does by itself; what fails comes as an exception.
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        with contextlib.ExitStack() as opening:
            # Ray prints there that a node was lost; what is printed there is the build's answer.
            opening.enter_context(contextlib.redirect_stdout(sys.stderr))
            try:
                # Without "local", one that happens to run here would be taken for the one to start.
                ray.init(
                    address=self._address or "local",
                    num_cpus=self._asked_workers if self._address is None else None,
                    include_dashboard=None if self._address else False,
                    configure_logging=True,
                    logging_level=logging.ERROR,
                    log_to_driver=False,
                )
            except (ConnectionError, ValueError, RuntimeError) as error:
                reason = " ".join(str(error).split())
                where = (
                    f"no Ray cluster at {self._address}" if self._address else "Ray does not start"
                )
                raise EdgesegError(f"{where}: {reason}") from error
            opening.callback(ray.shutdown)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def workers(self) -> int:
        """As many as were asked for, or as the cluster has room for."""
        return self._actors()[0]

    def work(self, work: Work, chunks: int) -> Iterator[Done]:
        """Do all chunks on a pool of actors."""
        data = self._ray.data
        context = data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        # Progress is told by the build, and what goes wrong by an exception.
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        workers, takes = self._actors()
        # Made here and not by tasks, which would wait for processors that the actors have.
        numbers = data.from_items(
            [{"number": number} for number in range(chunks)],
            override_num_blocks=min(chunks, _MAX_BLOCKS),
        )
        done = numbers.map_batches(
            _Actor,
            fn_constructor_args=(work,),
            batch_size=1,
            compute=data.ActorPoolStrategy(size=min(workers, chunks)),
            **takes,
        )
        with _told():
            for row in done.iter_rows():
                if row["error"]:
                    raise getattr(errors, row["error"], EdgesegError)(row["reason"])
                yield Done(**row["done"])

    def _actors(self) -> tuple[int, dict[str, float]]:
        """How many there are, and what each takes of the cluster."""
        resources = self._ray.cluster_resources()
        gpus = int(resources.get("GPU", 0)) if self._by_gpu else 0
        if gpus:
            # The processor that each takes too is Ray Data's default beside a GPU.
            return min(self._asked_workers or gpus, gpus), {"num_gpus": 1.0}
        workers = self._asked_workers or max(1, int(resources.get("CPU", 1)))
        return workers, {"num_cpus": _WORKER_CPUS}

    def assemble(self, works: Sequence[ShardWork]) -> Iterator[ShardDone]:
        """Build all catalogues as tasks, as many at once as there are processors."""
        task = self._ray.remote(num_cpus=1, max_retries=_ATTEMPTS)(assemble)
        with _told():
            pending = [task.remote(each) for each in works]
            while pending:
                ready, pending = self._ray.wait(pending)
                yield from self._ray.get(ready)


class _Actor:
    """A worker in the form in which Ray Data calls it: a batch of one chunk's number."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._worker: Worker | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        (number,) = (int(each) for each in batch["number"])
        try:
            # Not before: Ray makes an actor anew that fails while it is made.
            self._worker = self._worker or Worker(self._work)
            return {"done": [self._worker.do(number).to_dict()], "error": [""], "reason": [""]}
        except EdgesegError as error:
            # As a row: of an exception Ray leaves the text, among the traces of another machine.
            done = Done(number, "").to_dict()
            return {"done": [done], "error": [type(error).__name__], "reason": [str(error)]}


def _check_answers(address: str) -> None:
    """Ray waits for minutes where nobody is; ``auto`` is a note on this machine, found at once."""
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host.rpartition("/")[2], int(port)), _CONNECT_S).close()
    except OSError as error:
        raise EdgesegError(f"no Ray cluster at {address}: {error.strerror or error}") from error


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError(
            f"{error.name or 'ray'} is not installed; --engine ray needs: "
            "pip install 'edgeseg[scale]'"
        ) from error
    return ray


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What ends the work ends it in one line, and not in the trace of another machine."""
    try:
        yield
    except Exception as error:
        ray = _ray()
        original = _original(error)
        if original is None and not isinstance(error, ray.exceptions.RayError):
            raise
        reason = " ".join(str(original or error).split())
        kind = type(original) if original is not None else EdgesegError
        raise kind(reason) from error


def _original(error: BaseException | None) -> EdgesegError | None:
    """The error of edgeseg's that Ray wrapped, however often; a copy of it, without Ray's words."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        if type(error).__module__.startswith("edgeseg.") and isinstance(error, EdgesegError):
            return error
        error = getattr(error, "cause", None) or error.__cause__
    return None
