from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from edgeseg.diagnosis.child import in_child
from edgeseg.diagnosis.clock import clock_finding, installed_moment

MADE = "2026-11-21T16:56:34Z"
LONG_AGO = datetime(1980, 1, 1, tzinfo=timezone.utc)
INSTALLED = datetime(2027, 1, 1, tzinfo=timezone.utc)
RELEASED = "2027-06-01T06:00:00Z"


@pytest.mark.parametrize(
    ("now", "floor", "status", "why"),
    [
        (datetime(2027, 2, 1, tzinfo=timezone.utc), None, "ok", ""),
        (datetime(1970, 1, 1, tzinfo=timezone.utc), None, "broken", "own bundle was made at 2026"),
        (datetime(2026, 12, 1, tzinfo=timezone.utc), None, "warning", "was installed at 2027-01"),
        (datetime(2027, 2, 1, tzinfo=timezone.utc), RELEASED, "broken", "the store has seen was"),
        # A publisher's clock may be ahead by some hours.
        (datetime(2027, 5, 31, 20, tzinfo=timezone.utc), RELEASED, "ok", ""),
    ],
)
def test_a_clock_cannot_be_behind_what_has_been(
    now: datetime, floor: str | None, status: str, why: str
) -> None:
    finding = clock_finding(now, MADE, INSTALLED, floor)
    assert finding.status == status
    assert why in finding.why
    assert finding.mend == ("" if status == "ok" else "sudo timedatectl set-ntp true")


def test_what_is_not_known_says_nothing() -> None:
    assert clock_finding(LONG_AGO, None, LONG_AGO).status == "ok"
    assert clock_finding(LONG_AGO, "yesterday", LONG_AGO).status == "ok"


def test_the_real_moments_are_before_now() -> None:
    """A bundle from the future would make every device's clock a wrong one."""
    now = datetime.now(timezone.utc)
    made = in_child("selftest").facts["created"]
    assert clock_finding(now, made, installed_moment()).status == "ok"
    assert clock_finding(now - timedelta(days=20_000), made, LONG_AGO).status == "broken"
