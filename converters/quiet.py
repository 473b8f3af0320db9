"""TensorFlow's native log lines, kept off a command's stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_native_stderr() -> Iterator[None]:
    """Lets only Python write to stderr: native libraries write to its descriptor, 2.

    TensorFlow prints a banner when it is imported and remarks while it converts, before any
    setting of its own is read. Errors come as exceptions either way.
    """
    sys.stderr.flush()
    kept, python_stderr = os.dup(2), sys.stderr
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        # Line by line, as stderr is: whoever reads it through a pipe waits for progress.
        with open(kept, "w", 1, "utf-8", errors="backslashreplace", closefd=False) as stream:
            sys.stderr = stream
            yield
    finally:
        sys.stderr = python_stderr
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
