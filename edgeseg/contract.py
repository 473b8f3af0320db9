"""A network held against its manifest: an interpreter is opened only on what was promised."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.errors import ModelContractError
from edgeseg.formats.manifest import NetworkManifest
from edgeseg.imaging import Photo
from edgeseg.interpreter import Interpreter
from edgeseg.preprocessing import Preprocessing


def open_network(model: bytes, promised: NetworkManifest, threads: int) -> Interpreter:
    """Opens a bundle's network.

    Args:
        model: its TFLite bytes, of a bundle whose digests were checked.
        promised: what the manifest says of it.
        threads: for the interpreter.

    Raises:
        ModelContractError: input or output are not as promised, or a segmenter pads its input.
    """
    interpreter = Interpreter(model, threads)
    side, found = promised.preprocessing.input_px, interpreter.output_shape
    kind = "embedder" if promised.outputs == "embedding" else "segmenter"
    if interpreter.input_shape != (1, side, side, 3):
        raise ModelContractError(
            f"the bundle's {kind} takes {interpreter.input_shape}, its manifest says "
            f"(1, {side}, {side}, 3)"
        )
    if promised.outputs == "embedding":
        if found != (1, promised.network_dim):
            raise ModelContractError(
                f"the bundle's embedder gives {found}, its manifest says (1, "
                f"{promised.network_dim})"
            )
        return interpreter
    channels = len(promised.classes) or 1
    if len(found) != 4 or (found[0], found[3]) != (1, channels):
        wanted = f"scores of {channels} classes" if promised.classes else "a confidence mask"
        raise ModelContractError(
            f"the bundle's segmenter gives {found}, not {wanted} (1, h, w, {channels})"
        )
    if promised.preprocessing.resize != "stretch":
        # A padded input would need its padding cut off the masks again.
        raise ModelContractError(
            f"a segmenter's resize rule must be stretch, not {promised.preprocessing.resize}"
        )
    return interpreter


class InputTable:
    """What each of a pixel's 256 values becomes at a network's input.

    Scaling and quantizing all of them once leaves one look-up a pixel, for the same numbers as
    `Preprocessing.normalized` and `Interpreter.run` give one after the other.
    """

    def __init__(self, preprocessing: Preprocessing, interpreter: Interpreter) -> None:
        """Work the table out.

        Args:
            preprocessing: The network's.
            interpreter: The network's.
        """
        every_value = np.arange(256, dtype=np.uint8)
        self._table = interpreter.quantized(preprocessing.normalized(every_value))

    def batch(self, resized: Photo) -> NDArray[Any]:
        """Give `(S, S, 3)` uint8 RGB as `(1, S, S, 3)` of the model's input type."""
        return imaging.look_up(resized, self._table)[None]
