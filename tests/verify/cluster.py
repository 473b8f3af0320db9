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

from tests.verify.figure import NotMeasuredError

_STORE_BYTES = 100 << 20


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
        self.nodes.append(self.cluster.add_node(num_cpus=cpus, object_store_memory=_STORE_BYTES))

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
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        from ray.cluster_utils import Cluster
    except ImportError as error:
        raise NotMeasuredError(f"{error.name} is not installed") from error
    head = {"num_cpus": 0, "object_store_memory": _STORE_BYTES, "include_dashboard": False}
    made = Nodes(Cluster(initialize_head=True, head_node_args=head))
    try:
        for _ in range(count):
            made.add(cpus)
        yield made
    finally:
        made.cluster.shutdown()


def _actors() -> Iterator[int]:
    """Ray gives its workers the name of what they do."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if b"MapWorker" in (folder / "cmdline").read_bytes():
                    yield int(folder.name)
