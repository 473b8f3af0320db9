"""Which filters go: the greedy choice of least importance for the most that is saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converters.pruning.cost import Array, Cost
from edgeseg.errors import ModelContractError

Importance = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Goal:
    """A measure of cost that is to fall.

    Attributes:
        measure: from widths, ``(..., units)``, to the cost, ``(...)``.
        limit: at most this much is to be left.
    """

    measure: Callable[[Array], Array]
    limit: float


def select(
    cost: Cost,
    widths: Mapping[str, int],
    importance: Importance,
    goals: Sequence[Goal],
    granularity: int,
) -> dict[str, NDArray[np.bool_]]:
    """Takes filters away until every goal is met.

    Step by step the removal goes first that loses the least importance for what it saves of the
    goals not yet met, each saving counted as a share of its limit. A removal takes the least
    important filters of one unit: to a width that is a multiple of ``granularity``, or a whole
    dense layer.

    Args:
        cost: the network's.
        widths: filters by unit now.
        importance: by unit, of each filter.
        goals: one at least.
        granularity: filters in a group.

    Returns:
        By unit ``(filters,)`` bool: which filters stay.

    Raises:
        ModelContractError: nothing is left to remove and a goal is not met.
    """
    order = {unit: np.argsort(values, kind="stable") for unit, values in importance.items()}
    # What is lost when the k least important filters go, at k.
    lost = {
        unit: np.concatenate([[0.0], np.cumsum(values[order[unit]])])
        for unit, values in importance.items()
    }
    left = dict(widths)
    steps: list[tuple[str, int]] = []
    while unmet := [goal for goal in goals if goal.measure(cost.widths(left)) > goal.limit]:
        choices = [
            (unit, width) for unit in importance for width in _narrower(unit, left, granularity)
        ]
        now = cost.widths(left)
        after = np.repeat(now[None], len(choices), axis=0)
        for row, (unit, width) in enumerate(choices):
            after[row, cost.index[unit]] = width
        saved = sum(((g.measure(now) - g.measure(after)) / g.limit for g in unmet), np.zeros(1))
        removed = np.array(
            [
                lost[unit][widths[unit] - width] - lost[unit][widths[unit] - left[unit]]
                for unit, width in choices
            ]
        )
        if not np.any(saved > 0):
            raise ModelContractError(
                "structured pruning: the budget is below what this network can be cut to"
            )
        # What saves nothing is never worth its loss.
        price = np.divide(removed, saved, out=np.full(len(removed), np.inf), where=saved > 0)
        unit, width = choices[int(np.argmin(price))]
        steps.append((unit, left[unit]))
        left[unit] = width
    _give_back(cost, left, goals, steps)
    keep = {}
    for unit, values in importance.items():
        keep[unit] = np.ones(len(values), np.bool_)
        keep[unit][order[unit][: widths[unit] - left[unit]]] = False
    return keep


def _give_back(
    cost: Cost, left: dict[str, int], goals: Sequence[Goal], steps: Sequence[tuple[str, int]]
) -> None:
    """Undoes, from the last on, the steps that the goals do not need after all.

    The step that meets a goal overshoots it, by a whole layer perhaps.

    Args:
        cost: the network's.
        left: filters by unit, changed in place.
        goals: all met, before and after.
        steps: the unit and its width before, in the order in which they were taken.
    """
    needed: set[str] = set()
    for unit, width in reversed(steps):
        wider = cost.widths({**left, unit: width})
        if unit not in needed and all(goal.measure(wider) <= goal.limit for goal in goals):
            left[unit] = width
        else:
            needed.add(unit)


def _narrower(unit: str, left: Mapping[str, int], granularity: int) -> list[int]:
    """The widths that a unit may fall to."""
    narrower = list(range(granularity, left[unit], granularity))
    if left[unit] and _may_go(unit, left):
        narrower.append(0)
    return narrower


def _may_go(unit: str, left: Mapping[str, int]) -> bool:
    block, layer, _ = unit.partition("_layer")
    if not layer:
        return False
    if block.startswith("down") or block == "up0":
        return True
    # Only its new features go up from here: one layer has to make some.
    others = [u for u in left if u.startswith(f"{block}_layer") and u != unit]
    return any(left[u] for u in others)
