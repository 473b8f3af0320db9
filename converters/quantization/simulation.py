"""Simulated quantization: a network that rounds as its int8 twin will.

tfmot's default 8-bit scheme is made for chains of layers. In a densely connected network it
leaves out the ranges of intermediate concatenations, and its moving averages start at [-6, 6] and
move by a thousandth a step. Here every range is fixed before the first step instead:

* the input has the range of a byte, so that a photo's pixels are the model's input as they are;
* activations that a concatenation joins have one range (see ``ranges``), so int8 concatenation
  rescales nothing;
* the logits have the range that the float network shows on the representative set.

Converted at once, the ranges are all that has changed; trained first, the network learns to live
with the rounding. Simulated quantization after Jacob et al., "Quantization and Training of Neural
Networks for Efficient Integer-Arithmetic-Only Inference" (arXiv 1712.05877, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras
from tensorflow_model_optimization.python.core.quantization.keras import quantizers
from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
    default_8bit_quantize_configs as configs,
)
from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
    default_8bit_quantize_registry as registry,
)
from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
    default_8bit_quantize_scheme as scheme,
)
from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
    default_8bit_transforms as transforms,
)
from tensorflow_model_optimization.python.core.quantization.keras.graph_transformations import (
    model_transformer,
)

from converters.quantization.ranges import Ranges, check_foldable
from edgeseg.preprocessing import Preprocessing

# TFLite's int8 sigmoid has this range and no other.
_CONFIDENCE_RANGE = (0.0, 255 / 256)


def simulate_int8(model: Any, preprocessing: Preprocessing, ranges: Ranges) -> Any:
    """A copy of a segmenter with simulated int8 weights and activations.

    Args:
        model: a ``tf_keras`` Tiramisu of Conv-BN-ReLU layers that ends in a sigmoid.
        preprocessing: the network's.
        ranges: of every ReLU and of the logits, see ``ranges.shared_ranges``.

    Returns:
        A ``tf_keras`` model to convert or to fine-tune; batch normalization is frozen, so that it
        folds as it is.

    Raises:
        ModelContractError: a layer has no int8 counterpart here (see
            :func:`converters.quantization.ranges.check_foldable`).
    """
    check_foldable(model)

    def annotate(layer: Any) -> Any:
        config: Any = configs.NoOpQuantizeConfig()
        if isinstance(layer, tf_keras.layers.ReLU):
            config = FixedRangeConfig(*ranges[layer.name])
        elif isinstance(layer, tf_keras.layers.Activation):
            config = FixedRangeConfig(*_CONFIDENCE_RANGE)
        elif isinstance(layer, tf_keras.layers.Conv2D):
            config = KernelConfig(ranges.get(layer.name))
        # tfmot has no quantizer with a scale for each channel of a depthwise kernel, and one scale
        # for all is coarser than the converter's: those kernels are rounded by the converter alone.
        return tfmot.quantization.keras.quantize_annotate_layer(layer, quantize_config=config)

    with tfmot.quantization.keras.quantize_scope(
        {kind.__name__: kind for kind in (FixedRangeConfig, KernelConfig)}
    ):
        # Cloned first: annotating takes the layers themselves.
        copy = tf_keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        annotated = tf_keras.models.clone_model(copy, clone_function=annotate)
        quantized = tfmot.quantization.keras.quantize_apply(
            annotated, scheme=_Scheme(preprocessing)
        )
    for layer in quantized.layers:
        inner = getattr(layer, "layer", layer)
        if isinstance(inner, tf_keras.layers.BatchNormalization):
            inner.trainable = False
    # A kernel's range is set when it is used in training; until then it is [-6, 6]. With batch
    # normalization frozen, this pass changes nothing else.
    quantized(np.zeros((1, *model.input_shape[1:]), np.float32), training=True)
    return quantized


class FixedRangeConfig(configs.Default8BitOutputQuantizeConfig):
    """Quantizes a layer's output in a range that is known beforehand."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__(quantize_output=True)
        self.low, self.high = low, high

    def get_output_quantizers(self, layer: Any) -> list[Any]:  # noqa: ARG002 - the signature of tfmot
        """One quantizer of a fixed range."""
        return [_fixed(self.low, self.high)] if self.quantize_output else []

    def get_config(self) -> dict[str, Any]:
        """As JSON types, for cloning."""
        return {"low": self.low, "high": self.high}


class KernelConfig(registry.Default8BitConvQuantizeConfig):
    """A convolution's kernel per channel, and its output only where it has a range of its own.

    Most have none: what follows them, batch normalization and ReLU, is folded into them.
    """

    def __init__(self, output_range: Sequence[float] | None) -> None:
        super().__init__(["kernel"], ["activation"], False)
        self.output_range = output_range

    def get_activations_and_quantizers(self, layer: Any) -> list[Any]:  # noqa: ARG002 - as above
        """None: the activation is linear."""
        return []

    def set_quantize_activations(self, layer: Any, quantize_activations: Any) -> None:
        """Nothing to set."""
        del layer, quantize_activations

    def get_output_quantizers(self, layer: Any) -> list[Any]:  # noqa: ARG002 - as above
        """One quantizer of a fixed range, or none."""
        return [] if self.output_range is None else [_fixed(*self.output_range)]

    def get_config(self) -> dict[str, Any]:
        """As JSON types, for cloning."""
        return {"output_range": self.output_range}


class _InputTransform(transforms.InputLayerQuantize):
    """tfmot's, with the range of a byte instead of one that starts at [-6, 6] and only grows."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def replacement(self, match_layer: Any) -> Any:
        """The quantizer behind the input layer."""
        node = super().replacement(match_layer)
        # The name would count the networks of this process, and it goes into the bytes.
        node.layer["name"] = node.layer["config"]["name"] = "input_quantizer"
        node.layer["config"]["quantizer"] = tf_keras.utils.serialize_keras_object(
            _fixed(self.low, self.high)
        )
        return node


class _Scheme(scheme.Default8BitQuantizeScheme):
    """tfmot's default scheme with a fixed input range and without its rules for chains of layers.

    Every layer is told what to quantize; there is nothing left for rules to find.
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        ends = sorted((preprocessing.offset, 255 * preprocessing.scale + preprocessing.offset))
        self.low, self.high = ends

    def get_layout_transformer(self) -> Any:
        return self

    def get_quantize_registry(self) -> Any:
        return registry.Default8BitQuantizeRegistry()

    def apply(self, model: Any, layer_quantize_map: dict[str, Any]) -> Any:
        """As tfmot's layout transformation, see ``Default8BitQuantizeLayoutTransform.apply``."""
        rules = [_InputTransform(self.low, self.high)]
        return model_transformer.ModelTransformer(
            model, rules, set(layer_quantize_map), layer_quantize_map
        ).transform()


def _fixed(low: float, high: float) -> Any:
    return quantizers.FixedQuantizer(num_bits=8, init_min=low, init_max=high, narrow_range=False)
