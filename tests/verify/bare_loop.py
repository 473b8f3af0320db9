"""A bare loop over the interpreter, in a process of its own: what `edgeseg bench` is held against.

It knows nothing of edgeseg. ``python bare_loop.py MODEL`` loads a ``.tflite`` file, fills its
inputs with noise, and for each line of input, a number, prints so many times in nanoseconds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    from tflite_runtime.interpreter import Interpreter


def main() -> None:
    """Load, then serve."""
    interpreter = Interpreter(model_content=Path(sys.argv[1]).read_bytes(), num_threads=1)
    interpreter.allocate_tensors()
    rng = np.random.default_rng(7)
    for line in sys.stdin:
        times_ns = []
        for _ in range(int(line)):
            for details in interpreter.get_input_details():
                drawn = rng.integers(-128, 128, details["shape"]).astype(details["dtype"])
                interpreter.set_tensor(details["index"], drawn)
            started_ns = time.perf_counter_ns()
            interpreter.invoke()
            times_ns.append(time.perf_counter_ns() - started_ns)
        sys.stdout.write(json.dumps(times_ns) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
