"""Which browser a name is at work in: two people who give the same name are told apart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from edgeseg.web.refusal import RefusedError

# A page gives a sign of life every 15 s.
SEAT_S = 45.0
# A desk has a few people; what is beyond came from a broken page.
_MAX_SEATS = 1_000


class Seats:
    """Names and the browsers that they were last seen in. Thread-safe.

    A lease of the label set belongs to a name. So where two people gave the same one, both would
    get the same photo; here the second is refused while the first is at work.

    Args:
        clock: gives seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def take(self, who: str, browser: str, *, over: bool = False) -> None:
        """Sit down, or stay.

        Args:
            who: the person's name.
            browser: what tells this browser from others.
            over: also where another browser has the name, which then loses it.

        Raises:
            RefusedError: the name is at work in another browser (423).
        """
        with self._lock:
            now = self._clock()
            self._seen = {name: seat for name, seat in self._seen.items() if now - seat[1] < SEAT_S}
            there = self._seen.get(who)
            if there is not None and there[0] != browser and not over:
                raise RefusedError(423, f"{who} is labelling in another browser")
            if there is None and len(self._seen) >= _MAX_SEATS:
                raise RefusedError(503, "too many people at once", headers={"retry-after": "30"})
            self._seen[who] = (browser, now)
