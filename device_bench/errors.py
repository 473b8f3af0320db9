"""What can go wrong in a bench run."""

from __future__ import annotations

from edgeseg.errors import EdgesegError


class BenchError(EdgesegError):
    """A target could not be loaded or timed, or its process died."""
