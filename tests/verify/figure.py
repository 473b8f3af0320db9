"""A promised figure, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Rule = Literal[">=", "<=", "<", ">", "told"]
_HOLDS: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda value, bar: value >= bar,
    "<=": lambda value, bar: value <= bar,
    ">": lambda value, bar: value > bar,
    "<": lambda value, bar: value < bar,
}


class NotMeasuredError(Exception):
    """A figure cannot be measured here; the message says why."""


@dataclass(frozen=True)
class Row:
    """One line of the report.

    Attributes:
        what: what is measured.
        bar: the promise, as text.
        measured: the figure, as text; empty when it could not be measured.
        status: ``held``, ``short``, ``told`` (a figure without a bar) or ``not run: <reason>``.
        value: the figure, or None.
    """

    what: str
    bar: str
    measured: str
    status: str
    value: float | None

    @property
    def fine(self) -> bool:
        """Whether nothing is wrong with it: a figure that was not measured is not fine."""
        return self.status in ("held", "told")

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Figure:
    """What is promised of one figure.

    Attributes:
        what: what is measured.
        rule: how the value must stand to the bar; ``told`` for a figure without one.
        bar: the bound.
        form: how values are written, as for ``str.format``.
    """

    what: str
    rule: Rule
    bar: float = 0.0
    form: str = "{:.3f}"

    @property
    def promise(self) -> str:
        """The bar as text."""
        return "-" if self.rule == "told" else f"{self.rule} {self.form.format(self.bar)}"

    def row(self, value: float) -> Row:
        """The report's line for a measured value; NaN is short of every bar."""
        status = "told"
        if self.rule != "told":
            status = "held" if _HOLDS[self.rule](value, self.bar) else "short"
        return Row(self.what, self.promise, self.form.format(value), status, value)

    def not_run(self, reason: str) -> Row:
        """The report's line where there is no value."""
        return Row(self.what, self.promise, "", f"not run: {reason}", None)


@dataclass(frozen=True)
class Check:
    """Figures that are measured together.

    Attributes:
        name: for ``--only``.
        figures: in the order of the values.
        measure: gives the values, as many as there are figures.
    """

    name: str
    figures: tuple[Figure, ...]
    measure: Callable[[], Sequence[float]]

    def rows(self) -> list[Row]:
        """Measure; one row a figure, also where it fails."""
        try:
            values = self.measure()
        except NotMeasuredError as error:
            return [figure.not_run(str(error)) for figure in self.figures]
        return [figure.row(value) for figure, value in zip(self.figures, values, strict=True)]
