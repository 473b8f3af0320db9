"""The embedder: a small residual network, pooled at several depths into one unit vector.

Strided 3x3 convolutions alternate with bottleneck residual blocks (He et al., arXiv 1512.03385,
figure 5, right). Each convolution is followed by batch normalization, which folds into it, and by
ReLU6; there is no squeeze-and-excitation and no hard activation, which int8 represents badly. The
last stages are all pooled, for an early one still knows the colours that a deep one has abstracted
from, and colour variants of one style are what a catalogue is full of.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any

Tensor = Any


@dataclass(frozen=True)
class MobileEmbedder:
    """What makes one embedder differ from another.

    Attributes:
        stem_filters: filters of the first convolution, of stride 2.
        stages: (filters, residual blocks) of each stage; a stage halves the resolution first.
        pooled_stages: how many of the last stages are pooled into the embedding.
        dim: length of the embedding.
    """

    stem_filters: int
    stages: tuple[tuple[int, int], ...]
    pooled_stages: int
    dim: int

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types; ``MobileEmbedder.from_dict`` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> MobileEmbedder:
        """Inverse of ``to_dict``."""
        stages = tuple((int(filters), int(blocks)) for filters, blocks in values["stages"])
        return cls(**{**values, "stages": stages})

    def build(
        self, framework: ModuleType, input_px: int | None = None, *, normalize: bool = True
    ) -> Any:
        """Builds the network.

        Args:
            framework: ``keras`` or ``tf_keras``.
            input_px: height and width of the input; None leaves them open.
            normalize: end in L2 normalization. Without it the output is the projection before,
                which int8 represents better; whoever runs that network normalizes.

        Returns:
            A model from ``(N, H, W, 3)`` float32 scaled RGB to ``(N, dim)`` float32.
        """
        layers = framework.layers
        inputs = framework.Input((input_px, input_px, 3), name="image")
        x = _convolution(layers, inputs, self.stem_filters, 3, 2, "stem")
        pooled = []
        for stage, (filters, blocks) in enumerate(self.stages):
            x = _convolution(layers, x, filters, 3, 2, f"stage{stage}")
            for block in range(blocks):
                x = _residual(layers, x, filters, f"stage{stage}_block{block}")
            if stage >= len(self.stages) - self.pooled_stages:
                pooled.append(layers.GlobalAveragePooling2D(name=f"stage{stage}_pool")(x))
        x = pooled[0] if len(pooled) == 1 else layers.Concatenate(name="pooled")(pooled)
        x = layers.Dense(self.dim, name="projection")(x)
        if normalize:
            x = layers.UnitNormalization(axis=-1, dtype="float32", name="embedding")(x)
        else:
            x = layers.Activation("linear", dtype="float32", name="embedding")(x)
        return framework.Model(inputs, x, name="embedder")


def _residual(layers: Any, x: Tensor, filters: int, name: str) -> Tensor:
    y = _convolution(layers, x, filters // 2, 1, 1, f"{name}_squeeze")
    y = _convolution(layers, y, filters, 3, 1, f"{name}_expand")
    return layers.Add(name=f"{name}_add")([x, y])


def _convolution(
    layers: Any, x: Tensor, filters: int, kernel: int, stride: int, name: str
) -> Tensor:
    x = layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_uniform",
        name=f"{name}_conv",
    )(x)
    x = layers.BatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


EMBEDDERS: dict[str, MobileEmbedder] = {
    "residual96": MobileEmbedder(
        stem_filters=32,
        stages=((48, 1), (96, 1), (160, 2), (256, 1)),
        pooled_stages=3,
        dim=96,
    ),
    # Small enough for a test to train in seconds.
    "test_tiny": MobileEmbedder(stem_filters=8, stages=((16, 1), (16, 0)), pooled_stages=2, dim=16),
}
