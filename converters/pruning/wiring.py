"""What feeds what in a Tiramisu, read off its own builder without any framework.

The network's ``build`` takes its layers from the namespace that it is given. The one here makes no
tensors: each layer writes down its shape and which units its channels come from. A unit is a
convolution that makes channels (``stem``, ``{block}_layer{i}``, ``{level}_transition``, ``head``);
concatenation puts units one behind the other, and normalization, activation, pooling, resizing and
dropout pass channels on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edgeseg.training.networks.tiramisu import Tiramisu

IMAGE, HEAD = "image", "head"


@dataclass(frozen=True)
class Node:
    """One layer of the graph, with the attributes of a tensor that a builder asks for.

    Attributes:
        name: the layer's.
        kind: its class in Keras, such as ``Conv2D``.
        sources: the layers that feed it.
        shape: output height, width and channels.
        units: the units that make its output's channels, in their order.
        kernel: side of a convolution's or a pool's window; 1 for others.
        stride: of a convolution or a pool; the factor of a resize.
        mode: a resize's interpolation, an activation's name.
        ceiling: the value that a ReLU stops at; None is no ceiling.
    """

    name: str
    kind: str
    sources: tuple[Node, ...]
    shape: tuple[int, int, int]
    units: tuple[str, ...]
    kernel: int = 1
    stride: int = 1
    mode: str = ""
    ceiling: float | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """The units whose channels come in, in their order."""
        return tuple(unit for source in self.sources for unit in source.units)

    @property
    def makes_channels(self) -> bool:
        """Whether its output channels are new: it is a full or transposed convolution."""
        return self.kind in ("Conv2D", "Conv2DTranspose")

    @property
    def area(self) -> int:
        """Output pixels."""
        return self.shape[0] * self.shape[1]


@dataclass(frozen=True)
class Wiring:
    """A network's layers.

    Attributes:
        nodes: the layers, each behind those that feed it, the picture first and the output last.
        widths: channels by unit; the picture's three under ``image`` and the logits' under ``head``
            are among them.
    """

    nodes: tuple[Node, ...]
    widths: dict[str, int]

    @property
    def units(self) -> list[str]:
        """The units that can lose filters."""
        return [unit for unit in self.widths if unit not in (IMAGE, HEAD)]

    def output_of(self, unit: str) -> str:
        """The layer whose output is the unit's own: the activation where it has one."""
        names = {node.name for node in self.nodes}
        return f"{unit}_relu" if f"{unit}_relu" in names else f"{unit}_conv"

    def channels(self, units: tuple[str, ...], keep: dict[str, NDArray[np.bool_]]) -> Any:
        """Which channels of a tensor that is made of ``units`` stay: ``(channels,)`` bool."""
        return np.concatenate([keep[unit] for unit in units])


def trace(network: Tiramisu, input_px: int) -> Wiring:
    """The wiring of a network at an input size.

    Raises:
        ValueError: the network cannot be built, see ``Tiramisu.build``.
    """
    recorder = _Recorder()
    needed = {network.build(cast(Any, recorder), input_px, sigmoid=True).name}
    # A block whose new features alone go on leaves a concatenation that nothing takes.
    for node in reversed(recorder.nodes):
        if node.name in needed:
            needed.update(source.name for source in node.sources)
    nodes = tuple(node for node in recorder.nodes if node.name in needed)
    widths = {IMAGE: 3}
    for node in nodes:
        if node.makes_channels:
            widths[node.units[0]] = node.shape[2]
    return Wiring(nodes, widths)


