"""The labelling checks themselves: what counts, and that nothing is held without data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg.labelling.robot import Correction
from tests.verify import labelling
from tests.verify.workbench import Workbench


def bench(folder: Path) -> Workbench:
    return Workbench(folder, folder, None, folder / "none")


def clicks(number: int, reached: bool = True) -> Correction:
    return Correction((0.9,) * (number + 1), reached)


@pytest.mark.parametrize(
    ("model", "statuses"),
    [
        ([clicks(0), clicks(3), clicks(4)], ["held", "told", "held", "held"]),
        ([clicks(4), clicks(4), clicks(4)], ["short", "told", "held", "held"]),
        ([clicks(9), clicks(9), clicks(9)], ["short", "told", "short", "held"]),
        ([clicks(0), clicks(0), clicks(20, False)], ["held", "told", "short", "short"]),
    ],
)
def test_clicks_are_held_against_the_bars(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: list[Correction],
    statuses: list[str],
) -> None:
    # GrabCut only: 4, 6 and 20 in vain, so 10 on average; half of that is 5.
    grabcut = [clicks(4), clicks(6), clicks(20, False)]
    monkeypatch.setattr(labelling, "corrections", lambda bench: zip(grabcut, model, strict=True))
    check = next(each for each in labelling.checks(bench(tmp_path)) if each.name == "clicks")
    rows = check.rows()
    assert [row.value for row in rows[:2]] == [10.0, pytest.approx(2 / 3)]
    assert [row.status for row in rows[2:]] == statuses


def test_without_photos_every_row_says_so(tmp_path: Path) -> None:
    checks = labelling.checks(bench(tmp_path))
    assert [each.name for each in checks] == list(labelling.NAMES)
    for check in checks:
        rows = check.rows()
        assert len(rows) == len(check.figures)
        assert all(row.status.endswith("is not on this machine") for row in rows)


def test_strokes_start_with_the_right_label() -> None:
    truth = np.zeros((300, 400), np.bool_)
    truth[:150] = True
    strokes = list(labelling._strokes(truth))
    assert {stroke.is_click for stroke in strokes} == {True, False}
    for stroke in strokes:
        x, y = stroke.points[0]
        assert stroke.foreground == truth[int(y), int(x)]


@pytest.mark.slow
def test_a_few_real_photos_take_fewer_clicks_than_grabcut_alone(shared_data: Path) -> None:
    """The first row in small: three validation photos that GrabCut alone does not have at once."""
    place = Workbench(shared_data, shared_data, None, shared_data / "none")
    by_clicks = []
    for number, (grabcut, model) in enumerate(labelling.corrections(place)):
        by_clicks.append((labelling.noc([grabcut])[0], labelling.noc([model])[0]))
        if number == 3:
            break
    grabcut_alone, from_model = (sum(each) for each in zip(*by_clicks, strict=True))
    assert 2 * from_model <= grabcut_alone, by_clicks
