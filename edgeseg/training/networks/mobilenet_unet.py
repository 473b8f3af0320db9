"""A teacher: MobileNet v1, which has seen a million photographs, under a U-shaped decoder.

The encoder is MobileNet v1 (Howard et al., arXiv 1704.04861, table 1) with its batch normalization
folded, as it comes out of a converted classifier; the decoder joins its five resolutions from the
coarsest to the finest (Ronneberger et al., arXiv 1505.04597, figure 1). It is made to teach: too
large for a scanner, and what it knew before its training is not ours to ship.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any

Tensor = Any

# Filters and stride of each depthwise-separable block: table 1 of the paper.
_BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)
# The last block of each resolution, from half the input's to a thirty-second of it.
_SKIPS = (0, 2, 4, 10, 12)


@dataclass(frozen=True)
class MobileNetUNet:
    """What makes one such network differ from another.

    Attributes:
        lateral: filters that each resolution of the encoder is reduced to, the finest first.
        decoder: filters of each step up, the finest first; one fewer.
        classes: channels of the logits; 1 is a single foreground.
    """

    lateral: tuple[int, int, int, int, int] = (32, 48, 96, 128, 192)
    decoder: tuple[int, int, int, int] = (48, 64, 96, 128)
    classes: int = 1

    @property
    def total_stride(self) -> int:
        """The input's height and width must be multiples of this."""
        return 32

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types; ``MobileNetUNet.from_dict`` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> MobileNetUNet:
        """Inverse of ``to_dict``."""
        return cls(
            **{**fields, "lateral": tuple(fields["lateral"]), "decoder": tuple(fields["decoder"])}
        )

    def build(
        self, framework: ModuleType, input_px: int | None = None, *, sigmoid: bool = False
    ) -> Any:
        """Builds the network.

        Args:
            framework: ``keras`` or ``tf_keras``.
            input_px: height and width of the input; None leaves them open.
            sigmoid: append a sigmoid, so that the output is a confidence mask and not logits.

        Returns:
            A model from ``(N, H, W, 3)`` float32 RGB in -1 to 1 to ``(N, H, W, classes)`` float32.

        Raises:
            ValueError: ``input_px`` is no multiple of ``total_stride``.
        """
        if input_px is not None and (input_px < 1 or input_px % self.total_stride):
            raise ValueError(
                f"input of {input_px} px is no multiple of the total stride {self.total_stride}"
            )
        layers = framework.layers
        inputs = framework.Input((input_px, input_px, 3), name="image")
        x = layers.Conv2D(32, 3, strides=2, padding="same", name="encoder0_conv")(inputs)
        x = layers.ReLU(6.0, name="encoder0_relu")(x)
        skips = []
        for index, (filters, stride) in enumerate(_BLOCKS):
            x = _separable(layers, x, filters, stride, f"encoder{index + 1}")
            if index in _SKIPS:
                skips.append(x)
        laterals = [
            _unit(layers, skip, filters, 1, f"lateral{level}")
            for level, (skip, filters) in enumerate(zip(skips, self.lateral, strict=True))
        ]
        x = laterals.pop()
        for level, filters in reversed(list(enumerate(self.decoder))):
            x = layers.UpSampling2D(2, interpolation="nearest", name=f"decoder{level}_resize")(x)
            x = layers.Concatenate(name=f"decoder{level}_skip")([x, laterals.pop()])
            x = _unit(layers, x, filters, 3, f"decoder{level}")
        x = layers.Conv2D(self.classes, 1, name="head_conv")(x)
        x = layers.UpSampling2D(2, interpolation="bilinear", name="head_resize")(x)
        activation = "sigmoid" if sigmoid else "linear"
        x = layers.Activation(activation, dtype="float32", name="output")(x)
        return framework.Model(inputs, x, name="mobilenet_unet")


def _separable(layers: Any, x: Tensor, filters: int, stride: int, name: str) -> Tensor:
    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", name=f"{name}_depthwise")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    x = layers.Conv2D(filters, 1, padding="same", name=f"{name}_pointwise")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def _unit(layers: Any, x: Tensor, filters: int, kernel: int, name: str) -> Tensor:
    x = layers.Conv2D(
        filters,
        kernel,
        padding="same",
        use_bias=False,
        kernel_initializer="he_uniform",
        name=f"{name}_conv",
    )(x)
    x = layers.BatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
