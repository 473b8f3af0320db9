"""A Ray cluster of several node processes on this machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

STORE_BYTES = 100 << 20


@contextlib.contextmanager
def cluster_of(*nodes: dict[str, Any]) -> Iterator[Any]:
    """A head that does no work, and a node of each of these resources; Ray's own cluster.

    Raises:
        ImportError: Ray is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        for resources in nodes:
            made.add_node(object_store_memory=STORE_BYTES, **resources)
        yield made
    finally:
        made.shutdown()
