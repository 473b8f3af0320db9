"""Where a value lies along an axis, and which round values stand on it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

# From here on the smaller values of a linear axis are indistinct.
_LOGARITHMIC_FROM = 10.0
# Room at either end, of the axis' length: a mark is not cut in half.
_MARGIN = 0.03
_MAX_TICKS = 5
_MULTIPLES = (1, 2, 5)


@dataclass(frozen=True)
class Scale:
    """An axis.

    Attributes:
        low, high: The values at its ends; high above low.
        logarithmic: Whether equal lengths are equal ratios; then ``low`` is above 0.
    """

    low: float
    high: float
    logarithmic: bool = False

    @classmethod
    def over(
        cls, values: Iterable[float], least_span: float = 0.02, *, linear: bool = False
    ) -> Scale:
        """One that holds all values, logarithmic where they differ by a power of ten or more.

        Args:
            values: One or more, 0 or above.
            linear: Never logarithmic.
            least_span: Of the greatest value: values that differ by less do not fill the axis, for
                that would make much of nothing.
        """
        known = list(values)
        low, high = min(known), max(known)
        if not linear and low > 0 and high / low >= _LOGARITHMIC_FROM:
            room = (high / low) ** _MARGIN
            return cls(low / room, high * room, logarithmic=True)
        lacking = max(0.0, (high * least_span or 1.0) - (high - low)) / 2
        low, high = low - lacking, high + lacking
        room = (high - low) * _MARGIN
        return cls(low - room, high + room)

    @classmethod
    def from_zero(cls, high: float) -> Scale:
        """A linear one from 0, as bars need it."""
        return cls(0.0, high if high > 0 else 1.0)

    def percent(self, value: float) -> float:
        """Where a value lies: 0 to 100."""
        if self.logarithmic:
            return 100.0 * math.log(value / self.low) / math.log(self.high / self.low)
        return 100.0 * (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Round values between its ends, five at most."""
        if self.logarithmic:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            for multiples in (_MULTIPLES, (1, 3), (1,)):
                found = self._within(m * 10.0**power for power in powers for m in multiples)
                if len(found) <= _MAX_TICKS:
                    return found
            return found[:: math.ceil(len(found) / _MAX_TICKS)]
        return self._linear_ticks()

    def _linear_ticks(self) -> list[float]:
        span = self.high - self.low
        power = 10.0 ** math.floor(math.log10(span / _MAX_TICKS))
        for multiple in (*_MULTIPLES, 10, 20):
            step = multiple * power
            first, last = math.ceil(self.low / step), math.floor(self.high / step)
            if last - first < _MAX_TICKS:
                # A product of a whole number and a step is not quite round: 3 * 0.1.
                digits = 2 - math.floor(math.log10(step))
                return [round(number * step, digits) for number in range(first, last + 1)]
        raise AssertionError("twenty times a fifth of the span is more than the span")

    def _within(self, values: Iterable[float]) -> list[float]:
        # By its shortest form: 10.0 ** -3 * 5 is not quite 0.005.
        rounded = [float(f"{value:.3g}") for value in values]
        return [value for value in rounded if self.low <= value <= self.high]
