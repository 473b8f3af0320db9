from __future__ import annotations

import json
from typing import Any

import pytest

from edgeseg.errors import DatasetError
from edgeseg.labelling.strokes import MAX_POINTS, Stroke, counts_by_kind

GOOD: dict[str, Any] = {
    "tool": "brush",
    "foreground": True,
    "points": [[1.0, 2.0], [3.5, -4.0]],
    "width_px": 12.0,
}


def test_json_and_back() -> None:
    stroke = Stroke.from_dict(GOOD)
    assert stroke == Stroke("brush", True, ((1.0, 2.0), (3.5, -4.0)), 12.0)
    assert Stroke.from_dict(json.loads(json.dumps(stroke.to_dict()))) == stroke


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tool": "laser"}, "tool must be one of"),
        ({"foreground": 1}, "foreground must be true or false"),
        ({"points": []}, "a brush of 0 points"),
        ({"points": "ab"}, "points must be a list"),
        ({"points": [[1.0, 2.0]] * (MAX_POINTS + 1)}, "points must be a list of at most"),
        ({"points": [[1.0]]}, "unpack"),
        ({"points": [[1.0, float("nan")]]}, "nan is no number"),
        ({"points": [[1.0, 1e300]]}, "a point at"),
        ({"points": [[1.0, True]]}, "True is no number"),
        ({"width_px": -1.0}, "a width of"),
        ({"width_px": "3"}, "'3' is no number"),
        ({"tool": "polygon"}, "a polygon of 2 points"),
        ({"tool": "rectangle", "foreground": False}, "is about the garment"),
        ({"tool": "rectangle", "points": [[1.0, 2.0]] * 3}, "a rectangle has two corners"),
        ({"tool": "eraser"}, "an eraser makes background"),
        ({"colour": "red"}, "unknown field 'colour'"),
    ],
)
def test_what_is_no_stroke_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(DatasetError, match=why):
        Stroke.from_dict({**GOOD, **change})


@pytest.mark.parametrize("field", ["tool", "foreground", "points"])
def test_a_field_that_is_missing_is_named(field: str) -> None:
    with pytest.raises(DatasetError, match=f"a stroke without {field}"):
        Stroke.from_dict({name: value for name, value in GOOD.items() if name != field})


def test_counts_by_kind() -> None:
    click = Stroke("brush", False, ((1.0, 1.0),))
    line = Stroke("brush", False, ((1.0, 1.0), (2.0, 2.0)), 3.0)
    eraser = Stroke("eraser", False, ((1.0, 1.0),), 3.0)
    assert counts_by_kind([line, click, eraser, click]) == {
        "background": 1,
        "click": 2,
        "eraser": 1,
    }
