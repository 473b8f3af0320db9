"""The browser sees what it is asked to look for, and the bench's page has none of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from device_bench.report.page import page
from tests.device_bench.drawn_reports import drawn_report
from tests.verify import browser
from tests.verify.browser import Browser
from tests.verify.figure import NotMeasuredError

_START = '<!doctype html><meta name="viewport" content="width=device-width, initial-scale=1">'


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    try:
        started = Browser()
    except NotMeasuredError as error:
        pytest.skip(str(error))
    with started:
        yield started


def test_a_page_that_is_too_wide_or_asks_for_more_is_seen(
    chromium: Browser, tmp_path: Path
) -> None:
    wide = tmp_path / "wide.html"
    wide.write_text(f'{_START}<div style="width:500px">x</div>')
    assert chromium.visit(wide, 360).excess_px > 100
    asking = tmp_path / "asking.html"
    asking.write_text(f'{_START}<img src="http://127.0.0.1:9/x.png"><img src="beside.png">')
    requested = chromium.visit(asking, 360).requested
    assert sorted(each.rpartition("/")[2] for each in requested) == ["beside.png", "x.png"]


def test_a_report_fits_a_phone_and_asks_for_nothing(chromium: Browser, tmp_path: Path) -> None:
    names = ["short.bundle", "a_name_" * 30 + ".bundle", "<img src=http://127.0.0.1:9/x>.bundle"]
    shown = tmp_path / "report.html"
    shown.write_text(page(drawn_report(names)), encoding="utf-8")
    for width_px in (320, 360, 1200):
        visit = chromium.visit(shown, width_px)
        assert visit.excess_px <= 0
        assert visit.requested == []
        assert visit.picture.startswith(b"\x89PNG")


def test_without_a_browser_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "_PROGRAMS", ("no-such-browser",))
    with pytest.raises(NotMeasuredError, match="no Chromium is installed"):
        Browser()
