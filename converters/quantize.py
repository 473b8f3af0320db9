"""Quantization-aware training: int8 simulated while the network learns to live with it.

tfmot's default 8-bit scheme is made for chains of layers. In a densely connected network it
leaves out the ranges of intermediate concatenations, and its moving averages start at [-6, 6] and
move by a thousandth a step. Here every range is fixed before the first step instead:

* the input has the range of a byte, so that a photo's pixels are the model's input as they are;
* every ReLU6 has [0, 6]; concatenation, pooling and nearest resize pass it on, so all tensors of
  the dense part share one scale and int8 concatenation rescales nothing;
* the logits have the range that the float network shows on the representative set.

Simulated quantization after Jacob et al., "Quantization and Training of Neural Networks for
Efficient Integer-Arithmetic-Only Inference" (arXiv 1712.05877, section 3).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras
from numpy.typing import NDArray
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

from edgeseg.errors import ModelContractError
from edgeseg.preprocessing import Preprocessing

# Layers whose int8 output has the scale of their input.
_PASSING_LAYERS = (
    tf_keras.layers.Concatenate,
    tf_keras.layers.MaxPooling2D,
    tf_keras.layers.UpSampling2D,
    tf_keras.layers.Dropout,
)


def quantize_aware(
    model: Any, preprocessing: Preprocessing, calibration: NDArray[np.float32]
) -> Any:
    """A copy of a segmenter with simulated int8 weights and activations, ready to fine-tune.

    Args:
        model: a ``tf_keras`` Tiramisu of Conv-BN-ReLU6 layers that ends in a sigmoid.
        preprocessing: the network's.
        calibration: ``(N, S, S, 3)`` float32 scaled pictures, which give the logits' range.

    Returns:
        A ``tf_keras`` model; batch normalization is frozen, so that it folds as it is.

    Raises:
        ModelContractError: a layer has no int8 counterpart here (the BN-ReLU-Conv order, an
            unbounded ReLU, a transposed convolution).
    """
    _check(model)
    head = model.get_layer("head_conv")
    logits = tf_keras.Model(model.input, head.output).predict(calibration, verbose=0, batch_size=16)
    low, high = float(min(logits.min(), -1.0)), float(max(logits.max(), 1.0))

    def annotate(layer: Any) -> Any:
        config = None
        if isinstance(layer, tf_keras.layers.ReLU):
            config = FixedRangeConfig(0.0, float(layer.max_value))
        elif layer.name == head.name:
            config = FixedRangeConvConfig(low, high)
        elif isinstance(layer, _PASSING_LAYERS):
            config = configs.NoOpQuantizeConfig()
        return tfmot.quantization.keras.quantize_annotate_layer(layer, quantize_config=config)

    with tfmot.quantization.keras.quantize_scope(
        {"FixedRangeConfig": FixedRangeConfig, "FixedRangeConvConfig": FixedRangeConvConfig}
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
    quantized(calibration[:1], training=True)
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


class FixedRangeConvConfig(registry.Default8BitConvQuantizeConfig):
    """A convolution's kernel per channel, its output in a range that is known beforehand."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__(["kernel"], ["activation"], False)
        self.low, self.high = low, high

    def get_activations_and_quantizers(self, layer: Any) -> list[Any]:  # noqa: ARG002 - as above
        """None: the output's quantizer does it."""
        return []

    def set_quantize_activations(self, layer: Any, quantize_activations: Any) -> None:
        """Nothing to set."""
        del layer, quantize_activations

    def get_output_quantizers(self, layer: Any) -> list[Any]:  # noqa: ARG002 - as above
        """One quantizer of a fixed range."""
        return [_fixed(self.low, self.high)]

    def get_config(self) -> dict[str, Any]:
        """As JSON types, for cloning."""
        return {"low": self.low, "high": self.high}


class _InputTransform(transforms.InputLayerQuantize):
    """tfmot's, with the range of a byte instead of one that starts at [-6, 6] and only grows."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def replacement(self, match_layer: Any) -> Any:
        """The quantizer behind the input layer."""
        node = super().replacement(match_layer)
        node.layer["config"]["quantizer"] = tf_keras.utils.serialize_keras_object(
            _fixed(self.low, self.high)
        )
        return node


class _Scheme(scheme.Default8BitQuantizeScheme):
    """tfmot's default scheme without its rules for concatenations, and with a fixed input range."""

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
        rules = [
            _InputTransform(self.low, self.high),
            transforms.Conv2DBatchNormReLUQuantize(),
            transforms.Conv2DBatchNormQuantize(),
        ]
        return model_transformer.ModelTransformer(
            model, rules, set(layer_quantize_map), layer_quantize_map
        ).transform()


def _fixed(low: float, high: float) -> Any:
    return quantizers.FixedQuantizer(num_bits=8, init_min=low, init_max=high, narrow_range=False)


def _check(model: Any) -> None:
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.ReLU) and layer.max_value is None:
            raise ModelContractError(
                f"quantization-aware training needs a ReLU of a fixed range, and {layer.name} has "
                "none: take static_wi8_ai8, or train a network with an activation ceiling"
            )
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            before = layer.inbound_nodes[0].inbound_layers
            if not isinstance(before, tf_keras.layers.Conv2D):
                raise ModelContractError(
                    f"quantization-aware training needs each batch normalization behind a "
                    f"convolution, and {layer.name} is not: take static_wi8_ai8, or a network of "
                    "the conv_bn_relu order"
                )
