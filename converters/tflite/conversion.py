"""From a ``tf_keras`` model to TFLite bytes, and a look into those bytes."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema

from converters.recipe import Activations, Quantization
from edgeseg.errors import ModelContractError
from edgeseg.preprocessing import Preprocessing

_WEIGHT_DTYPES = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.INT8: np.int8,
}
_STATIC_KERNELS = {
    "int8": tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
    "int16": tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
}


@dataclass(frozen=True)
class Anatomy:
    """What a TFLite model is made of.

    Attributes:
        operations: how many there are of each.
        sparsity: share of zeros among the weights (constant tensors of two dimensions or more).
        input_bytes: whether the input is uint8.
        input_scale, input_zero_point: real value = scale * (byte - zero point); 1 and 0 for float.
    """

    operations: dict[str, int]
    sparsity: float
    input_bytes: bool
    input_scale: float
    input_zero_point: int

    def takes_bytes(self, preprocessing: Preprocessing) -> bool:
        """Whether a resized photo's bytes are the model's input just as they are."""
        if not self.input_bytes:
            return False
        every_byte = np.arange(256, dtype=np.uint8)
        steps = preprocessing.normalized(every_byte) / self.input_scale + self.input_zero_point
        return bool(np.array_equal(np.rint(steps), every_byte))


def to_tflite(
    model: Any,
    quantization: Quantization,
    calibration: NDArray[np.float32] | None = None,
    activations: Activations = "int8",
) -> bytes:
    """Converts a model of one picture in, one tensor out.

    Args:
        model: a ``tf_keras`` model of ``(N, S, S, 3)`` float32; with simulated quantization for
            ``aware``.
        quantization: see :class:`converters.recipe.Recipe`.
        calibration: ``(N, S, S, 3)`` float32 scaled pictures; needed for ``static``.
        activations: of ``static``.

    Returns:
        A model of batch 1. With int8 activations its input is uint8 and its output uint8
        (confidences) or int8 (anything else); otherwise both are float32.

    Raises:
        ModelContractError: TensorFlow cannot convert it.
        ValueError: ``static`` without calibration.
    """
    side = model.input_shape[1]
    signature = tf.TensorSpec((1, side, side, 3), tf.float32, name="image")
    function = tf.function(lambda image: model(image, training=False)).get_concrete_function(
        signature
    )
    converter = converter_of(function)
    if quantization != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization in ("static", "aware") and activations == "int8":
        converter.inference_input_type = tf.uint8
        is_confidence = len(model.output_shape) == 4
        converter.inference_output_type = tf.uint8 if is_confidence else tf.int8
    if quantization == "static":
        if calibration is None or not len(calibration):
            raise ValueError("static quantization needs calibration pictures")
        pictures = calibration
        # No float fallback. (After simulated quantization every range is in the graph already, and
        # asking for this would ask for a calibration.)
        converter.target_spec.supported_ops = [_STATIC_KERNELS[activations]]
        converter.representative_dataset = lambda: ([p[None]] for p in pictures)
    return converted(converter, "TensorFlow")


def converter_of(function: Any) -> Any:
    """A ``tf.lite.TFLiteConverter`` of a concrete function, to be set up."""
    # The converter saves the object beside the function as a SavedModel, and a Keras model traces
    # each of its layers several times for that; the function needs no more than its variables.
    keeper = tf.Module()
    keeper.kept = list(function.variables)
    return tf.lite.TFLiteConverter.from_concrete_functions([function], keeper)


def converted(converter: Any, by: str) -> bytes:
    """What a ``tf.lite.TFLiteConverter`` makes, without its warnings.

    Args:
        converter: set up.
        by: whose way it is, for the message.

    Raises:
        ModelContractError: it cannot convert the network.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bytes(converter.convert())
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines() or ["unknown reason"]
        raise ModelContractError(f"{by} cannot convert the network: {reason[0]}") from error


def anatomy(model: bytes) -> Anatomy:
    """Counts a TFLite model's operations and the zeros among its weights."""
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}
    parsed = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    operations: Counter[str] = Counter()
    zeros = weights = 0
    for graph in parsed.subgraphs:
        for operator in graph.operators:
            code = parsed.operatorCodes[operator.opcodeIndex]
            # Codes below 127 are stored in the older, narrower field.
            operations[names[max(code.builtinCode, code.deprecatedBuiltinCode)]] += 1
        for tensor in graph.tensors:
            data = parsed.buffers[tensor.buffer].data
            dtype = _WEIGHT_DTYPES.get(tensor.type)
            if dtype is not None and data is not None and len(tensor.shape) >= 2:
                values = np.frombuffer(bytes(data), dtype)
                # Weights are quantized symmetrically: an int8 zero is a real zero.
                zeros += int(np.count_nonzero(values == 0))
                weights += values.size
    main = parsed.subgraphs[0]
    given = main.tensors[main.inputs[0]]
    quantized = given.quantization is not None and given.quantization.scale is not None
    return Anatomy(
        operations=dict(sorted(operations.items())),
        sparsity=zeros / weights if weights else 0.0,
        input_bytes=given.type == schema.TensorType.UINT8,
        input_scale=float(given.quantization.scale[0]) if quantized else 1.0,
        input_zero_point=int(given.quantization.zeroPoint[0]) if quantized else 0,
    )
