"""The TFLite runtime: which one is used, and what it says of a model.

The file that knows the packages ai-edge-litert and tflite-runtime. The two have the same
`Interpreter`; LiteRT is maintained and preferred, and tflite-runtime is the only one with 32-bit
ARM wheels. Two environment variables decide for the whole process, to compare and to find a fault:

- `EDGESEG_INTERPRETER`: `ai-edge-litert` or `tflite-runtime`, where both are installed;
- `EDGESEG_XNNPACK`: `off` runs every operator on the runtime's own kernels.
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
from types import ModuleType
from typing import Any

from edgeseg.errors import MissingExtraError, ModelContractError

INTERPRETER_VARIABLE = "EDGESEG_INTERPRETER"
XNNPACK_VARIABLE = "EDGESEG_XNNPACK"
#: The distributions that can be used, the preferred one first.
INTERPRETERS = ("ai-edge-litert", "tflite-runtime")
# File descriptor 2 belongs to the whole process.
_STDERR_LOCK = threading.Lock()


def _imported() -> tuple[ModuleType, str]:
    """The module of the runtime to use, and its name and version."""
    asked = os.environ.get(INTERPRETER_VARIABLE)
    if asked and asked not in INTERPRETERS:
        raise MissingExtraError(
            f"{INTERPRETER_VARIABLE} is {asked!r}: not one of {', '.join(INTERPRETERS)}"
        )
    reasons = []
    for distribution in (asked,) if asked else INTERPRETERS:
        try:
            module = importlib.import_module(f"{distribution.replace('-', '_')}.interpreter")
        except ImportError as error:
            reasons.append(f"{distribution}: {error}")
            continue
        try:
            version = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            # Unpacked by hand onto PYTHONPATH, as on small boards: no metadata, still fine.
            version = "unknown"
        return module, f"{distribution} {version}"
    raise MissingExtraError(
        "no TFLite interpreter is installed: pip install ai-edge-litert (or tflite-runtime on "
        f"32-bit ARM); {'; '.join(reasons)}"
    )


def runtime_name() -> str:
    """Tell which TFLite runtime is used, with its version.

    Raises:
        MissingExtraError: If none is installed, or not the one that `EDGESEG_INTERPRETER` names.
    """
    return _imported()[1]


def uses_xnnpack() -> bool:
    """Whether the runtime's default delegate takes what it can of a model.

    Raises:
        ModelContractError: If `EDGESEG_XNNPACK` is neither `on` nor `off`.
    """
    asked = os.environ.get(XNNPACK_VARIABLE) or "on"
    if asked not in ("on", "off"):
        raise ModelContractError(f"{XNNPACK_VARIABLE} is {asked!r}: not on or off")
    return asked == "on"


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
    return operators_of(load_model(model)[0])


def operators_of(loaded: Any) -> tuple[Operator, ...]:
    """The same of a model that `load_model` has loaded."""
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


def load_model(model: bytes, threads: int = 1) -> tuple[Any, str]:
    """Give the runtime's own interpreter of a model, and the runtime's name and version.

    For a model of any inputs and outputs; `edgeseg.interpreter.Interpreter` is for those of this
    toolkit.

    Args:
        model: A `.tflite` file's bytes, trusted: native loaders crash on crafted ones. The native
            side points into them, so they must live as long as it does.
        threads: Threads that it may use.

    Raises:
        ModelContractError: If the bytes are no model.
        MissingExtraError: If no runtime is installed.
    """
    # "TFL3" at byte 4 is FlatBuffers' file identifier. The loader crashes or prints to stderr
    # on some other bytes.
    if model[4:8] != b"TFL3":
        raise ModelContractError("the model is not a TFLite file")
    return _load({"model_content": model}, threads)


def load_model_file(path: str, threads: int = 1) -> tuple[Any, str]:
    """The same of a file, which the native side maps into memory: nothing of it is copied.

    Args:
        path: A `.tflite` file, trusted. What the interpreter reads at its invocations (the
            constants) must stay as it is while it lives.
        threads: Threads that it may use.

    Raises:
        ModelContractError: If the file is no model.
        MissingExtraError: If no runtime is installed.
    """
    return _load({"model_path": path}, threads)


def _load(source: dict[str, Any], threads: int) -> tuple[Any, str]:
    module, runtime = _imported()
    kernels = module.OpResolverType
    resolver = kernels.AUTO if uses_xnnpack() else kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        with _without_info_lines():
            loaded = module.Interpreter(
                **source, num_threads=threads, experimental_op_resolver_type=resolver
            )
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
