"""What to label next: doubt in closed form, and orders whose best choice can be seen."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.labelling.order import (
    combined_doubts,
    disagreement,
    expected_loss,
    label_order,
    mask_entropy,
)


def on_circle(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_expected_loss_is_what_iou_loses() -> None:
    """Against masks drawn pixel by pixel from the confidence, it is the loss to be seen."""
    rng = np.random.default_rng(4)
    confidence = rng.beta(0.4, 0.4, size=(60, 60)).astype(np.float32)
    mask = confidence >= 0.5
    losses = []
    for _ in range(40):
        truth = rng.random(confidence.shape) < confidence
        losses.append(1 - (mask & truth).sum() / (mask | truth).sum())
    # A ratio of means for a mean of ratios: on 3,600 pixels they are less than 0.005 apart.
    assert expected_loss(confidence) == pytest.approx(np.mean(losses), abs=0.005)


@pytest.mark.parametrize(
    ("value", "loss", "bits"),
    [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.5, 0.5, 1.0), (0.25, 1.0, 0.8113)],
)
def test_doubt_of_flat_masks(value: float, loss: float, bits: float) -> None:
    flat = np.full((8, 6), value, np.float32)
    assert expected_loss(flat) == pytest.approx(loss)
    assert mask_entropy(flat) == pytest.approx(bits, abs=1e-4)


def test_disagreement() -> None:
    left, right = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    left[:, :2], right[:, 1:3] = True, True
    assert disagreement(left, right) == pytest.approx(2 / 3)
    assert disagreement(left, left) == 0
    assert disagreement(left & right, left & ~left) == 1
    assert disagreement(left & False, right & False) == 0
    with pytest.raises(ValueError, match="two shapes"):
        disagreement(left, right[:3])


def test_no_signal_outvotes_another() -> None:
    """Twice the average of one signal is twice that of another, whatever their scales."""
    signals = [{"loss": 0.02, "grabcut": 0.3}, {"loss": 0.01, "grabcut": 0.6}]
    assert combined_doubts(signals) == pytest.approx([1.0, 1.0])
    scaled = [{"loss": each["loss"] * 50, "grabcut": each["grabcut"]} for each in signals]
    assert combined_doubts(scaled) == pytest.approx([1.0, 1.0])
    assert combined_doubts([{"loss": 0.3}, {"loss": 0.1}]) == pytest.approx([1.5, 0.5])
    # A signal that is 0 everywhere says nothing; one that is missing somewhere is a mistake.
    assert combined_doubts([{"loss": 0.0}, {"loss": 0.0}]) == pytest.approx([0, 0])
    assert combined_doubts([]).shape == (0,)
    with pytest.raises(ValueError, match="same signals"):
        combined_doubts([{"loss": 0.3}, {"flip": 0.1}])
    with pytest.raises(ValueError, match="same signals"):
        combined_doubts([{}, {}])


def test_equal_doubts_spread_out() -> None:
    """With nothing to choose between doubts, each photo is the one farthest from all before it."""
    embeddings = on_circle(0, 10, 90, 180, 185)
    order = label_order(np.full(5, 0.5), embeddings, 3)
    assert order[0].distance is None
    assert order[0].nearest is None
    assert [pick.index for pick in order] == [0, 3, 2]
    assert order[1].distance == pytest.approx(2.0)
    assert order[1].nearest == 0


def test_doubt_decides_among_strangers_and_likeness_among_doubtful() -> None:
    # Two photos that look alike and are both in doubt, a third that is less so and quite other.
    embeddings = on_circle(0, 2, 120)
    order = label_order(np.array([0.9, 0.8, 0.3]), embeddings, 3)
    assert [pick.index for pick in order] == [0, 2, 1]
    assert order[2].nearest == 0


def test_what_is_labelled_already_teaches_nothing_new() -> None:
    embeddings = on_circle(0, 90, 45)
    order = label_order(np.array([0.9, 0.2, 0.2]), embeddings, 3, labelled=on_circle(0, 300))
    assert order[-1].index == 0
    assert order[-1].score == pytest.approx(0, abs=1e-3)
    assert order[-1].nearest == 3
    assert order[0].index == 1


def test_order_is_whole_and_repeats() -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(40, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    doubts = rng.random(40)
    order = label_order(doubts, vectors, 100)
    assert sorted(pick.index for pick in order) == list(range(40))
    assert order == label_order(doubts, vectors, 100)
    assert order[:7] == label_order(doubts, vectors, 7)


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="doubts with"):
        label_order(np.zeros(3), on_circle(0, 1), 2)
