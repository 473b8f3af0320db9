"""What to expect of a photo, from what workers confirmed of others: worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from edgeseg.labelling.experience import USUAL, Experience, went_wrong
from edgeseg.sync.confirmations import Confirmation
from tests.edgeseg.sync.test_confirmations import confirmation

DIGEST = "ef" * 32
SHOWN = (("P1", 0.1), ("P2", 0.2), ("P3", 0.3))


def said(
    vector: Sequence[float],
    cutout: str = "model",
    sku: str | None = "P1",
    number: int = 0,
    photo: str = "ab" * 32,
) -> Confirmation:
    """A confirmation of the embedder `DIGEST`; of the photo "ab..." unless numbered below 5."""
    if number >= 5:
        photo = f"{number:064x}"
    made = confirmation(number, sku)
    vector = np.array(vector, np.float32)
    return replace(made, embedding=vector, cutout=cutout, shown=SHOWN, photo_sha256=photo)


def asked(*vector: float) -> np.ndarray:
    return np.array([vector], np.float32)


@pytest.mark.parametrize(
    ("cutout", "sku", "expected"),
    [
        ("model", "P1", (0, 0)),
        ("corrected", "P1", (1, 0)),
        ("whole", "P2", (1, 1 / 2)),
        ("model", "P3", (0, 2 / 3)),
        ("model", None, (0, 1)),
        ("model", "P9", (0, 1)),
    ],
)
def test_how_wrong_it_was(cutout: str, sku: str | None, expected: tuple[float, float]) -> None:
    assert went_wrong(said((1, 0, 0), cutout, sku)) == pytest.approx(expected)


def test_what_is_alike_tells_and_what_is_not_does_not() -> None:
    both = [said((1, 0, 0), "corrected", "P2", 5), said((2, 0, 0), "corrected", None, 6)]
    experience = Experience(both, DIGEST, 3)
    assert experience.used == 2
    near = experience.signals(asked(1, 0, 0))
    assert near == pytest.approx({"corrected": 2.1 / 3, "mistaken": (0.1 + 0.5 + 1) / 3})
    # At 45 degrees each counts by (cos - 0.5) / 0.5.
    weight = 2 * np.sqrt(0.5) - 1
    between = experience.signals(asked(np.sqrt(0.5), np.sqrt(0.5), 0))
    assert between["corrected"] == pytest.approx((0.1 + 2 * weight) / (1 + 2 * weight))
    far = experience.signals(asked(0, 1, 0))
    assert far == pytest.approx({"corrected": USUAL, "mistaken": USUAL})
    # The likest of several embeddings of a photo counts.
    assert experience.signals(np.concatenate([asked(0, 1, 0), asked(1, 0, 0)])) == near


def test_what_went_well_lowers_it() -> None:
    wrong = [said((1, 0, 0), "corrected", "P1", 5)]
    right = [said((1, 0, 0), "model", "P1", 10 + n) for n in range(3)]
    lone = Experience(wrong, DIGEST, 3).signals(asked(1, 0, 0))["corrected"]
    among = Experience(wrong + right, DIGEST, 3).signals(asked(1, 0, 0))["corrected"]
    assert (lone, among) == pytest.approx((1.1 / 2, 1.1 / 5))


def test_only_the_nearest_are_asked() -> None:
    """One that is faintly alike says nothing where sixteen are very much so."""
    angle = np.radians(50.0)
    faint = said((float(np.cos(angle)), float(np.sin(angle)), 0), "corrected", number=5)
    near = [said((1, 0, 0), number=10 + n) for n in range(16)]
    alone = Experience([faint], DIGEST, 3).signals(asked(1, 0, 0))["corrected"]
    weight = 2 * np.cos(angle) - 1
    assert alone == pytest.approx((0.1 + weight) / (1 + weight))
    experience = Experience([faint, *near], DIGEST, 3)
    assert experience.signals(asked(1, 0, 0))["corrected"] == USUAL


def test_of_the_very_photo_the_worst_word_holds() -> None:
    twice = [said((0, 1, 0), "model", "P2", 1), said((0, 1, 0), "corrected", "P1", 2)]
    experience = Experience(twice, DIGEST, 3)
    told = experience.signals(asked(1, 0, 0), {"other", "ab" * 32})
    assert told == {"corrected": 1.0, "mistaken": 0.5}


def test_other_embedders_and_vectors_that_are_none_are_left_out() -> None:
    fits = said((1, 0, 0), number=5)
    others = [
        replace(fits, embedder_digest="aa" * 32),
        replace(fits, embedding=np.ones(4, np.float32)),
        replace(fits, embedding=np.zeros(3, np.float32)),
    ]
    # As long as a float32 can say: its length is none that float32 can.
    long = replace(fits, embedding=np.array([3e38, 3e38, 0], np.float32), cutout="corrected")
    experience = Experience([*others, long], DIGEST, 3)
    assert (experience.used, experience.left_out) == (1, 3)
    assert experience.signals(asked(1, 0, 0))["corrected"] > USUAL
    none = Experience(others, DIGEST, 3)
    assert (none.used, none.left_out) == (0, 3)
    assert none.signals(asked(1, 0, 0)) == pytest.approx({"corrected": USUAL, "mistaken": USUAL})
