"""Which photographs an epoch is made of, and in which order.

A network that goes on learning from new photographs alone forgets the old ones (McCloskey and
Cohen, "Catastrophic interference in connectionist networks", 1989). So a share of each batch is
drawn from the old ones again: rehearsal (Robins, "Catastrophic forgetting, rehearsal and
pseudorehearsal", Connection Science 7, 1995), or experience replay (Rolnick et al., arXiv
1811.11682), with everything that was ever labelled as its memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import DatasetError
from edgeseg.training.dataset import Dataset


@dataclass(frozen=True)
class Sampling:
    """How photographs are drawn.

    Attributes:
        members: indices of the training photographs, by folder; folders of no weight are not in it.
        weights: how often a folder's photographs are drawn, against others of its kind.
        replayed: folders that are old, and drawn for their share of each batch only.
        batch: samples in a step.
        steps: in an epoch.
        replay_slots: of the batch; 0 where nothing is replayed.
        weighted: whether photographs are drawn by their folders' weights. Otherwise each comes
            once, and what is replayed comes as it fits beside them.
    """

    members: Mapping[int, Sequence[int]]
    weights: Sequence[float]
    replayed: frozenset[int]
    batch: int
    steps: int
    replay_slots: int
    weighted: bool

    def order(self, rng: np.random.Generator) -> list[int]:
        """The training photographs of one epoch, ``steps * batch`` indices.

        Args:
            rng: the only source of chance.
        """
        kinds = (
            ([f for f in self.members if f not in self.replayed], self.batch - self.replay_slots),
            ([f for f in self.members if f in self.replayed], self.replay_slots),
        )
        drawn = [
            np.reshape(self._drawn(rng, folders, self.steps * slots), (self.steps, slots))
            for folders, slots in kinds
            if slots
        ]
        return [int(index) for index in np.concatenate(drawn, axis=1).ravel()]

    def _drawn(
        self, rng: np.random.Generator, folders: Sequence[int], count: int
    ) -> NDArray[np.int64]:
        if not self.weighted:
            every = np.concatenate([np.asarray(self.members[f], dtype=np.int64) for f in folders])
            return np.resize(rng.permutation(every), count)
        weights = np.array([self.weights[f] for f in folders], dtype=float)
        drawn = rng.choice(list(folders), size=count, p=weights / weights.sum())
        order: list[int] = []
        # Within a folder no photograph comes again before each has come once.
        decks: dict[int, list[int]] = {folder: [] for folder in folders}
        for folder in drawn:
            deck = decks[int(folder)]
            if not deck:
                deck.extend(int(i) for i in rng.permutation(self.members[int(folder)]))
            order.append(deck.pop())
        return np.array(order, dtype=np.int64)


def sampling_of(
    dataset: Dataset,
    weights: Sequence[float],
    replayed: frozenset[int],
    batch: int,
    epoch_samples: int | None,
    replay_share: float,
) -> Sampling:
    """How the photographs of a dataset are drawn.

    Args:
        dataset: what there is.
        weights: by folder.
        replayed: folders whose photographs are old.
        batch: samples in a step.
        epoch_samples: samples in an epoch; None is each new training photograph once.
        replay_share: of each batch, where something is replayed.

    Raises:
        DatasetError: a folder with a weight has no photograph to train on, or no folder is new, or
            a share leaves no place in the batch for the new or for the old ones.
    """
    members: dict[int, list[int]] = {}
    for index, sample in enumerate(dataset.train):
        members.setdefault(sample.folder, []).append(index)
    for folder, weight in enumerate(weights):
        if weight > 0 and folder not in members:
            raise DatasetError(f"{dataset.names[folder]}: nothing to train on")
    if not any(weights):
        raise DatasetError("every data folder has the weight 0: nothing to train on")
    members = {folder: indices for folder, indices in members.items() if weights[folder]}
    if not members.keys() - replayed:
        raise DatasetError("every new folder has the weight 0: nothing to learn beside the replay")
    slots = 0
    if members.keys() & replayed:
        slots = round(batch * replay_share)
        if not 0 < slots < batch:
            raise DatasetError(
                f"a replay_share of {replay_share:g} leaves {slots} of a batch of {batch} for old "
                "photographs: both old and new ones must be in it"
            )
    new = sum(len(indices) for folder, indices in members.items() if folder not in replayed)
    steps = (epoch_samples or new) // (batch if epoch_samples else batch - slots)
    return Sampling(
        members, weights, replayed, batch, max(1, steps), slots, epoch_samples is not None
    )
