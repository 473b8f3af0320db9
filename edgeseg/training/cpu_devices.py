"""Several devices of one processor; imports nothing, for it is done before JAX is imported."""

from __future__ import annotations

import os

FLAG = "--xla_force_host_platform_device_count"


def divide_processor(count: int) -> None:
    """Lets JAX see several devices in the processor, where this process has not loaded JAX yet.

    Without being told it sees one, however many cores there are. Where it finds GPUs it works on
    those all the same. A number that ``XLA_FLAGS`` has already is left alone.

    Args:
        count: how many devices.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if FLAG not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {FLAG}={count}".strip()
