"""What a candidate costs: bytes, parameters, and milliseconds in the interpreter.

No training is needed for that: the weights are random, and batch normalization is set so that every
ReLU6 reaches its ceiling on the calibration pictures. All its tensors then share one scale, as
those of a network trained for int8 do, and the graph has the operators that the trained one has.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tf_keras
from numpy.typing import NDArray

from converters.representative import calibration_input, drawn_photographs, network_input
from converters.search.records import Record, WorkFolder, machine
from converters.search.space import Candidate, Space
from converters.tflite.conversion import anatomy, to_tflite
from converters.tflite.delegation import delegation
from converters.tflite.one_partition import without_nearest_resize
from edgeseg.interpreter import Interpreter
from edgeseg.preprocessing import Preprocessing

_SEED = 0
_PICTURES = 4
# Normalized values reach two standard deviations on any picture: times this, 6 is reached.
_GAMMA = 3.0
_WARM_UP = 3
_MIN_INVOCATIONS, _MAX_INVOCATIONS = 12, 60
_MEASURING_MS = 3_000.0

OnProgress = Callable[[str, int, int], None]


def measure_costs(
    space: Space,
    candidates: Sequence[Candidate],
    folder: WorkFolder,
    on_progress: OnProgress | None = None,
) -> list[Record]:
    """Converts each candidate, and measures it in turn with the reference.

    Args:
        space: says which candidate is the reference.
        candidates: what to measure.
        folder: keeps models and records; what is there already is not done again.
        on_progress: called with (step, done, total).

    Returns:
        The candidates' records: ``parameters``, ``model_bytes``, ``operations``, ``delegation``
        (see :class:`converters.tflite.delegation.Delegation`), and ``latency`` with ``ms``,
        ``reference_ms``, ``ratio`` (of the two), ``invocations`` and ``runtime``.

    Raises:
        ModelContractError: TensorFlow cannot convert a candidate.
        EdgesegError: the work folder cannot be used.
    """
    tell: OnProgress = on_progress or (lambda _step, _done, _total: None)
    tell(f"converting {space.reference.name}", 0, len(candidates))
    reference, _ = _converted(space.reference, folder)
    records = []
    for done, candidate in enumerate(candidates):
        record = folder.read("latency", candidate)
        if record is None or record["reference"] != space.reference.name:
            tell(f"converting {candidate.name}", done, len(candidates))
            model, built = _converted(candidate, folder)
            tell(f"measuring {candidate.name}", done, len(candidates))
            measured = {
                "parameters": built["parameters"],
                "model_bytes": built["model_bytes"],
                "operations": built["operations"],
                "delegation": delegation(model).to_dict(),
                "reference": space.reference.name,
                "latency": measure_beside(reference, model),
                "machine": machine(),
            }
            record = folder.write("latency", candidate, measured)
        records.append(record)
    return records


def _converted(candidate: Candidate, folder: WorkFolder) -> tuple[bytes, Record]:
    """A candidate's TFLite bytes and their record, from the folder where they are there."""
    model, record = folder.read_model(candidate), folder.read("model", candidate)
    if model is None or record is None:
        model, record = _built(candidate)
        folder.write_model(candidate, model, record)
    return model, record


def measure_beside(reference: bytes, model: bytes) -> dict[str, Any]:
    """Milliseconds of an invocation of two models, one thread, in turn.

    Processor time of the thread that works is what counts, so that other processes on the machine
    do not; in turn, so that a machine that slows down does so for both.

    Returns:
        Medians ``ms`` and ``reference_ms``, ``ratio`` (model to reference), ``invocations`` and
        ``runtime``.
    """
    models = [Interpreter(reference, threads=1), Interpreter(model, threads=1)]
    rng = np.random.default_rng(_SEED)
    for interpreter in models:
        interpreter.set_input(rng.random(interpreter.input_shape, dtype=np.float32))
    for _ in range(_WARM_UP):
        once_ms = sum(_invoke_ms(interpreter) for interpreter in models)
    rounds = int(min(_MAX_INVOCATIONS, max(_MIN_INVOCATIONS, _MEASURING_MS / once_ms)))
    pairs = [tuple(_invoke_ms(interpreter) for interpreter in models) for _ in range(rounds)]
    reference_ms, model_ms = (statistics.median(times) for times in zip(*pairs, strict=True))
    return {
        "ms": model_ms,
        "reference_ms": reference_ms,
        "ratio": model_ms / reference_ms,
        "invocations": rounds,
        "runtime": models[0].runtime,
    }


def _invoke_ms(interpreter: Interpreter) -> float:
    start = time.thread_time_ns()
    interpreter.invoke()
    return (time.thread_time_ns() - start) / 1e6


def _built(candidate: Candidate) -> tuple[bytes, Record]:
    """TFLite bytes of a candidate with random weights, and what is to be told of them."""
    tf_keras.utils.set_random_seed(_SEED)
    preprocessing = Preprocessing(candidate.input_px, "stretch")
    pictures = calibration_input(
        network_input(drawn_photographs(_PICTURES, _SEED), preprocessing), preprocessing
    )
    model = candidate.network.build(tf_keras, candidate.input_px, sigmoid=True)
    parameters = int(model.count_params())
    _settle(model, pictures)
    converted = without_nearest_resize(to_tflite(model, candidate.quantization, pictures))
    record = {
        "parameters": parameters,
        "model_bytes": len(converted),
        "operations": anatomy(converted).operations,
    }
    # Each network stays in Keras's global graph otherwise, and a search makes many.
    tf_keras.backend.clear_session()
    return converted, record


def _settle(model: Any, pictures: NDArray[np.float32]) -> None:
    """Sets every batch normalization's statistics to the pictures' own, and a wide spread."""
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.momentum = 0.0
            layer.gamma.assign(np.full(layer.gamma.shape, _GAMMA, np.float32))
    # In one pass: each layer normalizes by the statistics of what the layers before it gave.
    model(pictures, training=True)
