"""Whether the device's clock can be right: a sync believes nothing that has expired by it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from edgeseg.diagnosis.finding import Finding

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
# Another machine's clock, which the moment was taken from, may itself be a little ahead.
_SLACK = timedelta(days=1)


def installed_moment() -> datetime:
    """When edgeseg's files were written here, by the clock of that time."""
    written_s = Path(__file__).stat().st_mtime
    return datetime.fromtimestamp(written_s, timezone.utc)


def clock_finding(
    now: datetime, made: str | None, installed: datetime, floor: str | None = None
) -> Finding:
    """Whether the clock is behind what it cannot be behind.

    Args:
        now: by the device's clock.
        made: when the built-in bundle was, as it says; None where it could not be read.
        installed: when edgeseg was, by the clock of that time, which may have been wrong.
        floor: when the newest release was published that a store has seen; None for none.
    """
    moments = {
        "edgeseg's own bundle was made": _moment(made),
        "the newest release that the store has seen was published": _moment(floor),
    }
    found = now.strftime(_FORMAT)
    facts = {"now": found, "bundle_made": made, "release_published": floor}
    mend = "sudo timedatectl set-ntp true"
    for what, moment in _newest_first(moments.items()):
        if now + _SLACK < moment:
            why = (
                f"{what} at {moment.strftime(_FORMAT)}, so the clock is behind, and a sync cannot "
                "tell what has expired"
            )
            return Finding("clock", "broken", found, why, mend, facts)
    if now + _SLACK < installed:
        why = (
            f"edgeseg was installed at {installed.strftime(_FORMAT)}, so the clock is behind "
            "now, or was ahead then"
        )
        return Finding("clock", "warning", found, why, mend, facts)
    return Finding("clock", "ok", found, facts=facts)


def _moment(text: str | None) -> datetime | None:
    try:
        return (
            None if text is None else datetime.strptime(text, _FORMAT).replace(tzinfo=timezone.utc)
        )
    except ValueError:
        return None


def _newest_first(
    moments: Iterable[tuple[str, datetime | None]],
) -> list[tuple[str, datetime]]:
    known = [(what, moment) for what, moment in moments if moment is not None]
    return sorted(known, key=lambda each: each[1], reverse=True)
