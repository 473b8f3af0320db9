"""A network held against its manifest: an interpreter is opened only on what was promised."""

from __future__ import annotations

from edgeseg.errors import ModelContractError
from edgeseg.formats.manifest import NetworkManifest
from edgeseg.interpreter import Interpreter


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
