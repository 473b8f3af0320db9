"""Replay: old photographs have their share of each batch, and new ones come as often as before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg.errors import DatasetError
from edgeseg.training.dataset import Dataset, Sample
from edgeseg.training.sampling import Sampling, sampling_of

OLD = frozenset({1})


def dataset(*counts: int) -> Dataset:
    """As many training photographs of each folder."""
    blank, none = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8)
    train = [
        Sample(blank, none, folder, Path(f"{folder}-{place}"))
        for folder, count in enumerate(counts)
        for place in range(count)
    ]
    return Dataset(tuple(train), tuple(train[:1]), tuple(f"f{i}" for i in range(len(counts))))


def batches(sampling: Sampling, seed: int = 0) -> np.ndarray:
    order = sampling.order(np.random.default_rng(seed))
    return np.reshape(order, (sampling.steps, sampling.batch))


def test_each_new_photograph_once_beside_old_ones() -> None:
    sampling = sampling_of(dataset(24, 100), [1.0, 1.0], OLD, 8, None, 0.25)
    assert (sampling.steps, sampling.replay_slots) == (4, 2)
    drawn = batches(sampling)
    assert ((drawn >= 24).sum(axis=1) == 2).all()
    assert sorted(drawn[drawn < 24]) == list(range(24))
    assert len(set(drawn[drawn >= 24])) == 8


@pytest.mark.parametrize("old_weight", [1.0, 50.0])
def test_a_share_is_no_matter_of_weights_or_counts(old_weight: float) -> None:
    data = dataset(5, 200, 5)
    sampling = sampling_of(data, [1.0, old_weight, 3.0], OLD, 8, 800, 0.5)
    assert sampling.steps == 100
    drawn = batches(sampling)
    old = (drawn >= 5) & (drawn < 205)
    assert (old.sum(axis=1) == 4).all()
    # Among the new ones the weights decide: three of the third folder for one of the first.
    new = drawn[~old]
    assert (new >= 205).mean() == pytest.approx(0.75, abs=0.08)
    # Within a folder no photograph comes again before each has come once.
    assert np.ptp(np.bincount(drawn[old] - 5, minlength=200)) <= 1


def test_without_replay_all_photographs_are_alike() -> None:
    sampling = sampling_of(dataset(6, 10), [1.0, 1.0], frozenset(), 4, None, 0.5)
    assert sampling.replay_slots == 0
    assert sorted(batches(sampling).ravel()) == list(range(16))
    assert (batches(sampling, 1) == batches(sampling, 1)).all()
    assert (batches(sampling, 1) != batches(sampling, 2)).any()


def test_a_folder_of_no_weight_is_left_out() -> None:
    sampling = sampling_of(dataset(8, 10), [1.0, 0.0], OLD, 4, None, 0.5)
    assert sampling.replay_slots == 0
    assert sorted(batches(sampling).ravel()) == list(range(8))


@pytest.mark.parametrize(
    ("weights", "share", "told"),
    [
        ([0.0, 1.0], 0.5, "every new folder"),
        ([0.0, 0.0], 0.5, "every data folder"),
        ([1.0, 1.0], 0.0, "both old and new"),
        ([1.0, 1.0], 1.0, "both old and new"),
        ([1.0, 1.0], 0.1, "leaves 0 of a batch of 4"),
    ],
)
def test_nothing_to_draw_from(weights: list[float], share: float, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        sampling_of(dataset(4, 4), weights, OLD, 4, None, share)


def test_an_empty_folder_is_named() -> None:
    with pytest.raises(DatasetError, match="f1: nothing to train on"):
        sampling_of(dataset(4, 0), [1.0, 1.0], OLD, 4, None, 0.5)
