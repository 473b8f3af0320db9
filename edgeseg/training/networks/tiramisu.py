"""FC-DenseNet, the "One Hundred Layers Tiramisu" (Jégou et al., arXiv 1611.09326).

One definition serves every framework: the layers are taken from the namespace that the caller
passes in (``keras`` on TensorFlow, JAX or PyTorch to train; ``tf_keras`` to prune, quantize and
convert), and every layer has a fixed name, so weights travel between them by name.

Two orders of a dense layer exist:

* ``bn_relu_conv``, the paper's (table 1): batch normalization, ReLU, 3x3 convolution, dropout;
* ``conv_bn_relu``, the device family's: a batch normalization that follows its convolution folds
  into it, which leaves an int8 graph of convolutions, concatenations and resizes only.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from types import ModuleType
from typing import Any, Literal

Tensor = Any


@dataclass(frozen=True)
class Tiramisu:
    """What makes one Tiramisu differ from another.

    Attributes:
        down: layers in each dense block of the contracting path, from the finest on.
        bottleneck: layers in the dense block between the two paths.
        growth_rate: feature maps that each dense layer adds (``k`` in the paper).
        stem_filters: filters of the first convolution.
        order: the order inside a dense layer, see the module's docstring.
        stem_stride: 1 as in the paper, or 2 or 4: the network then works at half or a quarter of
            the input's resolution, and the logits are resized to the input's by bilinear
            interpolation. The stem's kernel grows with it (3, 3 and 7), so that it reads every
            pixel, and its neighbours too.
        upsampling: ``transposed`` convolution as in the paper, or a 1x1 convolution followed by a
            ``nearest`` or ``bilinear`` resize.
        dropout: the rate after each convolution of a dense layer; 0 leaves the layer out.
        max_concat_inputs: the most tensors that one concatenation takes (XNNPACK's int8 kernel
            takes 4); None is no limit.
        activation_ceiling: None for ReLU, 6.0 for ReLU6. A common ceiling keeps the ranges of
            concatenated tensors alike, so that int8 concatenation need not rescale them.
        classes: channels of the logits; 1 is a single foreground.
        weight_decay: L2 penalty on convolution kernels.
        separable: a dense layer is a 3x3 convolution of each channel by itself, then a 1x1
            convolution across the channels (Howard et al., MobileNets, arXiv 1704.04861, section
            3.1), each with its own batch normalization and ReLU: about ``1 / growth_rate + 1 / 9``
            of the multiplications.
        widths: filters of single units that pruning changed, by the unit's name, such as
            ``("down0_layer1", 12)``; 0 leaves a dense layer out. A unit is ``stem``,
            ``{block}_layer{i}`` or ``{level}_transition``.
    """

    down: tuple[int, ...]
    bottleneck: int
    growth_rate: int
    stem_filters: int = 48
    order: Literal["bn_relu_conv", "conv_bn_relu"] = "bn_relu_conv"
    stem_stride: int = 1
    upsampling: Literal["transposed", "nearest", "bilinear"] = "transposed"
    dropout: float = 0.2
    max_concat_inputs: int | None = None
    activation_ceiling: float | None = None
    classes: int = 1
    weight_decay: float = 0.0
    separable: bool = False
    widths: tuple[tuple[str, int], ...] = ()

    @property
    def total_stride(self) -> int:
        """The input's height and width must be multiples of this."""
        return self.stem_stride << len(self.down)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types; ``Tiramisu.from_dict`` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Tiramisu:
        """Inverse of ``to_dict``."""
        widths = tuple((str(unit), int(width)) for unit, width in fields.get("widths", ()))
        return cls(**{**fields, "down": tuple(fields["down"]), "widths": widths})

    def build(
        self, framework: ModuleType, input_px: int | None = None, *, sigmoid: bool = False
    ) -> Any:
        """Builds the network.

        Args:
            framework: a module with ``layers``, ``Input``, ``Model`` and ``regularizers`` after
                Keras's API: ``keras`` or ``tf_keras``.
            input_px: height and width of the input; None leaves them open.
            sigmoid: append a sigmoid, so that the output is a confidence mask and not logits; with
                several classes a softmax, and the output is category scores.

        Returns:
            A model from ``(N, H, W, 3)`` float32 scaled RGB to ``(N, H, W, classes)`` float32.

        Raises:
            ValueError: ``input_px`` is no multiple of ``total_stride``, or ``widths`` names no unit
                of this network or leaves one without the filters that it must have.
        """
        if input_px is not None and (input_px < 1 or input_px % self.total_stride):
            raise ValueError(
                f"input of {input_px} px is no multiple of the total stride {self.total_stride}"
            )
        return _Builder(self, framework).build(input_px, sigmoid)


