"""Which layer is to blame: a converted network's error, layer by layer."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

# A layer without error would have an infinite ratio, which neither sorts nor prints well.
_MAX_SNR_DB = 99.0


@dataclass(frozen=True)
class LayerError:
    """How a layer's output differs between the two networks.

    Attributes:
        layer: its name.
        snr_db: signal-to-noise ratio of its output, in dB: 10 log10(sum f^2 / sum (f - c)^2).
        added_noise: noise-to-signal ratio of its output, less the largest of its inputs: what this
            layer itself added.
    """

    layer: str
    snr_db: float
    added_noise: float


def layer_errors(
    float_model: bytes,
    converted_model: bytes,
    layers: Sequence[str],
    batches: Sequence[NDArray[np.float32]],
) -> list[LayerError]:
    """Each layer's error, the one that adds the most first.

    Tensors are matched by the layer whose name they carry; a layer that the converter merged away
    in one of the two networks is left out.

    Args:
        float_model: TFLite bytes.
        converted_model: TFLite bytes of the same architecture.
        layers: the layers' names.
        batches: ``(1, S, S, 3)`` float32 inputs.
    """
    expected, actual = _Inspector(float_model, layers), _Inspector(converted_model, layers)
    signal: dict[str, float] = {}
    noise: dict[str, float] = {}
    for batch in batches:
        wanted, got = expected.outputs(batch), actual.outputs(batch)
        for layer in wanted.keys() & got.keys():
            if wanted[layer].shape == got[layer].shape:
                power, error = wanted[layer], wanted[layer] - got[layer]
                signal[layer] = signal.get(layer, 0.0) + float(np.sum(power * power))
                noise[layer] = noise.get(layer, 0.0) + float(np.sum(error * error))
    ratios = {layer: noise[layer] / max(signal[layer], 1e-12) for layer in signal}
    found = []
    for layer, ratio in ratios.items():
        inherited = max((ratios.get(i, 0.0) for i in expected.inputs_of(layer)), default=0.0)
        snr_db = min(_MAX_SNR_DB, -10 * float(np.log10(max(ratio, 1e-12))))
        found.append(LayerError(layer, snr_db, max(0.0, ratio - inherited)))
    return sorted(found, key=lambda error: (-error.added_noise, error.snr_db, error.layer))


class _Inspector:
    """A TFLite model run so that every tensor in between can be read."""

    def __init__(self, model: bytes, layers: Sequence[str]) -> None:
        self.model = model
        resolvers = tf.lite.experimental.OpResolverType
        with warnings.catch_warnings():
            # It asks to use ai-edge-litert, which is no dependency on every platform.
            warnings.simplefilter("ignore")
            self.native = tf.lite.Interpreter(
                model_content=model,
                experimental_preserve_all_tensors=True,
                # XNNPACK, the default delegate, keeps its tensors to itself.
                experimental_op_resolver_type=resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
        self.native.allocate_tensors()
        self.details = {d["index"]: d for d in self.native.get_tensor_details()}
        known = set(layers)
        self.layer_of: dict[int, str] = {}
        self.operations = self.native._get_ops_details()
        for operation in self.operations:
            for index in operation["outputs"]:
                layer = layer_named(self.details[index]["name"], known)
                if layer is not None:
                    self.layer_of[index] = layer

    def outputs(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Each layer's output in real values; of a layer's several tensors, the last."""
        given = self.native.get_input_details()[0]
        self.native.set_tensor(given["index"], _quantized(batch, given))
        self.native.invoke()
        return {
            layer: _dequantized(self.native.get_tensor(index), self.details[index])
            for index, layer in self.layer_of.items()
        }

    def inputs_of(self, layer: str) -> set[str]:
        """The layers whose outputs a layer takes."""
        taken = {
            self.layer_of[index]
            for operation in self.operations
            if any(self.layer_of.get(output) == layer for output in operation["outputs"])
            for index in operation["inputs"]
            if index in self.layer_of
        }
        return taken - {layer}


def layer_named(tensor_name: str, layers: set[str]) -> str | None:
    """The layer that a tensor's name speaks of.

    The converter joins the names of what it merged by semicolons, the outermost first, as in
    ``tiramisu/stem_relu/Relu6;tiramisu/stem_bn/FusedBatchNormV3;tiramisu/stem_conv/Conv2D``.
    """
    for part in tensor_name.replace(";", "/").split("/"):
        name = part.removeprefix("quant_")
        if name in layers:
            return name
    return None


def _quantized(batch: NDArray[np.float32], details: dict[str, Any]) -> NDArray[Any]:
    dtype = np.dtype(details["dtype"])
    if dtype == np.float32:
        return batch
    scale, zero_point = details["quantization"]
    bounds = np.iinfo(dtype)
    steps = np.rint(batch / scale) + zero_point
    return np.asarray(np.clip(steps, bounds.min, bounds.max), dtype=dtype)


def _dequantized(values: NDArray[Any], details: dict[str, Any]) -> NDArray[np.float32]:
    scale, zero_point = details["quantization"]
    if values.dtype == np.float32 or scale == 0:
        return np.asarray(values, dtype=np.float32)
    real = (values.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
    return np.asarray(real, dtype=np.float32)
