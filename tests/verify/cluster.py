"""A Ray cluster of several node processes on one machine, whose parts can be killed."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.edgeseg.scale.clusters import STORE_BYTES, cluster_of
from tests.verify.figure import NotMeasuredError


@dataclass
class Nodes:
    """The cluster.

    Attributes:
        cluster: Ray's own.
        nodes: those that work.
    """

    cluster: Any
    nodes: list[Any] = field(default_factory=list)

    @property
    def address(self) -> str:
        """For ``--address``."""
        return str(self.cluster.address)

    def add(self, cpus: int = 1) -> None:
        """Start another node."""
        self.nodes.append(self.cluster.add_node(num_cpus=cpus, object_store_memory=STORE_BYTES))

    def kill_node(self, rng: np.random.Generator) -> None:
        """Kill a node with everything on it."""
        node = self.nodes.pop(int(rng.integers(len(self.nodes))))
        self.cluster.remove_node(node, allow_graceful=False)

    def kill_worker(self, rng: np.random.Generator) -> bool:
        """Kill the process of an actor that describes pictures; False where there is none yet."""
        workers = list(_actors())
        if not workers:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(workers[int(rng.integers(len(workers)))], signal.SIGKILL)
        return True


@contextlib.contextmanager
def nodes(count: int, cpus: int = 1) -> Iterator[Nodes]:
    """A head that does no work, and nodes that do.

    Raises:
        NotMeasuredError: Ray is not installed.
    """
    with contextlib.ExitStack() as stack:
        try:
            made = Nodes(stack.enter_context(cluster_of()))
        except ImportError as error:
            raise NotMeasuredError(f"{error.name} is not installed") from error
        for _ in range(count):
            made.add(cpus)
        yield made


def _actors() -> Iterator[int]:
    """Ray gives its workers the name of what they do."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if b"MapWorker" in (folder / "cmdline").read_bytes():
                    yield int(folder.name)
