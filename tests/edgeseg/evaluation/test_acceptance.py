"""Whether a garment is in the catalogue: the regression, its threshold and its honest curve."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgeseg.acceptance import Acceptance
from edgeseg.catalogue import Catalogue, Item
from edgeseg.errors import DatasetError
from edgeseg.evaluation.acceptance import Asked, ask, fit_acceptance


def drawn(count: int, apart: float, seed: int = 0) -> list[Asked]:
    """Queries whose right answers lie ``apart`` spreads nearer than the false ones."""
    rng = np.random.default_rng(seed)
    asked = []
    for number in range(count):
        near, false = rng.normal(0.5 - 0.05 * apart, 0.05), rng.normal(0.5, 0.05)
        asked.append(Asked(f"item{number}", True, (near, near + 0.02), (false, false + 0.02)))
    return asked


def test_a_probability_is_the_logistic_of_both_distances() -> None:
    acceptance = Acceptance(2.0, -5.0, 10.0, 0.5, 0.05)
    assert acceptance.probability([0.3, 0.45, 0.9]) == pytest.approx(1 / (1 + math.exp(-2.0)))
    # A lone item has no next one to stand out from.
    assert acceptance.probability([0.4]) == pytest.approx(0.5)
    assert Acceptance(0.0, -1e6, 0.0, 0.5, 0.05).probability([1.0, 1.0]) == pytest.approx(0.0)
    assert Acceptance(0.0, 1e6, 0.0, 0.5, 0.05).probability([1.0, 1.0]) == pytest.approx(1.0)


def test_the_fit_finds_the_probabilities_that_the_answers_were_drawn_from() -> None:
    rng = np.random.default_rng(3)
    asked = []
    for number in range(4000):
        near, lead = rng.uniform(0.2, 0.8), rng.uniform(0.0, 0.3)
        right = rng.random() < 1 / (1 + math.exp(-(4 - 12 * near + 20 * lead)))
        # Without its item a query is never right, and here never near: those say nothing new.
        asked.append(Asked(f"item{number}", bool(right), (near, near + lead), (1.9, 1.9)))
    fitted = fit_acceptance(asked, 0.05).acceptance
    for near, lead in ((0.3, 0.1), (0.5, 0.1), (0.5, 0.25), (0.6, 0.05)):
        true = 1 / (1 + math.exp(-(4 - 12 * near + 20 * lead)))
        # 4,000 draws leave a few hundredths.
        assert fitted.probability([near, near + lead]) == pytest.approx(true, abs=0.05)


def test_the_threshold_lets_the_share_asked_for_pass_and_no_more() -> None:
    asked = drawn(200, apart=1.0)
    for rate in (0.01, 0.05, 0.2):
        acceptance = fit_acceptance(asked, rate).acceptance
        accepted = [
            acceptance.probability(list(each.absent)) >= acceptance.threshold for each in asked
        ]
        assert 0 < np.mean(accepted) <= rate


def test_the_curve_knows_queries_apart_from_hopeless_ones() -> None:
    apart, alike = fit_acceptance(drawn(400, 6.0), 0.05), fit_acceptance(drawn(400, 0.0), 0.05)
    five = {point.false_accepts: point for point in apart.curve}[0.05]
    assert five.accepted_right > 0.99
    # Answers like any others: a share of 0.05 is accepted of either, give or take its spread.
    hopeless = {point.false_accepts: point for point in alike.curve}[0.05]
    assert hopeless.accepted_right < 0.12
    shares = [point.accepted_right for point in alike.curve]
    assert shares == sorted(shares)


def test_a_fold_is_judged_by_the_others() -> None:
    """One item whose answers are the reverse of all others' cannot teach its own verdict."""
    asked = drawn(100, 8.0)
    odd = [Asked("odd", True, (0.9, 0.9), (0.1, 0.2)) for _ in range(5)]
    point = {p.false_accepts: p for p in fit_acceptance([*asked, *odd], 0.05).curve}[0.05]
    assert point.accepted_right <= 100 / 105


def test_too_little_to_tell_is_said() -> None:
    with pytest.raises(DatasetError, match="19 queries of 19 items, 19 answered rightly"):
        fit_acceptance(drawn(19, 1.0), 0.05)
    same = [Asked("one", True, (0.1, 0.2), (0.3, 0.4))] * 30
    with pytest.raises(DatasetError, match="30 queries of 1 items"):
        fit_acceptance(same, 0.05)
    wrong = [Asked(f"item{n}", False, (0.1, 0.2), (0.1, 0.2)) for n in range(30)]
    with pytest.raises(DatasetError, match="0 answered rightly"):
        fit_acceptance(wrong, 0.05)


def test_a_query_is_asked_with_its_item_and_without() -> None:
    items = [Item(name, {}) for name in "abc"]
    catalogue = Catalogue.from_embeddings(items, np.eye(3, dtype=np.float32), "ab" * 32)
    query = np.array([0.9, 0.4, 0.1], np.float32)
    query /= np.linalg.norm(query)
    a, b, c = (1 - float(value) for value in query)
    found = ask(catalogue, "a", query)
    assert found.right
    assert found.distances == pytest.approx((a, b))
    assert found.absent == pytest.approx((b, c))
    other = ask(catalogue, "c", query)
    assert not other.right
    assert other.absent == other.distances == pytest.approx((a, b))
    lone = Catalogue.from_embeddings(items[:2], np.eye(2, 3, dtype=np.float32), "ab" * 32)
    with pytest.raises(DatasetError, match="three items"):
        ask(lone, "a", query)