class _Builder:
    """Puts layers together; holds what every layer of one network shares."""

    def __init__(self, network: Tiramisu, framework: ModuleType) -> None:
        self.network = network
        self.framework = framework
        self.layers = framework.layers
        self.widths = dict(network.widths)

    def build(self, input_px: int | None, sigmoid: bool) -> Any:
        network = self.network
        inputs = self.framework.Input((input_px, input_px, 3), name="image")
        x = self._stem(inputs)
        skips = []
        for level, layers in enumerate(network.down):
            x, _ = self._dense_block(x, layers, f"down{level}")
            skips.append(x)
            x = self._transition_down(x, f"down{level}_transition")
        below = "bottleneck"
        _, new = self._dense_block(x, network.bottleneck, below)
        for level, layers in reversed(list(enumerate(network.down))):
            if not new:
                raise ValueError(f"widths: {below} needs a layer, for only new features go up")
            x = self._transition_up(self._concat(new, f"{below}_new"), f"up{level}_transition")
            x = self._concat([x, skips.pop()], f"up{level}_skip")
            below = f"up{level}"
            x, new = self._dense_block(x, layers, below)
        if self.widths:
            raise ValueError(f"widths: no unit {', '.join(sorted(self.widths))}")
        x = self._convolution(x, network.classes, 1, "head", use_bias=True)
        if network.stem_stride > 1:
            x = self.layers.UpSampling2D(
                network.stem_stride, interpolation="bilinear", name="head_resize"
            )(x)
        # The loss is computed in float32 whatever the policy of the layers before it.
        squashing = "sigmoid" if network.classes == 1 else "softmax"
        activation = squashing if sigmoid else "linear"
        x = self.layers.Activation(activation, dtype="float32", name="output")(x)
        return self.framework.Model(inputs, x, name="tiramisu")

    def _stem(self, x: Tensor) -> Tensor:
        network = self.network
        folded = network.order == "conv_bn_relu"
        filters = self._width("stem", network.stem_filters)
        stride = network.stem_stride
        x = self._convolution(
            x, filters, max(3, 2 * stride - 1), "stem", strides=stride, use_bias=not folded
        )
        return self._bn_relu(x, "stem") if folded else x

    def _width(self, unit: str, usual: int, *, least: int = 1) -> int:
        """A unit's filters: ``usual``, unless ``widths`` names the unit."""
        width = self.widths.pop(unit, usual)
        if width < least:
            raise ValueError(f"widths: {unit} needs {least} or more filters, not {width}")
        return width

    def _dense_block(self, x: Tensor, layers: int, name: str) -> tuple[Tensor, list[Tensor]]:
        """``layers`` dense layers; gives (input and new features, each layer's new features)."""
        new = []
        for index in range(layers):
            layer = f"{name}_layer{index}"
            filters = self._width(layer, self.network.growth_rate, least=0)
            if filters:
                new.append(self._dense_layer(x, filters, layer))
                x = self._concat([x, new[-1]], f"{name}_concat{index}")
        return x, new

    def _dense_layer(self, x: Tensor, filters: int, name: str) -> Tensor:
        if not self.network.separable:
            return self._unit(x, filters, 3, name)
        x = self._depthwise_unit(x, f"{name}_depthwise")
        return self._unit(x, filters, 1, name)

    def _transition_down(self, x: Tensor, name: str) -> Tensor:
        x = self._unit(x, self._width(name, x.shape[-1]), 1, name)
        return self.layers.MaxPooling2D(2, name=f"{name}_pool")(x)

    def _transition_up(self, x: Tensor, name: str) -> Tensor:
        network, filters = self.network, self._width(name, x.shape[-1])
        if network.upsampling == "transposed":
            return self.layers.Conv2DTranspose(
                filters,
                3,
                strides=2,
                padding="same",
                kernel_initializer="he_uniform",
                kernel_regularizer=self._regularizer(),
                name=f"{name}_conv",
            )(x)
        x = self._unit(x, filters, 1, name)
        return self.layers.UpSampling2D(2, interpolation=network.upsampling, name=f"{name}_resize")(
            x
        )

    def _unit(self, x: Tensor, filters: int, kernel: int, name: str) -> Tensor:
        """Convolution, batch normalization and ReLU in the network's order, then dropout."""
        network = self.network
        if network.order == "bn_relu_conv":
            x = self._bn_relu(x, name)
            x = self._convolution(x, filters, kernel, name, use_bias=True)
        else:
            x = self._convolution(x, filters, kernel, name, use_bias=False)
            x = self._bn_relu(x, name)
        if network.dropout > 0:
            x = self.layers.Dropout(network.dropout, name=f"{name}_dropout")(x)
        return x

    def _depthwise_unit(self, x: Tensor, name: str) -> Tensor:
        """A 3x3 convolution of each channel by itself, in the network's order; no dropout."""
        folded = self.network.order == "conv_bn_relu"
        if not folded:
            x = self._bn_relu(x, name)
        x = self.layers.DepthwiseConv2D(
            3,
            padding="same",
            use_bias=not folded,
            depthwise_initializer="he_uniform",
            depthwise_regularizer=self._regularizer(),
            name=f"{name}_conv",
        )(x)
        return self._bn_relu(x, name) if folded else x

    def _bn_relu(self, x: Tensor, name: str) -> Tensor:
        x = self.layers.BatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_bn")(x)
        return self.layers.ReLU(self.network.activation_ceiling, name=f"{name}_relu")(x)

    def _convolution(
        self, x: Tensor, filters: int, kernel: int, name: str, *, use_bias: bool, strides: int = 1
    ) -> Tensor:
        return self.layers.Conv2D(
            filters,
            kernel,
            strides=strides,
            padding="same",
            use_bias=use_bias,
            kernel_initializer="he_uniform",
            kernel_regularizer=self._regularizer(),
            name=f"{name}_conv",
        )(x)

    def _concat(self, tensors: list[Tensor], name: str) -> Tensor:
        """Concatenates along channels, in a tree where the number of inputs is limited."""
        limit = self.network.max_concat_inputs
        stage = 0
        while limit is not None and len(tensors) > limit:
            groups = [tensors[i : i + limit] for i in range(0, len(tensors), limit)]
            tensors = [
                self._concat_all(group, f"{name}_part{stage}_{i}") for i, group in enumerate(groups)
            ]
            stage += 1
        return self._concat_all(tensors, name)

    def _concat_all(self, tensors: list[Tensor], name: str) -> Tensor:
        if len(tensors) == 1:
            return tensors[0]
        return self.layers.Concatenate(name=name)(tensors)

    def _regularizer(self) -> Any:
        decay = self.network.weight_decay
        return self.framework.regularizers.L2(decay) if decay else None


