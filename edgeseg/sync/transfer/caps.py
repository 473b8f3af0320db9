"""What a sync may take of network and time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from edgeseg.errors import EndlessDataError, SlowDownloadError


@dataclass
class Caps:
    """What a sync may take, and what it has taken.

    Attributes:
        max_bytes: of all that is received.
        max_seconds: from the start to the end of all transfers.
        silence_s: without a byte, after which a server counts as gone.
        min_bytes_per_s: over ``silence_s``, below which it counts as too slow.
        attempts: at one file, as long as nothing more of it arrives.
        backoff_s: before the second attempt; twice that before the third, and so on.
        received_bytes: so far.
        requests: so far.
    """

    max_bytes: int = 1 << 30
    max_seconds: float = 900.0
    silence_s: float = 20.0
    min_bytes_per_s: float = 256.0
    attempts: int = 3
    backoff_s: float = 0.5
    received_bytes: int = 0
    requests: int = 0
    _started_s: float = field(default_factory=time.monotonic)

    def left_s(self) -> float:
        """Seconds left.

        Raises:
            SlowDownloadError: none.
        """
        left_s = self._started_s + self.max_seconds - time.monotonic()
        if left_s <= 0:
            raise SlowDownloadError(
                f"the sync took longer than the {self.max_seconds:g} s that it may; what has "
                "arrived is kept for the next one"
            )
        return left_s

    def count(self, received_bytes: int) -> None:
        """Add what was received.

        Raises:
            EndlessDataError: that is more than it may be.
        """
        self.received_bytes += received_bytes
        if self.received_bytes > self.max_bytes:
            raise EndlessDataError(
                f"the sync received more than the {self.max_bytes} bytes that it may; what has "
                "arrived is kept for the next one"
            )
