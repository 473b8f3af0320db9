"""One TFLite model of this toolkit, ready to run: one input, one output, real values at both."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import ModelContractError
from edgeseg.runtime import load_model

_INTEGER_DTYPES = (np.dtype(np.int8), np.dtype(np.uint8))


class Interpreter:
    """A loaded model with one input and one output.

    Thread-safe: `run` holds a lock, since the native interpreter keeps its tensors in place. The
    caller must have verified the model's digest: native loaders crash on crafted bytes.

    Attributes:
        input_shape: For example `(1, 160, 160, 3)`.
        input_dtype: float32, int8 or uint8.
        output_shape: For example `(1, 160, 160, 1)`.
        output_dtype: float32, int8 or uint8.
        runtime: Name and version of the native interpreter.
    """

    def __init__(self, model: bytes, threads: int = 1) -> None:
        """Load a model.

        Args:
            model: A `.tflite` file's bytes, trusted.
            threads: Threads the native interpreter may use.

        Raises:
            ModelContractError: If the bytes are no model of one input and one output of a supported
                type.
            MissingExtraError: If no runtime is installed.
            ValueError: If `threads` is below 1.
        """
        if threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        # The native side points into these bytes: they must live as long as it does.
        self._model = model
        self._native, self.runtime = load_model(model, threads)
        inputs, outputs = self._native.get_input_details(), self._native.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelContractError(
                f"the model has {len(inputs)} inputs and {len(outputs)} outputs; one of each is "
                "needed"
            )
        self._input, self._output = inputs[0], outputs[0]
        self.input_shape = tuple(int(size) for size in self._input["shape"])
        self.output_shape = tuple(int(size) for size in self._output["shape"])
        self.input_dtype: np.dtype[Any] = np.dtype(self._input["dtype"])
        self.output_dtype: np.dtype[Any] = np.dtype(self._output["dtype"])
        for side, details, dtype in (
            ("input", self._input, self.input_dtype),
            ("output", self._output, self.output_dtype),
        ):
            integer = dtype in _INTEGER_DTYPES
            if not integer and dtype != np.float32:
                raise ModelContractError(f"the model's {side} is {dtype}: not float32, int8, uint8")
            if integer and not details["quantization"][0] > 0.0:
                raise ModelContractError(f"the model's {dtype} {side} states no scale")
        self._lock = threading.Lock()

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Quantize if the model wants it, run, and give the output in real values.

        Args:
            batch: float32 of `input_shape`; or of `input_dtype`, as `quantized` gives it.

        Returns:
            float32 of `output_shape`.

        Raises:
            ModelContractError: On another shape.
        """
        with self._lock:
            self.set_input(batch)
            self.invoke()
            return self.get_output()

    def set_input(self, batch: NDArray[Any]) -> None:
        """Copy a batch in; with `invoke` and `get_output` the parts of `run`, for timing.

        Not locked: for one thread at a time.

        Raises:
            ModelContractError: If the shape isn't `input_shape`.
        """
        if tuple(batch.shape) != self.input_shape:
            raise ModelContractError(f"the model takes {self.input_shape}, not {batch.shape}")
        if batch.dtype != self.input_dtype:
            batch = self.quantized(batch)
        self._native.set_tensor(self._input["index"], np.ascontiguousarray(batch))

    def quantized(self, values: NDArray[np.float32]) -> NDArray[Any]:
        """Give real values as the model's input holds them: of `input_dtype`, of any shape."""
        if self.input_dtype == np.float32:
            return np.asarray(values, dtype=np.float32)
        scale, zero_point = self._input["quantization"]
        bounds = np.iinfo(self.input_dtype)
        steps = np.rint(values / np.float32(scale)) + np.float32(zero_point)
        return np.asarray(np.clip(steps, bounds.min, bounds.max), dtype=self.input_dtype)

    def invoke(self) -> None:
        """Run on what `set_input` copied in.

        Raises:
            ModelContractError: If the native interpreter fails.
        """
        try:
            self._native.invoke()
        except (ValueError, RuntimeError) as error:
            raise ModelContractError(f"{self.runtime} failed to run the model: {error}") from error

    def get_output(self) -> NDArray[np.float32]:
        """Copy the output out, as real float32 values."""
        raw: NDArray[Any] = self._native.get_tensor(self._output["index"])
        if self.output_dtype == np.float32:
            return np.asarray(raw, dtype=np.float32)
        scale, zero_point = self._output["quantization"]
        return (raw.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)

    def constants(self) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Give every tensor that has a value before the first run, with its name.

        Those are weights and biases, in real values; with one scale a tensor, not one a channel.
        """
        for details in self._native.get_tensor_details():
            try:
                raw: NDArray[Any] = self._native.get_tensor(details["index"])
            except ValueError:
                # An activation, which has no value before the first run.
                continue
            scale, zero_point = details["quantization"]
            if scale == 0.0:
                yield details["name"], np.asarray(raw, dtype=np.float32)
            else:
                real = (raw.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
                yield details["name"], real