# The device family: foldable batch normalization, half resolution inside, int8-friendly joints.
_COMPACT = Tiramisu(
    down=(2, 3, 4, 5),
    bottleneck=6,
    growth_rate=16,
    stem_filters=24,
    order="conv_bn_relu",
    stem_stride=2,
    upsampling="nearest",
    dropout=0.0,
    max_concat_inputs=4,
    activation_ceiling=6.0,
)
_FCDENSENET103 = Tiramisu(down=(4, 5, 7, 10, 12), bottleneck=15, growth_rate=16)

TIRAMISUS: dict[str, Tiramisu] = {
    # The paper's table 2 and section 4; parameters 1.5 M, 3.5 M and 9.4 M.
    "fcdensenet56": Tiramisu(down=(4,) * 5, bottleneck=4, growth_rate=12),
    "fcdensenet67": Tiramisu(down=(5,) * 5, bottleneck=5, growth_rate=16),
    "fcdensenet103": _FCDENSENET103,
    # The variant trained on 199 phone snapshots: 103 layers with an L2 penalty.
    "seed": replace(_FCDENSENET103, weight_decay=1e-4),
    "compact": _COMPACT,
    # Small enough for a test to train in seconds.
    "test_tiny": replace(_COMPACT, down=(1, 2), bottleneck=2, growth_rate=8, stem_filters=8),
}