class _Recorder:
    """A namespace after Keras's API, whose layers only write down that they were called."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.layers = self
        self.regularizers = self

    def L2(self, _decay: float) -> None:  # noqa: N802 - Keras's name, as are those below
        """No penalty: nothing learns here."""

    def Model(self, _inputs: Node, outputs: Node, name: str) -> Node:  # noqa: N802
        """The last node."""
        del name
        return outputs

    def Input(self, shape: tuple[int, int, int], name: str) -> Node:  # noqa: N802
        """The picture."""
        self.nodes.append(Node(name, "InputLayer", (), shape, (IMAGE,)))
        return self.nodes[-1]

    def Conv2D(  # noqa: N802
        self, filters: int, kernel: int, *, name: str, strides: int = 1, **_: Any
    ) -> Callable[[Node], Node]:
        """A convolution with "same" padding: the input is a multiple of every stride."""
        return lambda x: self._add(
            name,
            "Conv2D",
            (x,),
            (x.shape[0] // strides, x.shape[1] // strides, filters),
            (name.removesuffix("_conv"),),
            kernel=kernel,
            stride=strides,
        )

    def Conv2DTranspose(  # noqa: N802
        self, filters: int, kernel: int, *, name: str, strides: int, **_: Any
    ) -> Callable[[Node], Node]:
        """A transposed convolution with "same" padding."""
        return lambda x: self._add(
            name,
            "Conv2DTranspose",
            (x,),
            (x.shape[0] * strides, x.shape[1] * strides, filters),
            (name.removesuffix("_conv"),),
            kernel=kernel,
            stride=strides,
        )

    def DepthwiseConv2D(self, kernel: int, *, name: str, **_: Any) -> Callable[[Node], Node]:  # noqa: N802
        """A convolution of each channel by itself."""
        return lambda x: self._add(name, "DepthwiseConv2D", (x,), x.shape, x.units, kernel=kernel)

    def BatchNormalization(self, *, name: str, **_: Any) -> Callable[[Node], Node]:  # noqa: N802
        """Passes channels on."""
        return lambda x: self._add(name, "BatchNormalization", (x,), x.shape, x.units)

    def ReLU(self, ceiling: float | None, *, name: str) -> Callable[[Node], Node]:  # noqa: N802
        """Passes channels on."""
        return lambda x: self._add(name, "ReLU", (x,), x.shape, x.units, ceiling=ceiling)

    def Dropout(self, _rate: float, *, name: str) -> Callable[[Node], Node]:  # noqa: N802
        """Passes channels on."""
        return lambda x: self._add(name, "Dropout", (x,), x.shape, x.units)

    def Activation(self, mode: str, *, name: str, **_: Any) -> Callable[[Node], Node]:  # noqa: N802
        """Passes channels on."""
        return lambda x: self._add(name, "Activation", (x,), x.shape, x.units, mode=mode)

    def MaxPooling2D(self, size: int, *, name: str) -> Callable[[Node], Node]:  # noqa: N802
        """Shrinks; passes channels on."""

        def pool(x: Node) -> Node:
            shape = (x.shape[0] // size, x.shape[1] // size, x.shape[2])
            return self._add(name, "MaxPooling2D", (x,), shape, x.units, kernel=size, stride=size)

        return pool

    def UpSampling2D(self, factor: int, *, interpolation: str, name: str) -> Callable[[Node], Node]:  # noqa: N802
        """Enlarges; passes channels on."""

        def resize(x: Node) -> Node:
            shape = (x.shape[0] * factor, x.shape[1] * factor, x.shape[2])
            return self._add(
                name, "UpSampling2D", (x,), shape, x.units, stride=factor, mode=interpolation
            )

        return resize

    def Concatenate(self, *, name: str) -> Callable[[list[Node]], Node]:  # noqa: N802
        """Puts channels one behind the other."""

        def concatenate(tensors: list[Node]) -> Node:
            first = tensors[0].shape
            shape = (first[0], first[1], sum(x.shape[2] for x in tensors))
            units = tuple(unit for x in tensors for unit in x.units)
            return self._add(name, "Concatenate", tuple(tensors), shape, units)

        return concatenate

    def _add(
        self,
        name: str,
        kind: str,
        sources: tuple[Node, ...],
        shape: tuple[int, int, int],
        units: tuple[str, ...],
        **attributes: Any,
    ) -> Node:
        self.nodes.append(Node(name, kind, sources, shape, units, **attributes))
        return self.nodes[-1]
