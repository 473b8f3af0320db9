"""One TFLite model: the interpreter's ``invoke`` and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_bench.target import Step
from edgeseg import limits, runtime
from edgeseg.errors import ModelContractError
from edgeseg.files import read_bounded
from edgeseg.formats.bundle import Bundle

_SEED = 7


class ModelTarget:
    """Times a network alone, so that models of any purpose, inputs and outputs can be compared.

    Timed: ``invoke``. Not timed: filling the inputs (anew before each invocation, for an
    interpreter may reuse their memory) and reading the outputs. Loading covers reading the file,
    checking a bundle's digests, and creating the interpreter with its kernels.

    Args:
        path: A ``.tflite`` file or a bundle.
        network: ``None`` for a bare model; which network of a bundle: "segmenter" or "embedder".
        threads: Threads of the interpreter.
    """

    def __init__(self, path: str, network: str | None, threads: int) -> None:
        # Imports the native runtime here, so that loading a model is not charged with it.
        self._runtime = runtime.runtime_name()
        self._path = path
        self._network = network
        self._threads = threads

    def load(self) -> None:
        """Read the model and create its interpreter.

        A bare file's bytes are not verified by anything: this belongs in a process that may crash.

        Raises:
            EdgesegError: The file cannot be read, or is no model that the interpreter takes.
        """
        # The native side points into these bytes.
        self._model = read_model(self._path, self._network)
        self._native, _ = runtime.load_model(self._model, self._threads)
        inputs = self._native.get_input_details()
        generator = np.random.default_rng(_SEED)
        self._inputs = [
            (int(details["index"]), drawn_input(details, generator)) for details in inputs
        ]

    def prepare(self, index: int) -> None:  # noqa: ARG002 - every sample has the same input
        """Fill the inputs with the same drawn values each time."""
        for tensor, values in self._inputs:
            self._native.set_tensor(tensor, values)

    def steps(self) -> Sequence[Step]:
        """One step: ``invoke``."""
        return [Step("invoke", self._native.invoke)]

    def facts(self) -> Mapping[str, Any]:
        """Size, the shape and type of each input and output, and the runtime."""
        return {
            "model_bytes": len(self._model),
            "inputs": [_shown(details) for details in self._native.get_input_details()],
            "outputs": [_shown(details) for details in self._native.get_output_details()],
            "runtime": self._runtime,
            **self._delegation(),
        }

    def _delegation(self) -> dict[str, Any]:
        """How many operators there are, and how many the delegate takes in how many partitions."""
        listed = runtime.operators_of(self._native)
        partitions = [each.partition for each in listed if each.partition is not None]
        return {
            "operators": len(listed),
            "delegated": len(partitions),
            "partitions": len(set(partitions)),
        }


def read_model(path: str, network: str | None) -> bytes:
    """The bytes of a bare model, or of a bundle's network; see ``ModelTarget``.

    Raises:
        EdgesegError: The file cannot be read, or the bundle has no such network.
    """
    if network is None:
        return read_bounded(path, limits.MAX_BUNDLE_BYTES, "model")
    bundle = Bundle.open(path)
    model = bundle.embedder_model if network == "embedder" else bundle.segmenter_model
    if model is None:
        raise ModelContractError(f"{path} has no {network}")
    return model


def drawn_input(details: Mapping[str, Any], generator: np.random.Generator) -> NDArray[Any]:
    """Values for an input: [0, 1) for a float one, all that the type holds for an 8-bit one.

    Other integers are often indices, of which only 0 is safe in any table.
    """
    shape = tuple(int(size) for size in details["shape"])
    dtype = np.dtype(details["dtype"])
    if np.issubdtype(dtype, np.floating):
        return generator.random(shape, dtype=np.float32).astype(dtype)
    if dtype in (np.dtype(np.int8), np.dtype(np.uint8)):
        bounds = np.iinfo(dtype)
        return generator.integers(bounds.min, bounds.max, shape, dtype, endpoint=True)
    return np.zeros(shape, dtype)


def _shown(details: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "shape": [int(size) for size in details["shape"]],
        "dtype": np.dtype(details["dtype"]).name,
    }
