"""Each figure against a hand-made answer, and the contour score against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgeseg.evaluation import metrics

MASKS = hnp.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))
PAIRS = st.tuples(st.integers(1, 24), st.integers(1, 24)).flatmap(
    lambda shape: st.tuples(hnp.arrays(np.bool_, shape), hnp.arrays(np.bool_, shape))
)


def square(side: int, left: int, top: int, size: int = 40) -> np.ndarray:
    mask = np.zeros((size, size), np.bool_)
    mask[top : top + side, left : left + side] = True
    return mask


def test_iou_of_half_overlapping_squares_is_a_third() -> None:
    assert metrics.iou(square(10, 0, 0), square(10, 5, 0)) == pytest.approx(50 / 150)


def test_empty_masks_agree() -> None:
    empty = np.zeros((5, 7), np.bool_)
    assert metrics.iou(empty, empty) == 1.0
    assert metrics.pixel_accuracy(empty, empty) == 1.0
    assert metrics.boundary_f(empty, empty) == 1.0


def test_nothing_found_scores_zero() -> None:
    empty, full = np.zeros((40, 40), np.bool_), square(10, 5, 5)
    assert metrics.iou(empty, full) == 0.0
    assert metrics.boundary_f(empty, full) == 0.0
    assert metrics.pixel_accuracy(empty, full) == pytest.approx(1 - 100 / 1600)


@given(PAIRS)
@settings(deadline=None)
def test_figures_are_symmetric_and_in_range(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = pair
    for figure in (metrics.iou, metrics.pixel_accuracy, metrics.boundary_f):
        assert 0.0 <= figure(a, b) <= 1.0
        assert figure(a, b) == pytest.approx(figure(b, a))
        assert figure(a, a) == 1.0


@given(PAIRS, st.sampled_from([0.0, 0.05, 0.0999, 0.2, 0.5]))
@settings(max_examples=150, deadline=None)
def test_boundary_f_is_brute_force(pair: tuple[np.ndarray, np.ndarray], tolerance: float) -> None:
    pred, true = pair
    pred_points = np.argwhere(metrics.boundary(pred))
    true_points = np.argwhere(metrics.boundary(true))
    if not len(pred_points) or not len(true_points):
        expected = float(len(pred_points) == len(true_points))
    else:
        theta = math.ceil(tolerance * math.hypot(*pred.shape))
        squared = ((pred_points[:, None] - true_points[None]) ** 2).sum(axis=2)
        near = squared <= theta * theta
        precision, recall = near.any(axis=1).mean(), near.any(axis=0).mean()
        both = precision + recall
        expected = 2 * precision * recall / both if both else 0.0
    assert metrics.boundary_f(pred, true, tolerance) == pytest.approx(expected)


@given(MASKS)
@settings(deadline=None)
def test_boundary_is_foreground_beside_background(mask: np.ndarray) -> None:
    height, width = mask.shape
    for y in range(height):
        for x in range(width):
            beside = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            background = [not mask[v, u] for v, u in beside if 0 <= v < height and 0 <= u < width]
            assert metrics.boundary(mask)[y, x] == (mask[y, x] and any(background))


def test_a_shift_inside_the_tolerance_is_forgiven_and_beyond_is_not() -> None:
    # The diagonal of 400 x 300 is 500, so 0.75% is 3.75 px and counts as 4.
    true = np.zeros((300, 400), np.bool_)
    true[100:200, 100:300] = True
    assert metrics.boundary_f(np.roll(true, 4, axis=1), true) == 1.0
    assert metrics.boundary_f(np.roll(true, 6, axis=1), true) < 0.9


def test_a_frame_is_no_boundary() -> None:
    mask = np.zeros((20, 20), np.bool_)
    mask[:, :10] = True
    assert metrics.boundary(mask).sum() == 20
    assert not metrics.boundary(np.ones((20, 20), np.bool_)).any()


@pytest.mark.parametrize(
    "pair",
    [
        (np.zeros((3, 4), np.bool_), np.zeros((4, 3), np.bool_)),
        (np.zeros((3, 4), np.uint8), np.zeros((3, 4), np.bool_)),
        (np.zeros((3, 4, 1), np.bool_), np.zeros((3, 4, 1), np.bool_)),
        (np.zeros((0, 4), np.bool_), np.zeros((0, 4), np.bool_)),
    ],
)
def test_a_callers_mistake_is_a_value_error(pair: tuple[np.ndarray, np.ndarray]) -> None:
    for figure in (metrics.iou, metrics.pixel_accuracy, metrics.boundary_f):
        with pytest.raises(ValueError, match=r"two shapes|must be"):
            figure(*pair)
