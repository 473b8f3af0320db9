"""What a network costs, estimated from its widths: latency and weights.

Pruning weighs thousands of removals, each too small to be timed, so it asks a model of the int8
graph's latency. The coefficients were fitted to graphs of random widths, timed in the interpreter;
what a pruned network really takes is measured each round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from converters.pruning.wiring import Node, Wiring

Array = NDArray[np.float64]
# XNNPACK's int8 kernels (AVX-512 with VNNI; NEON with dot products has the same outputs) compute so
# many output channels at once, from so many input channels at once: fewer cost the same.
_OUTPUT_TILE = 16
_INPUT_TILE = 8


@dataclass(frozen=True)
class LatencyCoefficients:
    """Nanoseconds.

    Attributes:
        window: for each multiply-accumulate of a convolution with a window, tiles counted full.
        pointwise: for each one of a 1x1 convolution.
        tile: for each output pixel and tile of output channels.
        moved: for each byte that a concatenation, pool or resize writes.
        operator: for each operator.
    """

    window: float
    pointwise: float
    tile: float
    moved: float
    operator: float


# Fitted by least squares of the relative error to 90 networks of random widths at 160 px, on an
# x86-64 processor with AVX-512 and VNNI: 1.4% off (root mean square), 4% at worst.
_COEFFICIENTS = LatencyCoefficients(
    window=0.0043, pointwise=0.0021, tile=5.3, moved=0.05, operator=3500.0
)


class Cost:
    """Latency and weights of one network as its units lose filters.

    Args:
        wiring: of the network before anything is removed.
        coefficients: of the latency.
    """

    def __init__(self, wiring: Wiring, coefficients: LatencyCoefficients = _COEFFICIENTS) -> None:
        self.names = list(wiring.widths)
        self.coefficients = coefficients
        self.index = {unit: i for i, unit in enumerate(self.names)}
        convolutions = [node for node in wiring.nodes if node.makes_channels]
        self._incoming = self._matrix([node.inputs for node in convolutions])
        self._made = np.array([self.index[node.units[0]] for node in convolutions])
        self._area = np.array([node.area for node in convolutions], dtype=float)
        self._kernel = np.array([node.kernel**2 for node in convolutions], dtype=float)
        # Gamma, beta and the two moving statistics; or a bias alone.
        normalized = {node.units[0] for node in wiring.nodes if node.kind == "BatchNormalization"}
        self._per_filter = np.array(
            [4.0 if node.units[0] in normalized else 1.0 for node in convolutions]
        )
        moves = [node for node in wiring.nodes if _moves(node)]
        self._moved = self._matrix([node.units for node in moves])
        self._moved_area = np.array([node.area for node in moves], dtype=float)
        # A concatenation whose last part is gone is not there: one part would be left of two.
        parts = [node.sources[-1].units if node.kind == "Concatenate" else () for node in moves]
        self._last_part = self._matrix(parts)
        self._always = np.array([not part for part in parts])

    def widths(self, widths: Mapping[str, int]) -> Array:
        """Filters by unit as the array that the estimates take: ``(units,)``."""
        return np.array([widths[unit] for unit in self.names], dtype=float)

    def features(self, widths: Array) -> Array:
        """What the latency is made of.

        Args:
            widths: ``(..., units)``.

        Returns:
            ``(..., 5)``, in the order of ``LatencyCoefficients``.
        """
        incoming, made = widths @ self._incoming.T, widths[..., self._made]
        tiles = np.ceil(made / _OUTPUT_TILE)
        macs = self._area * self._kernel * tiles * _OUTPUT_TILE
        macs = macs * np.ceil(incoming / _INPUT_TILE) * _INPUT_TILE
        pointwise = self._kernel == 1
        there = self._always | (widths @ self._last_part.T > 0)
        moved = self._moved_area * (widths @ self._moved.T) * there
        terms = (
            macs[..., ~pointwise].sum(axis=-1),
            macs[..., pointwise].sum(axis=-1),
            (self._area * tiles).sum(axis=-1),
            moved.sum(axis=-1),
            np.count_nonzero(made, axis=-1) + there.sum(axis=-1),
        )
        return np.stack(terms, axis=-1)

    def latency_ms(self, widths: Array) -> Array:
        """Estimated milliseconds of the int8 graph, one thread: ``(...)`` for ``(..., units)``."""
        return np.asarray(self.features(widths) @ np.array(astuple(self.coefficients)) / 1e6)

    def parameters(self, widths: Array) -> Array:
        """Weights, counted as in ``Model.count_params``: ``(...)`` for ``(..., units)``."""
        incoming, made = widths @ self._incoming.T, widths[..., self._made]
        return np.asarray((made * (self._kernel * incoming + self._per_filter)).sum(axis=-1))

    def _matrix(self, rows: list[tuple[str, ...]]) -> Array:
        matrix = np.zeros((len(rows), len(self.names)))
        for row, units in enumerate(rows):
            for unit in units:
                matrix[row, self.index[unit]] = 1
        return matrix


def _moves(node: Node) -> bool:
    return node.kind in ("Concatenate", "MaxPooling2D", "UpSampling2D")
