"""Structured pruning: whole filters and dense layers go, in rounds, down to a budget.

A round measures the importance of every filter on real pictures (``importance``), takes the least
important for what they save (``selection``), cuts them out of every consumer (``surgery``), times
the int8 graph (``stand_in``), and lets the rest learn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import tf_keras

from converters.evaluation.latency import measure_latency
from converters.fine_tune import TuningData, fine_tune
from converters.pruning.cost import Array, Cost
from converters.pruning.importance import frames, taylor_importance
from converters.pruning.selection import Goal, Importance, select
from converters.pruning.stand_in import int8_stand_in
from converters.pruning.surgery import check_prunable, shrink
from converters.pruning.wiring import trace
from converters.recipe import FineTuning, StructuredPruning
from edgeseg.training.checkpoint import Checkpoint, get_weights, load_checkpoint
from edgeseg.training.dataset import load_dataset

OnProgress = Callable[[str, int, int], None]
_INVOCATIONS = 30
_MOST_MEASUREMENTS = 8
# New minima above this share of the old ones end the measuring.
_STEADY = 0.99
# How often a round's estimate is corrected by what was measured, before it is let be.
_CORRECTIONS = 5
# Longer sides are shrunk to this many times the network's input before they are varied.
_OVERSIZE = 2


@dataclass(frozen=True)
class PruningRound:
    """What one round left.

    Attributes:
        latency_ms: of the int8 graph, the quickest invocation, one thread.
        ratio: that latency as a share of the unpruned network's, measured in turn with it.
        estimated_ratio: the same by the model that chose the filters.
        parameters: weights.
        filters: how many filters this round removed.
        layers: the dense layers that it removed.
    """

    latency_ms: float
    ratio: float
    estimated_ratio: float
    parameters: int
    filters: int
    layers: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {**asdict(self), "layers": list(self.layers)}


@dataclass(frozen=True)
class StructuredResult:
    """A pruned network and how it came about.

    Attributes:
        checkpoint: an ordinary one, whose ``run`` says what was done; it has no evaluation.
        parameters_before: weights of the unpruned network.
        rounds: one at least, in order.
    """

    checkpoint: Checkpoint
    parameters_before: int
    rounds: tuple[PruningRound, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, for the report."""
        return {
            "parameters_before": self.parameters_before,
            "rounds": [done.to_dict() for done in self.rounds],
        }

    def text(self) -> str:
        """What it bought, in one line."""
        last = self.rounds[-1]
        layers = sum(len(done.layers) for done in self.rounds)
        return (
            f"{sum(done.filters for done in self.rounds)} filters and {layers} whole layers "
            f"removed: latency {last.ratio:.2f}x ({last.latency_ms:.1f} ms), weights "
            f"{self.parameters_before:,} to {last.parameters:,}"
        )


def prune_structured(
    checkpoint: Checkpoint,
    pruning: StructuredPruning,
    tuning: TuningData,
    seed: int,
    on_progress: OnProgress | None = None,
) -> StructuredResult:
    """Prunes a segmenter down to a budget.

    Args:
        checkpoint: of a Tiramisu of the ``conv_bn_relu`` order.
        pruning: the budget, the rounds and the fine-tuning between them.
        tuning: what importance is measured on, and what the rest learns from.
        seed: of the choice of pictures and of the fine-tuning.
        on_progress: called with (step, done, total).

    Raises:
        ModelContractError: filters cannot be removed from this network, or the budget is below
            what it can be cut to.
        ValueError: no budget is given.
    """
    tell: OnProgress = on_progress or (lambda _step, _done, _total: None)
    pruner = _Pruner(checkpoint, pruning)
    pictures, targets = frames(tuning, checkpoint.preprocessing, pruning.importance_pictures, seed)
    rounds: list[PruningRound] = []
    for index in range(pruning.rounds):
        name = f"pruning, round {index + 1} of {pruning.rounds}"
        wiring = trace(check_prunable(checkpoint), checkpoint.preprocessing.input_px)
        importance = taylor_importance(
            checkpoint, wiring, pictures, targets, _steps(tell, f"{name}: importance")
        )
        checkpoint, done = pruner.cut(checkpoint, importance, pruning.rounds - index)
        rounds.append(done)
        last = index + 1 == pruning.rounds
        options = (last and pruning.last_fine_tuning) or pruning.fine_tuning
        if pruning.fine_tuning is not None and options is not None:
            checkpoint = _learn(
                checkpoint, tuning, options, seed + index, _steps(tell, f"{name}: fine-tuning")
            )
    result = StructuredResult(checkpoint, pruner.parameters, tuple(rounds))
    record = {**checkpoint.run, "structured_pruning": {**asdict(pruning), **result.to_dict()}}
    return replace(result, checkpoint=replace(checkpoint, run=record))


