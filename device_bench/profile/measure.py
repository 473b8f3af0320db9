"""Times a model's parts in turns; runs in a child process, for a damaged model can crash it.

A part alone is not quite what it is in the whole, so each is brought near it before it is timed:

- Its inputs are written just before, as the operator before it would have: they lie in the CPU's
  caches. They are what the parts before it gave, from the same input as the whole model's.
- So is its output's memory. Within the whole, outputs take over memory that was in use a moment
  ago; a part alone has memory of its own, which nobody touched since the last round.
- Its weights are as the last round left them, with all other parts run since: as in the whole.
- The constant cost of an invocation, which the whole pays once and every part again, is measured on
  a part without operators and taken off. What the delegate adds for each part stays in.

With one thread the clock is that thread's CPU time: on a machine that does something else too, an
invocation of the whole is interrupted and the short ones of its parts hardly ever are, and by the
wall's clock they would not add up. With more threads CPU time adds the threads up, and the wall's
clock it is.

Before anything is timed the parts run one after the other, and the last ones must give what the
whole gives.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_bench.errors import BenchError
from device_bench.profile.blocks import Block, blocks_of
from device_bench.profile.cut import Cutter
from device_bench.profile.graph import Graph, Part
from device_bench.targets.model import drawn_input
from edgeseg import runtime
from edgeseg.errors import ModelContractError

WARM_UP_ROUNDS = 2
# The part without operators is timed after every so many others, to lie as cold as they do.
EMPTY_EVERY = 8
# Neighbours that the delegate fuses in the whole are rounded once more between parts: one step of
# an integer, and some of float32's 24 bits in a sum of hundreds of products.
LARGEST_INTEGER_DIFFERENCE = 1
LARGEST_RELATIVE_DIFFERENCE = 1e-3
_SEED = 7

_Values = NDArray[Any]
_Source = Callable[[], _Values]


class Measurement:
    """The whole model and all of its parts, loaded and checked.

    Args:
        model: A ``.tflite`` file's bytes.
        threads: Threads of each interpreter.
        folder: An existing folder for one file of the model's size.

    Attributes:
        graph: The operators.
        blocks: Them in groups.
        clock: ``cpu`` or ``wall``, see above.
        notes: What a reader must know, a sentence each.

    Raises:
        ModelContractError: The model is none, or one that cannot be cut.
        BenchError: The parts do not give what the whole gives.
    """

    def __init__(self, model: bytes, threads: int, folder: Path) -> None:
        self.notes: list[str] = []
        # The native side points into these bytes.
        self._model, self._threads = model, threads
        self.clock = "cpu" if threads == 1 else "wall"
        self._clock = time.thread_time_ns if threads == 1 else time.perf_counter_ns
        self._file = folder / "part.tflite"
        self._file.write_bytes(model)
        self._whole, _ = runtime.load_model(model, threads)
        self._cutter = Cutter(model)
        self.graph = Graph(model, self._whole)
        self.blocks: list[Block] = blocks_of(self.graph.nodes)
        generator = np.random.default_rng(_SEED)
        self._drawn = {
            int(details["index"]): drawn_input(details, generator)
            for details in self._whole.get_input_details()
        }
        self._sources: dict[int, _Source] = {
            tensor: lambda values=values: values  # type: ignore[misc]
            for tensor, values in self._drawn.items()
        }
        self._operators = {
            node.index: self._run(self.graph.part([node.index]), f"operator {node.index}")
            for node in self.graph.nodes
            if not node.constant
        }
        self._check()
        self._blocks = [
            [self._run(self.graph.part(run), f"block {block.name}") for run in block.runs()]
            for block in self.blocks
        ]
        first = self.graph.inputs[0]
        self._empty = self._run(Part((), (first,), (first,)), "a part without operators")
        for _ in range(WARM_UP_ROUNDS):
            self.round()

    def round(self) -> dict[str, Any]:
        """Time everything once.

        Returns:
            Nanoseconds: ``whole`` and ``empty``, lists; ``operators`` and ``blocks``, lists in the
            order of the nodes that are not constant and of ``blocks``.
        """
        operators: list[int] = []
        empty: list[int] = []
        clock = self._clock
        gc.collect()
        gc.disable()
        try:
            whole = [self._time_whole()]
            for count, part in enumerate(self._operators.values()):
                operators.append(part.time_ns(clock))
                if count % EMPTY_EVERY == 0:
                    empty.append(self._empty.time_ns(clock))
            whole.append(self._time_whole())
            blocks = [sum(part.time_ns(clock) for part in runs) for runs in self._blocks]
            whole.append(self._time_whole())
        finally:
            gc.enable()
        return {"whole": whole, "empty": empty, "operators": operators, "blocks": blocks}

    def _time_whole(self) -> int:
        """The second of two invocations: the first finds the caches full of the parts."""
        self._whole.invoke()
        for tensor, values in self._drawn.items():
            self._whole.set_tensor(tensor, values)
        invoke, clock = self._whole.invoke, self._clock
        started_ns = clock()
        invoke()
        return clock() - started_ns

    def _run(self, part: Part, name: str) -> _Running:
        """Load a part and run it once; what it gives becomes the source of its outputs."""
        try:
            with self._file.open("r+b") as file:
                for place, data in self._cutter.part(part.operators, part.inputs, part.outputs):
                    file.seek(place)
                    file.write(data)
            # All parts map this one file, so it is in memory once. An interpreter reads what
            # differs between them only while it is made.
            native, _ = runtime.load_model_file(str(self._file), self._threads)
            running = _Running(native, {t: self._sources[t] for t in part.inputs}, part.outputs)
        except (ModelContractError, RuntimeError, ValueError) as error:
            raise BenchError(f"{name} cannot run without the others: {error}") from error
        for tensor in part.outputs:
            self._sources.setdefault(tensor, native.tensor(tensor))
        self._note_delegation(part, native, name)
        return running

    def _note_delegation(self, part: Part, native: Any, name: str) -> None:
        if not name.startswith("operator "):
            return
        node = self.graph.nodes[part.operators[-1]]
        alone = any(one["op_name"] == "DELEGATE" for one in native._get_ops_details())
        if alone != (node.partition is not None):
            runner = (
                "the delegate runs it alone" if alone else "the delegate does not take it alone"
            )
            self.notes.append(f"{name} ({node.type}): {runner}, other than within the whole")

    def _check(self) -> None:
        self._time_whole()
        for tensor in self.graph.outputs:
            whole, parts = self._whole.get_tensor(tensor), self._sources[tensor]()
            if not _alike(whole, parts):
                raise BenchError(
                    "the model's operators, run one by one, do not give what it gives as a whole: "
                    "it cannot be profiled in parts"
                )


class _Running:
    """A part's interpreter."""

    def __init__(
        self, native: Any, sources: Mapping[int, _Source], outputs: tuple[int, ...]
    ) -> None:
        self._native = native
        self._sources = [(tensor, source) for tensor, source in sources.items()]
        shapes = {int(d["index"]): tuple(d["shape"]) for d in native.get_input_details()}
        odd = {t: s().shape for t, s in self._sources if s().shape != shapes[t]}
        for tensor, shape in odd.items():
            native.resize_tensor_input(tensor, shape)
        if odd:
            native.allocate_tensors()
        self._feed()
        native.invoke()
        numbers = {
            int(d["index"])
            for d in native.get_output_details()
            if np.issubdtype(d["dtype"], np.number)
        }
        self._touched = [native.tensor(t) for t in outputs if t in numbers and t not in sources]

    def time_ns(self, clock: Callable[[], int]) -> int:
        """Bring inputs and outputs into the caches and time one invocation."""
        for values in self._touched:
            values()[...] = 0
        self._feed()
        invoke = self._native.invoke
        started_ns = clock()
        invoke()
        return clock() - started_ns

    def _feed(self) -> None:
        for tensor, source in self._sources:
            self._native.set_tensor(tensor, source())


def _alike(first: _Values, second: _Values) -> bool:
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    if np.issubdtype(first.dtype, np.floating):
        finite = first[np.isfinite(first)]
        largest = float(np.abs(finite).max()) if finite.size else 0.0
        bound = LARGEST_RELATIVE_DIFFERENCE * largest
        return bool(np.allclose(first, second, rtol=0, atol=bound, equal_nan=True))
    if np.issubdtype(first.dtype, np.integer):
        difference = np.abs(first.astype(np.int64) - second.astype(np.int64))
        return bool((difference <= LARGEST_INTEGER_DIFFERENCE).all())
    return bool((first == second).all())
