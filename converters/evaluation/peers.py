"""Other tools' int8 of the same float network, to measure one's own conversion against.

Both are used as their guides have it, without anything that edgeseg knows of its networks.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from converters.tflite.conversion import converted
from edgeseg.errors import MissingExtraError, ModelContractError
from edgeseg.runtime import load_model


def tf_lite_int8(model: Any, calibration: NDArray[np.float32]) -> bytes:
    """Plain post-training int8 of ``tf.lite``: full integer quantization, bytes in and bytes out.

    Args:
        model: a ``tf_keras`` model of ``(N, S, S, 3)`` float32 scaled pictures.
        calibration: ``(N, S, S, 3)`` float32 scaled pictures.

    Returns:
        TFLite bytes.

    Raises:
        ModelContractError: TensorFlow cannot convert it.
    """
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([picture[None]] for picture in calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
    return converted(converter, "tf.lite")


def ai_edge_quantizer_int8(float_model: bytes, calibration: NDArray[np.float32]) -> bytes:
    """``ai-edge-quantizer``'s ``static_wi8_ai8``: int8 weights a channel, int8 activations.

    Args:
        float_model: TFLite bytes, trusted, of one input ``(1, S, S, 3)`` float32.
        calibration: ``(N, S, S, 3)`` float32 scaled pictures.

    Returns:
        TFLite bytes of int8 input and output.

    Raises:
        MissingExtraError: the package is not installed.
        ModelContractError: it cannot quantize the network.
    """
    try:
        from ai_edge_quantizer import quantizer, recipe
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{error.name} is not installed: pip install 'edgeseg[peers]'"
        ) from error
    signatures = load_model(float_model)[0].get_signature_list()
    if not signatures:
        raise ModelContractError("ai-edge-quantizer needs a model with a signature")
    key, names = next(iter(signatures.items()))
    samples = [{names["inputs"][0]: picture[None]} for picture in calibration]
    try:
        # It draws a progress bar, and warns of the memory that calibration takes.
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            peer = quantizer.Quantizer(bytearray(float_model), recipe.static_wi8_ai8())
            ranges = peer.calibrate({key: samples}, num_threads=1)
            quantized = peer.quantize(ranges, enable_progress_report=False)
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines() or ["unknown reason"]
        raise ModelContractError(
            f"ai-edge-quantizer cannot quantize the network: {reason[0]}"
        ) from error
    return bytes(quantized.quantized_model)
