"""Moments: the device's clock, how they are written, and what the clock cannot be behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from edgeseg.errors import ManifestError

_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_FIRST_YEAR = 1970


@dataclass(frozen=True)
class ClockFloor:
    """What the device's clock cannot be behind, for a release was published then.

    New keys set it aside: a publisher whose clock was ahead gets out of it by rotating one.

    Attributes:
        moment: when; None where no release was seen.
        root_version: of the keys that signed it.
    """

    moment: datetime | None
    root_version: int

    def raised(self, published: datetime, root_version: int) -> datetime:
        """Where it is after a release was seen."""
        if self.moment is None or root_version > self.root_version:
            return published
        return max(self.moment, published)


def now() -> datetime:
    """The device's clock, in UTC, to the second, as it is kept in files."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def time_text(moment: datetime) -> str:
    """A moment as it is written: UTC, to the second, as in ``2026-11-21T06:00:00Z``."""
    return moment.astimezone(timezone.utc).strftime(_TIME_FORMAT)


def time_of(text: str, what: str) -> datetime:
    """The moment that a text says.

    Raises:
        ManifestError: it is not written as :func:`time_text` writes.
    """
    try:
        moment = datetime.strptime(text, _TIME_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError as error:
        raise ManifestError(f"{what} has a time that is none: {text[:40]}") from error
    # Not every system writes years of fewer than four digits so that they can be read back.
    if moment.year < _FIRST_YEAR:
        raise ManifestError(f"{what} has a time before there were computers: {text[:40]}")
    return moment
