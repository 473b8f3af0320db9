"""Recall over gallery sizes, on vectors whose ranks are known or can be counted."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.evaluation.gallery_sweep import (
    Sweep,
    neighbour_differences,
    perturbed_copies,
    sweep_gallery,
)

DIM, WITHIN = 64, 6


def drawn(count: int, seed: int) -> np.ndarray:
    """Unit vectors of 64 numbers that differ in 6 directions only, as embeddings of few styles."""
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(DIM, WITHIN + 1)))[0].T
    places = np.random.default_rng(seed).normal(size=(count, WITHIN)) * 0.5
    vectors = np.concatenate([np.ones((count, 1)), places], axis=1) @ axes
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def queries_near(gallery: np.ndarray, rows: np.ndarray, noise: float) -> np.ndarray:
    moved = gallery[rows] + noise * drawn(len(rows), 7)
    return (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)


def swept(total: int = 900, sizes: tuple[int, ...] = (100, 300, 3000, 20_000)) -> Sweep:
    gallery, rows = drawn(total, 1), np.arange(60)
    return sweep_gallery(gallery, queries_near(gallery, rows, 0.6), list(rows), list(rows), sizes)


def test_planted_ranks_in_the_real_gallery() -> None:
    # On a circle, items at whole degrees.
    angles = np.deg2rad(np.arange(60))
    gallery = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    ranks, asked = [1, 2, 6, 11], np.deg2rad(np.array([0, 30, 30, 30]) + 0.1)
    queries = np.stack([np.cos(asked), np.sin(asked)], axis=1).astype(np.float32)
    # About 30.1 the order is 30, 31, 29, 32, 28, 33, 27, 34, 26, 35, 25.
    own = [0, 31, 33, 25]
    found = sweep_gallery(gallery, queries, own, own, sizes=()).points
    assert [point.items for point in found] == [60]
    expected = {f"recall_at_{k}": np.mean([rank <= k for rank in ranks]) for k in (1, 5, 10)}
    assert found[0].recall == expected
    assert (found[0].perturbed, found[0].draws) == (0, 1)


def test_small_galleries_hold_the_queries_items_and_large_ones_are_said_to_be_copies() -> None:
    sweep = swept(sizes=(10, 59, 60, 100, 3000, 20_000))
    assert [point.items for point in sweep.points] == [60, 100, 900, 3000, 20_000]
    assert [point.perturbed for point in sweep.points] == [0, 0, 0, 2100, 19_100]
    assert [point.draws > 1 for point in sweep.points] == [True, True, False, False, False]
    assert sweep.check is not None
    assert (sweep.check.items, sweep.check.perturbed) == (900, 600)
    told = sweep.to_dict()["points"][-1]
    assert (told["items"], told["perturbed"]) == (20_000, 19_100)


def test_a_larger_gallery_never_finds_more() -> None:
    points = swept().points
    for name in points[0].recall:
        recalls = [point.recall[name] for point in points]
        # Each gallery holds the smaller ones, draw by draw, so there is no sampling noise at all.
        assert recalls == sorted(recalls, reverse=True)
        assert recalls[0] > recalls[2] > recalls[-1]
    for point in points:
        for name, (low, high) in point.intervals.items():
            assert 0 <= low <= point.recall[name] <= high <= 1


def test_copies_stand_in_for_items_of_the_same_kind() -> None:
    sweep = swept()
    real = {point.items: point.recall["recall_at_10"] for point in sweep.points}
    assert sweep.check is not None
    # A third of the items finds much more than all of them; filled up with copies it finds about as
    # much. 60 queries leave an error of 0.06.
    assert real[300] - real[900] > 0.25
    assert abs(sweep.check.recall["recall_at_10"] - real[900]) < 0.06


def test_copies_lie_as_far_off_as_neighbours_do_and_are_as_long_as_items() -> None:
    rng = np.random.default_rng(3)
    gallery = 2 * drawn(500, 1)
    differences, distance = neighbour_differences(gallery, rng)
    distances = np.linalg.norm(gallery[:, None] - gallery[None], axis=2) + 9 * np.eye(500)
    assert distance == pytest.approx(np.median(distances.min(axis=1)), rel=1e-3)
    copies = perturbed_copies(gallery, differences, 4000, rng)
    np.testing.assert_allclose(np.linalg.norm(copies, axis=1), 2, atol=1e-5)
    off = np.linalg.norm(copies[:, None] - gallery[None], axis=2).min(axis=1)
    assert 0.4 * distance < np.median(off) < 1.2 * distance


def test_the_same_input_gives_the_same_figures_and_another_seed_others() -> None:
    assert swept() == swept()
    gallery, rows = drawn(900, 1), np.arange(60)
    queries = queries_near(gallery, rows, 0.6)
    one, other = (
        sweep_gallery(gallery, queries, list(rows), list(rows), (100,), seed) for seed in (1, 2)
    )
    assert one.points[0] != other.points[0]
    assert one.points[1] == other.points[1]


def test_an_item_that_is_not_there_is_missed_in_every_gallery() -> None:
    gallery = drawn(50, 1)
    sweep = sweep_gallery(gallery, gallery[:2], [0, None], ["a", "b"], (10, 50, 200))
    assert [point.recall["recall_at_10"] for point in sweep.points] == [0.5, 0.5, 0.5]


def test_a_gallery_of_one_picture_repeated_can_be_swept() -> None:
    gallery = np.repeat(drawn(1, 1), 8, axis=0)
    sweep = sweep_gallery(gallery, gallery[:1], [6], ["a"], (40,))
    # Equal distances rank by place, so this one is the seventh, and copies come last.
    assert sweep.neighbour_distance == 0.0
    assert [point.recall["recall_at_5"] for point in sweep.points] == [0.0, 0.0]
    assert [point.recall["recall_at_10"] for point in sweep.points] == [1.0, 1.0]
