"""Is the nearest item the right one, or is the garment not in the catalogue at all?

Distances alone do not say: a plain black shirt is near to many items, and a garment that only one
item resembles may be far from it. So two numbers are weighed, how far the nearest item is and how
far the next one lies behind it, by a logistic regression (Platt, "Probabilistic outputs for support
vector machines", 1999, equation 1) that :mod:`edgeseg.evaluation.acceptance` fits to queries whose
item is known.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Acceptance:
    """From the two nearest distances to a probability, and from which one on a match is believed.

    Attributes:
        intercept, distance, lead: the log-odds are `intercept + distance * d1 + lead * (d2 - d1)`,
            for the distances `d1` and `d2` of the nearest item and of the next.
        threshold: least probability, in [0, 1], of a match that is accepted.
        false_accepts: share of the queries without their item that were accepted with it.
    """

    intercept: float
    distance: float
    lead: float
    threshold: float
    false_accepts: float

    def probability(self, distances: list[float]) -> float:
        """That the nearest item is the right one, where half of all garments are in the catalogue.

        Args:
            distances: of the nearest items, the nearest first, one at least; a lone item has no
                lead.
        """
        lead = distances[1] - distances[0] if len(distances) > 1 else 0.0
        odds = self.intercept + self.distance * distances[0] + self.lead * lead
        # Beyond this the probability is 0 or 1 in float64 in any case, and exp would overflow.
        return 1.0 / (1.0 + math.exp(-max(-500.0, min(500.0, odds))))

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, kept in a bundle's manifest."""
        return asdict(self)
