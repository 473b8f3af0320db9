"""Measured figures reach the documents by the measurement alone."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from edgeseg.errors import FormatError
from tests.verify.__main__ import SUITES, checks_of
from tests.verify.figure import Figure
from tests.verify.recorded import record
from tests.verify.workbench import Workbench

_HEAD = "| what | bar | measured |\n|---|---|---|\n"
_IOU, _SPEED = Figure("IoU", ">=", 0.9), Figure("speed", "told", form="{:.1f}x")


def _page(folder: Path, rows: str = "") -> Path:
    page = folder / "figures.md"
    page.write_text(f"above\n<!-- main: begin -->\n{_HEAD}{rows}<!-- main: end -->\nbelow\n")
    return page


def test_rows_measured_anew_take_the_place_of_the_old(tmp_path: Path) -> None:
    page = _page(tmp_path, "| IoU | >= 0.900 | 0.950 |\n| once promised | - | 1 |\n")
    record(page, "main", [_SPEED.row(3.14)], ["IoU", "speed"])
    record(page, "main", [_IOU.row(0.85)], ["IoU", "speed"])
    assert page.read_text() == (
        f"above\n<!-- main: begin -->\n{_HEAD}"
        "| IoU | >= 0.900 | 0.850 (short) |\n| speed | - | 3.1x |\n"
        "<!-- main: end -->\nbelow\n"
    )


def test_a_table_without_an_order_keeps_its_rows_and_gets_no_others(tmp_path: Path) -> None:
    page = _page(tmp_path, "| speed | - | 9.9x |\n")
    record(page, "main", [_IOU.row(0.95), _SPEED.row(2.0)])
    assert "| speed | - | 2.0x |\n" in page.read_text()
    assert "IoU" not in page.read_text()


def test_a_page_without_the_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no place for the figures of sync"):
        record(_page(tmp_path), "sync", [_IOU.row(1.0)])


def test_no_two_figures_of_a_suite_have_one_name(tmp_path: Path) -> None:
    place = Workbench(tmp_path, tmp_path, None, tmp_path)
    for suite in SUITES:
        options = argparse.Namespace(suite=suite, teacher=None)
        promised = [figure.what for check in checks_of(options, place) for figure in check.figures]
        assert len(promised) == len(set(promised)), suite


def test_what_the_readme_promises_is_what_was_measured(repository: Path) -> None:
    figures = (repository / "docs" / "figures.md").read_text(encoding="utf-8")
    assert all(f"<!-- {suite}: begin -->" in figures for suite in SUITES)
    readme = (repository / "README.md").read_text(encoding="utf-8")
    table = readme.partition("<!-- figures: begin -->\n")[2].partition("<!-- figures: end -->")[0]
    rows = table.splitlines()
    assert len(rows) > 10
    assert [row for row in rows if f"{row}\n" not in figures] == []
