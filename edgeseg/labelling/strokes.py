"""What a person does to a mask: marks in the photo's own pixels, and their form in JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from edgeseg.errors import DatasetError

Tool = Literal["brush", "polygon", "rectangle", "eraser"]
TOOLS: tuple[Tool, ...] = get_args(Tool)

# A pointer reports some 120 points a second: this is a stroke of more than a minute.
MAX_POINTS = 10_000
# Longer than any photo's side; a point outside the photo is allowed, for strokes leave the frame.
_MAX_COORDINATE_PX = 200_000.0
_LEAST_POINTS = {"brush": 1, "eraser": 1, "rectangle": 2, "polygon": 3}


@dataclass(frozen=True)
class Stroke:
    """One mark of a person.

    Attributes:
        tool: "brush" says what the pixels under it are, and the mask is found anew about it; one
            point is a click. "polygon" makes what it encloses garment or background, and nothing
            else. "rectangle" says that the garment lies inside: what is outside is background, and
            the inside is found anew. "eraser" takes away what is under it, and nothing else.
        foreground: garment (True) or background (False); always True for a rectangle, always
            False for an eraser.
        points: `(x, y)` in the photo's pixels, upright, the frame's corner being (0, 0): along the
            brush or eraser, the polygon's corners, or two opposite corners of the rectangle.
        width_px: the brush's or eraser's diameter in the photo's pixels; 0 for a click whose reach
            the corrector chooses.
    """

    tool: Tool
    foreground: bool
    points: tuple[tuple[float, float], ...]
    width_px: float = 0.0

    def __post_init__(self) -> None:
        if self.tool not in TOOLS:
            raise ValueError(f"tool must be one of {', '.join(TOOLS)}, not {self.tool!r}")
        if not _LEAST_POINTS[self.tool] <= len(self.points) <= MAX_POINTS:
            raise ValueError(f"a {self.tool} of {len(self.points)} points")
        if self.tool == "rectangle" and (len(self.points) != 2 or not self.foreground):
            raise ValueError("a rectangle has two corners and is about the garment")
        if self.tool == "eraser" and self.foreground:
            raise ValueError("an eraser makes background")
        for x, y in self.points:
            if not (abs(x) <= _MAX_COORDINATE_PX and abs(y) <= _MAX_COORDINATE_PX):
                raise ValueError(f"a point at ({x}, {y})")
        if not 0.0 <= self.width_px <= _MAX_COORDINATE_PX:
            raise ValueError(f"a width of {self.width_px} pixels")

    @property
    def is_click(self) -> bool:
        """Whether it is a brush set down on one point."""
        return self.tool == "brush" and len(self.points) == 1

    @property
    def kind(self) -> str:
        """What it counts as: foreground, background, click, polygon, rectangle or eraser."""
        if self.tool != "brush":
            return self.tool
        if self.is_click:
            return "click"
        return "foreground" if self.foreground else "background"

    def to_dict(self) -> dict[str, Any]:
        """For JSON; coordinates to a tenth of a pixel."""
        return {
            "tool": self.tool,
            "foreground": self.foreground,
            "points": [[round(x, 1), round(y, 1)] for x, y in self.points],
            "width_px": round(self.width_px, 1),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Stroke:
        """Read what `to_dict` wrote, or what a page sent.

        Raises:
            DatasetError: it is no stroke; one line that says why.
        """
        try:
            unknown = set(document) - {"tool", "foreground", "points", "width_px"}
            if unknown:
                raise ValueError(f"unknown field {min(unknown)!r}")
            points = document["points"]
            if not isinstance(points, list) or len(points) > MAX_POINTS:
                raise ValueError(f"points must be a list of at most {MAX_POINTS}")
            if not isinstance(document["foreground"], bool):
                raise ValueError("foreground must be true or false")
            return cls(
                document["tool"],
                document["foreground"],
                tuple((_number(x), _number(y)) for x, y in points),
                _number(document.get("width_px", 0.0)),
            )
        except KeyError as error:
            raise DatasetError(f"a stroke without {error.args[0]}") from error
        except (OverflowError, TypeError, ValueError) as error:
            raise DatasetError(f"this is no stroke: {error}") from error


def counts_by_kind(strokes: Iterable[Stroke]) -> dict[str, int]:
    """How many of each kind, in order of kind."""
    return dict(sorted(Counter(stroke.kind for stroke in strokes).items()))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
