"""Start weights for a teacher's encoder, read out of a converted MobileNet v1.

A published classifier in uint8 holds its weights to a 255th of their range: near enough to start
from. Batch normalization is folded into them.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from edgeseg.errors import ModelContractError
from edgeseg.files import read_bounded
from edgeseg.interpreter import Interpreter
from edgeseg.limits import MAX_BUNDLE_BYTES
from edgeseg.training.checkpoint import Weights

# TensorFlow's own names: MobilenetV1/Conv2d_3_pointwise/weights, .../biases and their like.
_LAYER = re.compile(r"MobilenetV1/Conv2d_(\d+)(_depthwise|_pointwise)?/")


def mobilenet_encoder(path: Path, weights: Weights) -> Weights:
    """Weights of a ``MobileNetUNet`` with the encoder taken from a classifier.

    Args:
        path: a ``.tflite`` MobileNet v1 of width 1.0.
        weights: the network's, as initialised.

    Returns:
        A copy with each ``encoder...`` array replaced.

    Raises:
        ModelContractError: ``path`` lacks an array of the encoder, or holds one of another shape.
        EdgesegError: ``path`` cannot be read.
    """
    found = encoder_arrays(path)
    taken: Weights = dict(weights)
    for name in (name for name in weights if name.startswith("encoder")):
        if name not in found or found[name].shape != weights[name].shape:
            raise ModelContractError(
                f"{path}: is no MobileNet v1 of width 1.0: {name} of shape {weights[name].shape} "
                "is not in it"
            )
        taken[name] = found[name]
    return taken


def encoder_arrays(path: Path) -> Weights:
    """What a converted MobileNet v1 holds of a ``MobileNetUNet``'s encoder, by the latter's names.

    A model that was cut for another use may lack the last layers.

    Args:
        path: a ``.tflite`` MobileNet v1.

    Raises:
        EdgesegError: ``path`` cannot be read.
    """
    found: Weights = {}
    for name, values in Interpreter(read_bounded(path, MAX_BUNDLE_BYTES, "encoder")).constants():
        layer = _LAYER.search(name)
        if layer is None or values.ndim not in (1, 4):
            continue
        kind = "bias" if values.ndim == 1 else "kernel"
        # (out, h, w, in) and, depthwise, (1, h, w, channels): Keras keeps the first axis last.
        array = values if kind == "bias" else np.transpose(values, (1, 2, 3, 0))
        found[f"encoder{layer[1]}{layer[2] or '_conv'}/{kind}"] = np.ascontiguousarray(array)
    return found
