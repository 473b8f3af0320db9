"""One TFLite model, ready to run: the file that knows the LiteRT and tflite-runtime interpreters.

The two have the same `Interpreter`. LiteRT is maintained and preferred; tflite-runtime is the only
one with 32-bit ARM wheels.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import MissingExtraError, ModelContractError

# Module to import, and the distribution whose version is told.
_RUNTIMES = (
    ("ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite_runtime.interpreter", "tflite-runtime"),
)
# File descriptor 2 belongs to the whole process.
_STDERR_LOCK = threading.Lock()
_INTEGER_DTYPES = (np.dtype(np.int8), np.dtype(np.uint8))


def load_runtime() -> tuple[Any, str]:
    """Give the first runtime that imports: its own `Interpreter` class, and name and version.

    For a model of any inputs and outputs; `Interpreter` below is for those of this toolkit.

    Raises:
        MissingExtraError: If none is installed.
    """
    reasons = []
    for module_name, distribution in _RUNTIMES:
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            reasons.append(f"{distribution}: {error}")
            continue
        try:
            version = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            # Unpacked by hand onto PYTHONPATH, as on small boards: no metadata, still fine.
            version = "unknown"
        return module.Interpreter, f"{distribution} {version}"
    raise MissingExtraError(
        "no TFLite interpreter is installed: pip install ai-edge-litert (or tflite-runtime on "
        f"32-bit ARM); {'; '.join(reasons)}"
    )


def runtime_name() -> str:
    """Tell which TFLite runtime is used, with its version.

    Raises:
        MissingExtraError: If none is installed.
    """
    return load_runtime()[1]


@dataclass(frozen=True)
class Operator:
    """One operator of a model's main graph, and who runs it.

    Attributes:
        name: as in TFLite's schema, for example `CONV_2D`.
        partition: which of the delegate's partitions it is in, from 0 on; None if the runtime's own
            kernel runs it.
    """

    name: str
    partition: int | None


def operators(model: bytes) -> tuple[Operator, ...]:
    """Tell for each operator whether the runtime's default delegate (XNNPACK) takes it.

    Args:
        model: A `.tflite` file's bytes, trusted; any inputs and outputs.

    Returns:
        The operators in the file's order.

    Raises:
        ModelContractError: If the runtime cannot load the model.
        MissingExtraError: If no runtime is installed.
    """
    loaded, _ = _load(model, threads=1)
    # The runtime keeps the file's operators and appends one DELEGATE for each partition, which
    # tells what flows in and out. What lies between is what it replaced.
    listed = loaded._get_ops_details()
    own = [operator for operator in listed if operator["op_name"] != "DELEGATE"]
    delegates = [operator for operator in listed if operator["op_name"] == "DELEGATE"]
    makers = {int(t): index for index, operator in enumerate(own) for t in operator["outputs"]}
    partitions: dict[int, int] = {}
    for partition, delegate in enumerate(delegates):
        given = {int(tensor) for tensor in delegate["inputs"]}
        wanted = [int(tensor) for tensor in delegate["outputs"]]
        while wanted:
            tensor = wanted.pop()
            maker = makers.get(tensor)
            if tensor not in given and maker is not None and maker not in partitions:
                partitions[maker] = partition
                wanted.extend(int(each) for each in own[maker]["inputs"])
    return tuple(Operator(o["op_name"], partitions.get(i)) for i, o in enumerate(own))


def _load(model: bytes, threads: int) -> tuple[Any, str]:
    """A native interpreter, ready to run, and the runtime's name.

    The native side points into `model`, which must live as long as it does.

    Raises:
        ModelContractError: If the bytes are no model.
        MissingExtraError: If no runtime is installed.
    """
    native, runtime = load_runtime()
    # "TFL3" at byte 4 is FlatBuffers' file identifier. The loader crashes or prints to stderr
    # on some other bytes.
    if model[4:8] != b"TFL3":
        raise ModelContractError("the model is not a TFLite file")
    try:
        with _without_info_lines():
            loaded = native(model_content=model, num_threads=threads)
            loaded.allocate_tensors()
    except (ValueError, RuntimeError, SystemError) as error:
        # SystemError: tflite-runtime 2.14 beside NumPy 2.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "unknown reason"
        raise ModelContractError(f"{runtime} cannot load the model: {reason}") from error
    return loaded, runtime


@contextmanager
def _without_info_lines() -> Iterator[None]:
    """Keep native `INFO:` lines off stderr; every other line is passed on.

    The runtimes announce their delegate on file descriptor 2 and have no switch for it, but a
    command's stderr is for what went wrong.
    """
    with _STDERR_LOCK, tempfile.TemporaryFile() as held:
        try:
            original = os.dup(2)
        except OSError:
            # A process without stderr has nothing to keep clean.
            yield
            return
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            held.seek(0)
            lines = held.read().splitlines(keepends=True)
            rest = b"".join(line for line in lines if not line.startswith(b"INFO: "))
            with contextlib.suppress(OSError):
                os.write(original, rest)
            os.close(original)


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
        self._native, self.runtime = _load(model, threads)
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
