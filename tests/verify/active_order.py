"""The order of labelling against chance: validation IoU against labels, with known masks as oracle.

A small network starts from 20 labels of `snapshots` train, and each further batch is chosen either
at random or as `edgeseg label next` chooses, by what the network trained so far is unsure of. Its
encoder has seen ImageNet and no mask; so that a training takes seconds, only its head learns. The
photos' embeddings are the default bundle's. GrabCut and other presets are not asked: the presets
have learnt these very masks.

Each point is kept as soon as it is measured, under the digest of all that decides it. `python -m
tests.verify.active_order` measures what is missing and prints the curves.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgeseg.cli.console import print_table
from edgeseg.embedder import Embedder
from edgeseg.evaluation.labelled import pairs_of_split
from edgeseg.evaluation.segmentation import read_pair
from edgeseg.files import write_atomic
from edgeseg.labelling import order as ordering
from tests.verify.figure import Check, Figure, NotMeasuredError
from tests.verify.quality import SNAPSHOTS
from tests.verify.workbench import REPOSITORY, Workbench

NAMES = ("active_order",)
ENCODER = "../peers/mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"
# Kept between runs, for a curve takes minutes.
KEPT = REPOSITORY / "build" / "active-order"

Order = Literal["random", "active"]
ORDERS: tuple[Order, ...] = ("random", "active")
SEEDS = (0, 1, 2)
# To the last label of all: there both orders have labelled the same photos.
COUNTS = (20, 60, 100, 140, 180, 240, 320, 540)
STEPS = 150
_BAR = 0.6
_EARLY = 180


@dataclass(frozen=True, eq=False)
class Photos:
    """What a curve is measured on; see :mod:`tests.verify.frozen_features`."""

    train: Any
    val: Any
    embeddings: NDArray[np.float32]


def checks(bench: Workbench) -> list[Check]:
    """All of them, bound to a workbench."""
    return [
        Check(
            "active_order",
            (
                Figure(f"snapshots val IoU after {_EARLY} labels, random order", "told"),
                Figure(f"snapshots val IoU after {_EARLY} labels, active order", "told"),
                Figure(f"snapshots val IoU after all {COUNTS[-1]} labels", "told"),
                Figure("share of the labels to that IoU, random order", "told", form="{:.2f}"),
                Figure("share of the labels to that IoU, active order", "<=", _BAR, "{:.2f}"),
            ),
            partial(_measured, bench),
        )
    ]


def share_of_labels(counts: Sequence[int], goal: float, reached: Sequence[float]) -> float:
    """The share of all labels from which on a curve has reached an IoU.

    Between two points the curve is a straight line, which may be crossed in the middle.

    Args:
        counts: numbers of labels, growing.
        goal: the IoU.
        reached: mean IoU at each of ``counts``.

    Returns:
        At most 1; infinity where the goal is not reached at all.
    """
    for place, value in enumerate(reached):
        if value >= goal:
            if place == 0:
                return counts[0] / counts[-1]
            before = reached[place - 1]
            part = (goal - before) / (value - before)
            crossed = counts[place - 1] + part * (counts[place] - counts[place - 1])
            return float(crossed) / counts[-1]
    return float("inf")


def _measured(bench: Workbench) -> Sequence[float]:
    bench.need("segmentation/snapshots")  # points kept from before are no measurement of nothing
    curves = measure(bench.data)
    random, active = (np.mean(curves[order], axis=0).tolist() for order in ORDERS)
    early = COUNTS.index(_EARLY)
    shares = [share_of_labels(COUNTS, random[-1], curve) for curve in (random, active)]
    return [random[early], active[early], random[-1], *shares]


def measure(data: Path) -> dict[Order, list[list[float]]]:
    """Validation IoU at each of ``COUNTS``, by order and seed.

    Raises:
        NotMeasuredError: the photographs, the encoder or the ``train`` extra are absent.
    """
    try:
        from tests.verify.small_head import SmallHead
    except ModuleNotFoundError as error:
        raise NotMeasuredError(f"{error.name} is not installed") from error
    bench = _Measurement(data, SmallHead)
    return {
        order: [[bench.point(order, seed, n)["iou"] for n in COUNTS] for seed in SEEDS]
        for order in ORDERS
    }


class _Measurement:
    """Points of the curves, read where they are kept, else measured."""

    def __init__(self, data: Path, head: Any) -> None:
        self.data = data
        self.head_class = head
        from tests.verify import frozen_features, small_head

        parts = [inspect.getsource(each) for each in (frozen_features, small_head, ordering)]
        parts += [inspect.getsource(_doubts), str((STEPS, COUNTS))]
        self.digest = hashlib.sha256("".join(parts).encode()).hexdigest()[:12]

    def point(self, order: Order, seed: int, count: int) -> dict[str, Any]:
        """IoU with so many labels, and those that come next; JSON types."""
        # Both start with the same labels, and end with all.
        shared = "start" if count == COUNTS[0] else "all" if count == COUNTS[-1] else order
        name = f"{self.digest}-{shared}-{seed}-{count}.json"
        if (KEPT / name).is_file():
            kept: dict[str, Any] = json.loads((KEPT / name).read_text())
            return kept
        chosen = self._labels(order, seed, count)
        features = self.photos.train
        self.head.train(features, features.targets, chosen, seed)
        point: dict[str, Any] = {
            "iou": self.head.iou(self.photos.val, np.arange(len(self.photos.val.masks))),
            "labels": chosen.tolist(),
        }
        if count != COUNTS[-1]:
            more = COUNTS[COUNTS.index(count) + 1] - count
            left = np.setdiff1d(np.arange(len(features.masks)), chosen)
            rng = np.random.default_rng([seed, count])
            choices = {
                "random": lambda: rng.permutation(left)[:more],
                "active": lambda: left[self._active(left, chosen, more)],
            }
            wanted = ORDERS if count == COUNTS[0] else (order,)
            point["next"] = {each: choices[each]().tolist() for each in wanted}
        write_atomic(KEPT / name, json.dumps(point).encode())
        sys.stderr.write(f"{order}, seed {seed}, {count} labels: IoU {point['iou']:.4f}\n")
        return point

    def _labels(self, order: Order, seed: int, count: int) -> NDArray[np.int64]:
        if count == COUNTS[0]:
            total = len(self.photos.train.masks)
            return np.random.default_rng(seed).permutation(total)[:count]
        if count == COUNTS[-1]:
            return np.arange(count)
        before = self.point(order, seed, COUNTS[COUNTS.index(count) - 1])
        return np.array([*before["labels"], *before["next"][order]])

    def _active(self, left: NDArray[np.int64], chosen: NDArray[np.int64], count: int) -> list[int]:
        doubts = _doubts(*self.head.predict(self.photos.train, left))
        vectors = self.photos.embeddings
        picks = ordering.label_order(doubts, vectors[left], count, vectors[chosen])
        return [pick.index for pick in picks]

    @functools.cached_property
    def head(self) -> Any:
        """The network, compiled once."""
        return self.head_class(self.photos.train, STEPS)

    @functools.cached_property
    def photos(self) -> Photos:
        """What the curves are measured on."""
        return frozen_photos(self.data)


def frozen_photos(data: Path) -> Photos:
    """The photographs of `snapshots`, read where their features are kept, else computed.

    Raises:
        NotMeasuredError: they, or the encoder, are not on this machine.
    """
    from tests.verify import frozen_features

    for path in (data / SNAPSHOTS, data / ENCODER):
        if not path.exists():
            raise NotMeasuredError(f"{path} is not on this machine")
    KEPT.mkdir(parents=True, exist_ok=True)
    stem = hashlib.sha256(inspect.getsource(frozen_features).encode()).hexdigest()[:12]
    paths = {split: KEPT / f"{stem}-{split}.npz" for split in ("train", "val")}
    vectors = KEPT / f"{stem}-embeddings.npy"
    if not all(path.is_file() for path in (*paths.values(), vectors)):
        components = None
        for split, path in paths.items():
            pairs = pairs_of_split(data / SNAPSHOTS, split).pairs
            read = [read_pair(pair) for pair in pairs]
            images, masks = [photo for photo, _ in read], [mask for _, mask in read]
            features, components = frozen_features.features_of(
                images, masks, data / ENCODER, components
            )
            frozen_features.save(features, path)
            if split == "train":
                embedder = Embedder()
                np.save(vectors, np.stack([embedder.embed(image) for image in images]))
    return Photos(
        frozen_features.load(paths["train"]), frozen_features.load(paths["val"]), np.load(vectors)
    )


def _doubts(plain: NDArray[np.float32], mirrored: NDArray[np.float32]) -> NDArray[np.float64]:
    """The doubt about each photo, of the signals that a network alone can give."""
    return ordering.combined_doubts(
        [
            {
                "loss": ordering.expected_loss((one + other) / 2),
                "flip": ordering.disagreement(one, other),
            }
            for one, other in zip(plain, mirrored, strict=True)
        ]
    )


def main() -> int:
    """Measure what is missing, and print the curves."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY.parent / "shared" / "data"
    curves = measure(data)
    rows = [
        (order, *(f"{value:.4f}" for value in np.mean(curves[order], axis=0))) for order in ORDERS
    ]
    print_table(("order", *map(str, COUNTS)), rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
