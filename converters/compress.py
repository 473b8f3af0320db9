"""From a trained network to a compressed one, after a recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import tf_keras
from numpy.typing import NDArray

from converters.fine_tune import TuningData, fine_tune
from converters.quantization.equalize import equalize
from converters.quantization.islands import keep_float
from converters.quantization.ranges import shared_ranges
from converters.quantization.recalibrate import recalibrate_batch_norm
from converters.quantization.simulation import simulate_int8
from converters.recipe import Recipe
from converters.representative import calibration_input
from converters.tflite.conversion import to_tflite
from edgeseg.errors import ModelContractError
from edgeseg.preprocessing import Preprocessing

# The outputs of whole layers are in memory for all of them at once.
_MAX_RECALIBRATION_PICTURES = 128


@dataclass(frozen=True)
class Compressed:
    """A converted network.

    Attributes:
        model: TFLite bytes.
        ranges: of int8 activations: ``shared`` by the tensors that a concatenation joins, or
            ``calibrated`` tensor by tensor; None where activations are float.
    """

    model: bytes
    ranges: Literal["shared", "calibrated"] | None


def compress(
    model: Any,
    recipe: Recipe,
    preprocessing: Preprocessing,
    pictures: NDArray[np.uint8],
    tuning: Callable[[], TuningData],
    on_step: Callable[[int, int], None] | None = None,
) -> Compressed:
    """Quantizes and converts a segmenter; ``model`` stays as it is.

    Args:
        model: a ``tf_keras`` model from scaled RGB to a confidence mask.
        recipe: how; its pruning is not for here.
        preprocessing: the network's.
        pictures: ``(N, S, S, 3)`` uint8 RGB, the representative ones.
        tuning: what to learn from, asked for only if the recipe learns.
        on_step: called with (done, total) while it does.

    Raises:
        ModelContractError: the recipe does not apply to this network.
    """
    calibration = calibration_input(pictures, preprocessing)
    if recipe.recalibrate:
        copy = tf_keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        model = copy
        recalibrate_batch_norm(model, calibration[:_MAX_RECALIBRATION_PICTURES])
    if recipe.equalize:
        model = equalize(model, calibration)
    if recipe.quantization == "aware":
        # Asked for first: a network that has nothing to learn from is refused before the work.
        data = tuning()
        ranges = shared_ranges(model, calibration, to_ceiling=True)
        model = simulate_int8(model, preprocessing, ranges)
        fine_tune(model, data, preprocessing, recipe.fine_tuning, recipe.seed, on_progress=on_step)
        return Compressed(to_tflite(model, "aware"), "shared")
    if recipe.quantization != "static" or recipe.activations != "int8":
        converted = to_tflite(model, recipe.quantization, calibration, recipe.activations)
        return Compressed(converted, "calibrated" if recipe.quantization == "static" else None)
    compressed = _static(model, preprocessing, calibration)
    if recipe.float_layers:
        kept = keep_float(model, compressed.model, to_tflite(model, "none"), recipe.float_layers)
        compressed = replace(compressed, model=kept)
    return compressed


def _static(
    model: Any, preprocessing: Preprocessing, calibration: NDArray[np.float32]
) -> Compressed:
    """int8 with ranges that joined tensors share, where they can be stated; else TFLite's own."""
    try:
        ranges = shared_ranges(model, calibration)
    except ModelContractError:
        return Compressed(to_tflite(model, "static", calibration), "calibrated")
    return Compressed(to_tflite(simulate_int8(model, preprocessing, ranges), "aware"), "shared")
