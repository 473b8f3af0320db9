"""The second look: labels damaged on purpose must stand at the head of its list."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgeseg.evaluation.labelled import pairs_of_split
from edgeseg.evaluation.segmentation import read_pair
from edgeseg.labelling.second_look import opinion_of, second_look
from edgeseg.postprocess import SegmenterOptions
from edgeseg.segmenter import Segmenter
from tests.verify.damage import damage
from tests.verify.figure import Check, Figure, NotMeasuredError
from tests.verify.quality import SNAPSHOTS
from tests.verify.workbench import Workbench

NAMES = ("second_look",)
_HEAD = 0.2
_TRAIN_SEEDS = range(3)
# Of 50 photos a tenth is five: only over many draws does a share say something.
_VAL_SEEDS = range(40)
_FOLDS = 3


def checks(bench: Workbench) -> list[Check]:
    """All of them, bound to a workbench."""
    return [
        Check(
            "second_look",
            (
                Figure("snapshots train, 10% damaged: share in the first 20%", ">=", 0.8),
                Figure("the same on val, whose masks taught the network nothing", "told"),
                Figure("the same on train, a network that learnt from the damaged labels", "told"),
            ),
            partial(_measured, bench),
        )
    ]


def found_early(
    confidences: Sequence[NDArray[np.float32]], masks: Sequence[NDArray[np.bool_]], seed: int
) -> list[bool]:
    """Of each mask damaged from a seed, whether it stands in the first fifth of the list."""
    damaged, kinds = damage(masks, seed)
    return _early(confidences, damaged, list(kinds))


def _early(
    confidences: Sequence[NDArray[np.float32]],
    labels: Sequence[NDArray[np.bool_]],
    damaged: Sequence[int],
) -> list[bool]:
    opinions = [opinion_of(c, label) for c, label in zip(confidences, labels, strict=True)]
    suspicions = second_look(opinions)
    order = sorted(
        range(len(labels)), key=lambda index: (-suspicions[index].score, suspicions[index].iou)
    )
    head = set(order[: round(_HEAD * len(order))])
    return [index in head for index in damaged]


def _measured(bench: Workbench) -> Sequence[float]:
    (table,) = bench.need(SNAPSHOTS)
    segmenter = Segmenter(bench.open_bundle(), options=SegmenterOptions(flip=True))
    shares = []
    for split, seeds in (("train", _TRAIN_SEEDS), ("val", _VAL_SEEDS)):
        read = [read_pair(pair) for pair in pairs_of_split(table, split).pairs]
        masks = [mask for _, mask in read]
        confidences = [segmenter.network_confidence(photo) for photo, _ in read]
        found = [early for seed in seeds for early in found_early(confidences, masks, seed)]
        shares.append(float(np.mean(found)))
        if split == "train":
            learnt = _out_of_fold(bench, masks)
    return [*shares, learnt]


def _out_of_fold(bench: Workbench, masks: Sequence[NDArray[np.bool_]]) -> float:
    """The share for a network that learns from the damaged labels of the other photographs.

    Each third of the photographs is looked at by a small network that learnt from the labels of the
    other two thirds, a tenth of them damaged: what a label set can do that has no other network.
    """
    from tests.verify import active_order

    try:
        from tests.verify.frozen_features import targets_of
        from tests.verify.small_head import SmallHead
    except ModuleNotFoundError as error:
        raise NotMeasuredError(f"{error.name} is not installed") from error
    features = active_order.frozen_photos(bench.data).train
    head = SmallHead(features, active_order.STEPS)
    labels, kinds = damage(masks, seed=0)
    targets = targets_of(labels)
    places = np.arange(len(labels))
    confidences: dict[int, NDArray[np.float32]] = {}
    for fold in range(_FOLDS):
        head.train(features, targets, places[places % _FOLDS != fold], seed=fold)
        unseen = places[places % _FOLDS == fold]
        plain, mirrored = head.predict(features, unseen)
        confidences |= dict(zip(unseen.tolist(), (plain + mirrored) / 2, strict=True))
    return float(np.mean(_early([confidences[i] for i in places.tolist()], labels, list(kinds))))
