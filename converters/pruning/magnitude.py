"""Magnitude pruning with a polynomial sparsity schedule, fine-tuned and stripped.

Zhu and Gupta, "To prune, or not to prune" (arXiv 1710.01878): the smallest weights of each kernel
are held at zero, their share growing along equation 1, while the rest learn to do without them.

It buys compressed bytes, not latency: the sparse kernels of XNNPACK do not apply to a densely
connected network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow_model_optimization as tfmot
import tf_keras

from converters.fine_tune import TuningData, fine_tune
from converters.recipe import Pruning
from edgeseg.preprocessing import Preprocessing

# The first convolution has few weights and sees the raw picture; the last makes the only channel
# there is. Neither has weights to spare.
_KEPT_LAYERS = ("stem_conv", "head_conv")


def prune(
    model: Any,
    pruning: Pruning,
    data: TuningData,
    preprocessing: Preprocessing,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> Any:
    """A pruned copy of a segmenter; ``model`` stays as it is.

    Args:
        model: a ``tf_keras`` model from scaled RGB to a confidence mask.
        pruning: how much and how fast.
        data: what the rest of the weights learn from.
        preprocessing: the network's.
        seed: of the fine-tuning.
        on_progress: called with (steps done, steps in all).

    Returns:
        A plain ``tf_keras`` model without pruning wrappers.
    """
    options = pruning.fine_tuning
    steps_per_epoch = -(-len(data) // min(options.batch, len(data)))
    if options.steps_per_epoch is not None:
        steps_per_epoch = min(steps_per_epoch, options.steps_per_epoch)
    steps = steps_per_epoch * options.epochs
    end_step = max(1, round(steps * pruning.ramp))
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=pruning.initial_sparsity,
        final_sparsity=pruning.final_sparsity,
        begin_step=0,
        end_step=end_step,
        # Some twenty rises, whatever the number of steps; the last one must land on `end_step`.
        frequency=_divisor_near(end_step, end_step / 20),
    )

    def wrap(layer: Any) -> Any:
        if layer.name in _KEPT_LAYERS or not isinstance(layer, tf_keras.layers.Conv2D):
            return layer
        return tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=schedule)

    # Cloned first: wrapping takes the layers themselves, and training would change the original.
    wrapped = tf_keras.models.clone_model(_clone(model), clone_function=wrap)
    fine_tune(
        wrapped,
        data,
        preprocessing,
        options,
        seed,
        callbacks=[tfmot.sparsity.keras.UpdatePruningStep()],
        on_progress=on_progress,
    )
    # Cloned last: the stripped layers still belong to the wrapped graph as well, and a later step
    # that asks one for its output would get that graph's.
    return _clone(tfmot.sparsity.keras.strip_pruning(wrapped))


def _clone(model: Any) -> Any:
    copy = tf_keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def _divisor_near(number: int, wanted: float) -> int:
    divisors = [d for d in range(1, number + 1) if number % d == 0]
    return min(divisors, key=lambda d: abs(d - wanted))