def prune_checkpoint(
    source: Path,
    folders: list[Path],
    target: Path,
    pruning: StructuredPruning,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> StructuredResult:
    """Prunes a checkpoint file on labelled folders into another, without converting it.

    Args:
        source: a segmenter's checkpoint.
        folders: labelled photographs, see :mod:`edgeseg.training.dataset`.
        target: the checkpoint to write.
        pruning: see :func:`prune_structured`.
        seed: see :func:`prune_structured`.
        on_progress: called with (step, done, total).

    Raises:
        EdgesegError: a file or folder cannot be used; or see :func:`prune_structured`.
    """
    checkpoint = load_checkpoint(source)
    check_prunable(checkpoint)
    dataset = load_dataset(folders, _OVERSIZE * checkpoint.preprocessing.input_px)
    tuning = TuningData(f"{len(dataset.train)} labelled photographs", samples=dataset.train)
    result = prune_structured(checkpoint, pruning, tuning, seed, on_progress)
    result.checkpoint.save(target)
    return result


class _Pruner:
    """Cuts towards the budget, round by round; the unpruned network is what ratios refer to."""

    def __init__(self, checkpoint: Checkpoint, pruning: StructuredPruning) -> None:
        if pruning.share is pruning.latency_budget is pruning.max_parameters is None:
            raise ValueError("structured pruning needs a share, a latency budget or a bound")
        network = check_prunable(checkpoint)
        self.pruning = pruning
        self.input_px = checkpoint.preprocessing.input_px
        wiring = trace(network, self.input_px)
        cost = Cost(wiring)
        widths = cost.widths(wiring.widths)
        self.parameters = int(cost.parameters(widths))
        self.estimated_ms = float(cost.latency_ms(widths))
        self.original = int8_stand_in(network, self.input_px)
        # The measured share of the latency by the estimated one, as last seen.
        self.bias = 1.0

    def cut(
        self, checkpoint: Checkpoint, importance: Importance, rounds_left: int
    ) -> tuple[Checkpoint, PruningRound]:
        """One round's part of the way from the widths of now to the budget."""
        wiring = trace(check_prunable(checkpoint), self.input_px)
        cost = Cost(wiring)
        now = cost.widths(wiring.widths)
        budget = self.pruning.latency_budget
        ratio_now = float(cost.latency_ms(now)) / self.estimated_ms * self.bias
        step = None if budget is None else _towards(ratio_now, budget, rounds_left)
        for _ in range(_CORRECTIONS):
            goals = self._goals(cost, now, step, rounds_left)
            keep = select(cost, wiring.widths, importance, goals, self.pruning.granularity)
            left = {unit: int(mask.sum()) for unit, mask in keep.items()}
            widths = cost.widths({**wiring.widths, **left})
            estimated = float(cost.latency_ms(widths)) / self.estimated_ms
            smaller = shrink(checkpoint, keep)
            stand_in = int8_stand_in(check_prunable(smaller), self.input_px)
            before_ms, after_ms = _least_ms(self.original, stand_in)
            ratio = after_ms / before_ms
            self.bias = ratio / estimated
            if step is None or ratio <= step:
                break
        return smaller, PruningRound(
            latency_ms=after_ms,
            ratio=ratio,
            estimated_ratio=estimated,
            parameters=int(cost.parameters(widths)),
            filters=sum(int((~mask).sum()) for mask in keep.values()),
            layers=tuple(unit for unit, width in left.items() if not width),
        )

    def _goals(self, cost: Cost, now: Array, step: float | None, rounds_left: int) -> list[Goal]:
        goals = []
        if step is not None:
            goals.append(Goal(cost.latency_ms, step / self.bias * self.estimated_ms))
        if self.pruning.share is not None:
            limit = (1 - self.pruning.share) * self.estimated_ms
            limit = _towards(float(cost.latency_ms(now)), limit, rounds_left)
            goals.append(Goal(cost.latency_ms, limit))
        if self.pruning.max_parameters is not None:
            limit = self.pruning.max_parameters
            limit = _towards(float(cost.parameters(now)), limit, rounds_left)
            goals.append(Goal(cost.parameters, limit))
        return goals


def _least_ms(before: bytes, after: bytes) -> tuple[float, float]:
    """The quickest invocation of each, measured until more measuring changes little.

    On a busy machine an invocation is interrupted more often than not, and a ratio of medians tells
    of that alone.
    """
    least = (math.inf, math.inf)
    for _ in range(_MOST_MEASUREMENTS):
        found = measure_latency(before, after, _INVOCATIONS)
        new = (min(least[0], found.least_before_ms), min(least[1], found.least_after_ms))
        steady = all(n > _STEADY * old for n, old in zip(new, least, strict=True))
        least = new
        if steady:
            break
    return least


def _towards(now: float, end: float, rounds_left: int) -> float:
    """Where a round is to come: by equal factors, each takes the same share of what is left."""
    return (
        end if rounds_left == 1 else float(max(end, now * min(1.0, end / now) ** (1 / rounds_left)))
    )


def _learn(
    checkpoint: Checkpoint,
    tuning: TuningData,
    options: FineTuning,
    seed: int,
    on_progress: Callable[[int, int], None],
) -> Checkpoint:
    model = checkpoint.build(tf_keras, sigmoid=True)
    fine_tune(model, tuning, checkpoint.preprocessing, options, seed, on_progress=on_progress)
    return replace(checkpoint, weights=get_weights(model))


def _steps(tell: OnProgress, step: str) -> Callable[[int, int], None]:
    return lambda done, total: tell(step, done, total)
