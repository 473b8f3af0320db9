"""Reports, and what a fleet is like that sends them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edgeseg import limits
from edgeseg.errors import DatasetError, EdgesegError
from edgeseg.sync import report as reports
from edgeseg.sync.fleet import Confirmed, count_confirmed, gather, read_reports, summarize
from edgeseg.sync.gathered import sent_name
from edgeseg.sync.report import SyncReport, decode_report
from tests.edgeseg.sync.test_confirmations import confirmation
from tests.edgeseg.sync.test_release import RELEASE

NOW = RELEASE.published
REPORT = SyncReport(
    device="scanner-7",
    finished=NOW,
    result="activated",
    from_generation=None,
    to_generation=12,
    edgeseg="0.1.0",
    published_generation=12,
    deltas=2,
    received_bytes=4_321,
    requests=6,
    seconds=1.25,
)
FAILED = replace(REPORT, result="failed", error_kind="ExpiredError", error="expired", deltas=0)


def test_a_report_comes_back_as_it_was() -> None:
    assert decode_report(REPORT.to_bytes()) == REPORT
    assert decode_report(FAILED.to_bytes()) == FAILED
    with pytest.raises(EdgesegError, match="result"):
        decode_report(replace(REPORT, result="splendid").to_bytes())


def test_a_report_tells_the_shard_where_there_is_one() -> None:
    assert b"shard" not in REPORT.to_bytes()
    sharded = replace(REPORT, shard="Köln Süd")
    assert decode_report(sharded.to_bytes()) == sharded
    fleet = summarize([sharded, replace(REPORT, device="plain")], NOW, silent_s=60)
    assert {each.device: each.shard for each in fleet.devices} == {
        "scanner-7": "Köln Süd",
        "plain": None,
    }
    with pytest.raises(EdgesegError):
        decode_report(REPORT.to_bytes().replace(b'"seconds"', b'"shard": 5, "seconds"'))


def test_those_that_need_somebody_come_first() -> None:
    fleet = summarize(
        [
            replace(REPORT, device="good"),
            replace(REPORT, device="good", finished=NOW - timedelta(hours=1), result="failed"),
            replace(REPORT, device="late", to_generation=9),
            replace(REPORT, device="later", to_generation=4),
            replace(REPORT, device="gone", finished=NOW - timedelta(days=9)),
            replace(FAILED, device="new", to_generation=None, result="current"),
            replace(FAILED, device="sick", to_generation=11),
        ],
        NOW,
        silent_s=86_400,
    )
    assert fleet.generation == 12
    assert [(each.device, each.standing, each.behind) for each in fleet.devices] == [
        ("sick", "failing", 1),
        ("new", "empty", None),
        ("later", "behind", 8),
        ("late", "behind", 3),
        ("gone", "silent", 0),
        ("good", "current", 0),
    ]
    good = fleet.devices[-1]
    assert (good.syncs, good.failed, good.received_bytes) == (2, 1, 2 * REPORT.received_bytes)
    assert fleet.current == 1
    ahead = summarize([REPORT], NOW, silent_s=86_400, generation=20)
    assert (ahead.devices[0].standing, ahead.devices[0].behind) == ("behind", 8)


def test_the_later_of_two_reports_of_one_second_counts() -> None:
    fleet = summarize([REPORT, FAILED], NOW, silent_s=60)
    assert fleet.devices[0].standing == "failing"
    fleet = summarize([FAILED, REPORT], NOW, silent_s=60)
    assert fleet.devices[0].standing == "current"


def test_reports_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_KEPT_REPORTS", 3)
    for minute in range(6):
        told = replace(REPORT, finished=NOW + timedelta(minutes=minute))
        reports.keep(told, tmp_path, None)
    kept, failures = read_reports([tmp_path])
    assert failures == []
    assert [each.finished for each in kept] == [NOW + timedelta(minutes=m) for m in (3, 4, 5)]
    assert reports.last_report(tmp_path) == kept[-1]


def test_what_is_no_report_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no reports"):
        read_reports([tmp_path])
    (tmp_path / "x.json").write_text("[]")
    read, failures = read_reports([tmp_path])
    assert (read, len(failures)) == ([], 1)


def test_what_workers_confirmed_is_counted_by_device(tmp_path: Path) -> None:
    said = [
        confirmation(1),
        replace(confirmation(2), cutout="corrected"),
        replace(confirmation(3, sku=None), cutout="corrected"),
        confirmation(4, sku=None),
    ]
    lines = [each.to_line() for each in said]
    stem = "confirmations-0123456789ab-0"
    (tmp_path / sent_name("scanner 7", stem, 0)).write_bytes(b"".join(lines[:3]))
    # Sent again, after the device was cut off: each counts once.
    (tmp_path / sent_name("scanner 7", stem, 1)).write_bytes(lines[0] + b"{torn")
    (tmp_path / "from-somewhere.jsonl").write_bytes(lines[3])
    (tmp_path / "report.json").write_bytes(replace(REPORT, device="scanner 7").to_bytes())
    reports, failures = read_reports([tmp_path, tmp_path / "from-somewhere.jsonl"])
    assert (len(reports), failures) == (1, [])
    gathering = gather([tmp_path, tmp_path / "report.json"])
    counts = count_confirmed(gathering)
    assert gathering.damaged == 1
    fleet = summarize([*reports, replace(REPORT, device="quiet")], NOW, 60, confirmed=counts)
    by_device = {each.device: each.confirmed for each in fleet.devices}
    assert by_device == {"scanner 7": Confirmed(3, 2, 1), "quiet": Confirmed()}
    assert fleet.confirmed == Confirmed(4, 2, 2)
    told = fleet.to_dict()
    assert told["confirmed"] == {"arrived": 4, "corrected": 2, "none_of_these": 2}
    assert {"arrived": 3, "corrected": 2, "none_of_these": 1} in [
        each["confirmed"] for each in told["devices"]
    ]
    # Two devices whose files have one name cannot be told apart.
    both = [*reports, replace(REPORT, device="scanner/7")]
    fleet = summarize(both, NOW, 60, confirmed=counts)
    assert [each.confirmed for each in fleet.devices] == [None, None]
    assert fleet.confirmed.arrived == 4
