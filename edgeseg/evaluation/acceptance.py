"""How well a match can tell that a garment is not in the catalogue, and the fit of that answer.

Each query is asked twice: of the catalogue as it is, and of the catalogue without its item, where
every answer is a false one. The regression is judged on items that it was not fitted to: the items
are dealt into folds, and each fold's probabilities come from a fit to the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.acceptance import Acceptance
from edgeseg.catalogue import Catalogue
from edgeseg.errors import DatasetError

FALSE_ACCEPT_RATES = (0.01, 0.02, 0.05, 0.1, 0.2)
FOLDS = 5
# Below so many queries of either answer a rate of one in twenty cannot be told.
MIN_QUERIES = 20
# Weight of the squared coefficients, of distances in units of their own spread: enough that a few
# queries which are told apart perfectly do not drive the coefficients to infinity.
_RIDGE = 1.0
_NEWTON_STEPS = 50


@dataclass(frozen=True)
class Asked:
    """A query's answers.

    Attributes:
        item: the SKU that it shows.
        right: whether the nearest item is that one.
        distances: of the nearest two items of the catalogue.
        absent: of the nearest two once its item is left out.
    """

    item: str
    right: bool
    distances: tuple[float, float]
    absent: tuple[float, float]


@dataclass(frozen=True)
class CurvePoint:
    """One threshold's consequences, on queries that the regression was not fitted to.

    Attributes:
        false_accepts: share of the queries without their item that are accepted, at most.
        threshold: the least probability that is accepted.
        accepted_right: share accepted of the queries whose nearest item is the right one.
        accepted_all: share accepted of all queries whose item is there, right or wrong.
    """

    false_accepts: float
    threshold: float
    accepted_right: float
    accepted_all: float

    def to_dict(self) -> dict[str, float]:
        """For JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class AcceptanceFit:
    """What :func:`fit_acceptance` found.

    Attributes:
        acceptance: fitted to all queries.
        curve: a point for each of ``FALSE_ACCEPT_RATES`` and for the rate asked for.
        queries, right: how many there were, and in how many of them the nearest item was right.
    """

    acceptance: Acceptance
    curve: tuple[CurvePoint, ...]
    queries: int
    right: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "acceptance": self.acceptance.to_dict(),
            "curve": [point.to_dict() for point in self.curve],
            "queries": self.queries,
            "right": self.right,
        }


def ask(catalogue: Catalogue, item: str, embedding: NDArray[np.float32]) -> Asked:
    """Search for a query with its item and without it.

    Args:
        catalogue: of three items or more, the query's among them.
        item: the SKU that the query shows.
        embedding: ``(dim,)`` float32.

    Raises:
        DatasetError: the catalogue has fewer items.
    """
    if len(catalogue) < 3:
        raise DatasetError("a catalogue of fewer than three items cannot do without one of them")
    nearest = catalogue.search(embedding, 3)
    others = [match.distance for match in nearest if match.sku != item]
    return Asked(
        item=item,
        right=nearest[0].sku == item,
        distances=(nearest[0].distance, nearest[1].distance),
        absent=(others[0], others[1]),
    )


def fit_acceptance(asked: Sequence[Asked], false_accepts: float, seed: int = 0) -> AcceptanceFit:
    """Fit the probability that the nearest item is right, and choose the threshold.

    Args:
        asked: the queries.
        false_accepts: the share of queries without their item that may be accepted, in (0, 1).
        seed: deals the items into folds.

    Raises:
        DatasetError: fewer than ``MIN_QUERIES`` queries, or none of them answered rightly.
    """
    right = sum(each.right for each in asked)
    items = sorted({each.item for each in asked})
    if len(asked) < MIN_QUERIES or len(items) < FOLDS or not right:
        raise DatasetError(
            f"{len(asked)} queries of {len(items)} items, {right} answered rightly: at least "
            f"{MIN_QUERIES}, {FOLDS} and 1 are needed to tell right answers from wrong ones"
        )
    order = np.random.default_rng(seed).permutation(len(items))
    fold_of = {item: int(place) % FOLDS for item, place in zip(items, order, strict=True)}
    present, absent = np.zeros(len(asked)), np.zeros(len(asked))
    for fold in range(FOLDS):
        others = [each for each in asked if fold_of[each.item] != fold]
        coefficients = _regression(others)
        for row, each in enumerate(asked):
            if fold_of[each.item] == fold:
                present[row] = _odds(coefficients, each.distances)
                absent[row] = _odds(coefficients, each.absent)
    is_right = np.array([each.right for each in asked])
    rates = sorted({*FALSE_ACCEPT_RATES, false_accepts})
    curve = tuple(_point(rate, present, absent, is_right) for rate in rates)
    coefficients = _regression(asked)
    all_absent = np.array([_odds(coefficients, each.absent) for each in asked])
    intercept, distance, lead = coefficients.tolist()
    acceptance = Acceptance(
        intercept,
        distance,
        lead,
        threshold=_probability(_threshold(all_absent, false_accepts)),
        false_accepts=false_accepts,
    )
    return AcceptanceFit(acceptance, curve, len(asked), right)


def _regression(asked: Sequence[Asked]) -> NDArray[np.float64]:
    """(intercept, distance, lead) of a ridge logistic regression, by Newton's method."""
    pairs = [each.distances for each in asked] + [each.absent for each in asked]
    answers = np.array([each.right for each in asked] + [False] * len(asked), np.float64)
    features = np.array([(near, following - near) for near, following in pairs])
    mean, spread = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-9)
    design = np.column_stack([np.ones(len(pairs)), (features - mean) / spread])
    penalty = _RIDGE * np.diag([0.0, 1.0, 1.0])
    weights = np.zeros(3)
    for _ in range(_NEWTON_STEPS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -500, 500)))
        gradient = design.T @ (answers - chance) - penalty @ weights
        curvature = design.T @ (design * (chance * (1 - chance))[:, None]) + penalty
        step = np.linalg.solve(curvature + 1e-9 * np.eye(3), gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-9:
            break
    slopes = weights[1:] / spread
    return np.array([weights[0] - slopes @ mean, *slopes])


def _odds(coefficients: NDArray[np.float64], distances: tuple[float, float]) -> float:
    near, following = distances
    return float(coefficients @ np.array([1.0, near, following - near]))


def _threshold(absent: NDArray[np.float64], rate: float) -> float:
    """Log-odds between the share ``rate`` that may pass without their item and the rest."""
    allowed = int(rate * len(absent))
    highest = np.sort(absent)[::-1]
    # A margin where none may pass: rounded as a probability, the highest must stay below.
    last = highest[allowed - 1] if allowed else highest[0] + 1e-3
    return float((last + highest[allowed]) / 2)


def _point(
    rate: float,
    present: NDArray[np.float64],
    absent: NDArray[np.float64],
    right: NDArray[np.bool_],
) -> CurvePoint:
    threshold = _threshold(absent, rate)
    accepted = present >= threshold
    return CurvePoint(
        false_accepts=rate,
        threshold=_probability(threshold),
        accepted_right=float(accepted[right].mean()),
        accepted_all=float(accepted.mean()),
    )


def _probability(odds: float) -> float:
    return float(1.0 / (1.0 + np.exp(-np.clip(odds, -500, 500))))
