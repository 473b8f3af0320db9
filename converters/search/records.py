"""What is known of each candidate, one JSON file a phase in a work folder.

A file is written whole once its candidate is done, so a search that was killed goes on where it
was. A record of another candidate under the same name (the space was edited) does not count.
"""

from __future__ import annotations

import json
import os
import platform
import re
from pathlib import Path
from typing import Any, Literal

from converters.search.space import Candidate
from edgeseg.errors import EdgesegError
from edgeseg.files import read_bounded, write_atomic
from edgeseg.limits import MAX_BUNDLE_BYTES, MAX_REPORT_BYTES

Record = dict[str, Any]
Phase = Literal["model", "latency", "training"]


class WorkFolder:
    """The results of a search.

    Args:
        path: the folder; made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def read(self, phase: Phase, candidate: Candidate) -> Record | None:
        """A candidate's record; None where there is none, or one of another candidate.

        Raises:
            EdgesegError: the file cannot be read.
        """
        path = self._record(phase, candidate)
        if not path.is_file():
            return None
        try:
            record = json.loads(read_bounded(path, MAX_REPORT_BYTES, "search record"))
            same = record["candidate"] == json.loads(json.dumps(candidate.to_dict()))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise EdgesegError(f"{path}: damaged ({error}); delete it to do it again") from error
        return record if same else None

    def write(self, phase: Phase, candidate: Candidate, record: Record) -> Record:
        """Keeps a candidate's record, and returns it as ``read`` would.

        Raises:
            EdgesegError: the folder cannot be written to.
        """
        text = json.dumps({"candidate": candidate.to_dict(), **record}, indent=1)
        write_atomic(self._file(phase, candidate, "json"), text.encode())
        return dict(json.loads(text))

    def read_model(self, candidate: Candidate) -> bytes | None:
        """A candidate's TFLite bytes; None where they are not made yet."""
        if self.read("model", candidate) is None:
            return None
        return read_bounded(self._model(candidate), MAX_BUNDLE_BYTES, "model")

    def write_model(self, candidate: Candidate, model: bytes, record: Record) -> None:
        """Keeps a candidate's TFLite bytes, then their record."""
        write_atomic(self._file("model", candidate, "tflite"), model)
        self.write("model", candidate, record)

    def common_file(self, name: str) -> Path:
        """A file that belongs to no candidate; its folder is there."""
        return self._made(".") / name

    def run_folder(self, candidate: Candidate, label: str) -> Path:
        """Where a candidate's short training keeps its state; ``label`` tells set-ups apart."""
        name = re.sub(r"[^A-Za-z0-9._-]", "-", f"{candidate.name}-{label}")
        return self._made("runs") / name

    def _file(self, phase: Phase, candidate: Candidate, suffix: str) -> Path:
        return self._made(phase) / f"{candidate.name}.{suffix}"

    def _record(self, phase: Phase, candidate: Candidate) -> Path:
        return self.path / phase / f"{candidate.name}.json"

    def _model(self, candidate: Candidate) -> Path:
        return self.path / "model" / f"{candidate.name}.tflite"

    def _made(self, name: str) -> Path:
        folder = self.path / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EdgesegError(f"cannot make {folder}: {error.strerror or error}") from error
        return folder


def machine() -> str:
    """Processor and cores, in words."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []  # not Linux: the plain name does
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else name}, {os.cpu_count()} cores"
