"""Golden queries: they travel in a catalogue with their right answers, and tell if it works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import FormatError
from edgeseg.formats.codes import Codes


@dataclass(frozen=True, eq=False)
class Golden:
    """Queries and what an exact search answers.

    Attributes:
        queries: ``q`` embeddings in int8.
        answers: ``(q, k)`` uint32, the rows of the ``k`` nearest items.
        recall_floor: the least index recall@k at which the catalogue may be used, in [0, 1].
    """

    queries: Codes
    answers: NDArray[np.uint32]
    recall_floor: float

    def settings(self) -> dict[str, Any]:
        """The JSON form of all but the arrays."""
        return {
            "k": int(self.answers.shape[1]),
            "queries": len(self.queries),
            "recall_floor": self.recall_floor,
        }


def check_golden(golden: Golden, rows: int, removed: NDArray[np.bool_] | None) -> None:
    """Refuse answers that no search could give.

    Raises:
        FormatError: an answer is no row with an item, or is given twice; or the floor is none.
    """
    answers = golden.answers
    if not 0.0 <= golden.recall_floor <= 1.0:
        raise FormatError("the recall floor of its golden queries is not between 0 and 1")
    if bool((answers >= rows).any()) or (removed is not None and bool(removed[answers].any())):
        raise FormatError("an answer of its golden queries is no item")
    ordered = np.sort(answers, axis=1)
    if bool((ordered[:, 1:] == ordered[:, :-1]).any()):
        raise FormatError("an answer of its golden queries is given twice")
