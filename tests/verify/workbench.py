"""What the checks share: the data, the bundles, a place to work and the command itself."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseg.errors import EdgesegError
from edgeseg.files import sha256_hex
from edgeseg.formats.bundle import Bundle
from edgeseg.presets import open_bundle
from tests.verify.figure import NotMeasuredError

REPOSITORY = Path(__file__).resolve().parents[2]
# The command of this working tree under this Python, also where it is not installed.
EDGESEG = (sys.executable, "-c", "import sys; from edgeseg.cli import main; sys.exit(main())")
_MAX_TOLD_CHARS = 300


@dataclass(frozen=True)
class Workbench:
    """Where to measure.

    Attributes:
        data: folder of real photographs.
        work: folder for what is made on the way.
        bundle: the bundle to measure; None takes the default that edgeseg carries.
        segmenter: checkpoint of the float original of ``bundle``'s segmenter.
    """

    data: Path
    work: Path
    bundle: Path | None
    segmenter: Path

    @property
    def bundle_options(self) -> list[str]:
        """``--bundle`` for a command, where it is not the default."""
        return [] if self.bundle is None else ["--bundle", str(self.bundle)]

    def open_bundle(self) -> Bundle:
        """The bundle to measure.

        Raises:
            NotMeasuredError: there is none, or it is damaged.
        """
        try:
            return open_bundle(self.bundle)
        except EdgesegError as error:
            raise NotMeasuredError(str(error)) from error

    def int8_bundle(self) -> Bundle:
        """As :meth:`open_bundle`, for figures that are promised of int8 only.

        Raises:
            NotMeasuredError: also where its segmenter is not int8 throughout.
        """
        bundle = self.open_bundle()
        recipe = bundle.manifest.segmenter.recipe
        if not recipe.endswith("_wi8_ai8"):
            raise NotMeasuredError(f"the bundle's segmenter is of recipe {recipe}, not int8")
        return bundle

    def need(self, *names: str) -> list[Path]:
        """Paths below the data folder.

        Raises:
            NotMeasuredError: one of them is not there.
        """
        paths = [self.data / name for name in names]
        for path in paths:
            if not path.exists():
                raise NotMeasuredError(f"{path} is not on this machine")
        return paths

    def edgeseg(self, *arguments: str) -> dict[str, Any]:
        """Run a command with ``--json`` in a process of its own, and give its document.

        Raises:
            NotMeasuredError: it fails; with its own last line.
        """
        return run_json(*arguments)

    @functools.cached_property
    def float_bundle(self) -> Path:
        """The same segmenter converted in float32, made once.

        Raises:
            NotMeasuredError: the checkpoint or the ``convert`` extra is absent.
        """
        if not self.segmenter.is_file():
            raise NotMeasuredError(f"there is no checkpoint {self.segmenter}")
        # Named by the checkpoint, so that a kept folder serves several.
        digest = sha256_hex(self.segmenter.read_bytes())
        path = self.work / f"float32-{digest[:12]}.bundle"
        if not path.is_file():
            self.edgeseg("convert", str(self.segmenter), "--recipe", "float32", "-o", str(path))
        return path


@functools.cache
def run_json(*arguments: str) -> dict[str, Any]:
    """As ``Workbench.edgeseg``; one command is run once, however many checks need its figures."""
    told = run([*EDGESEG, *arguments, "--json"], f"edgeseg {arguments[0]}")
    document: dict[str, Any] = json.loads(told)
    return document


def run(command: Sequence[str], name: str, cwd: Path = REPOSITORY) -> str:
    """Run a command and give its stdout.

    Raises:
        NotMeasuredError: it cannot be started, or fails; with its last line on stderr.
    """
    # TensorFlow's banner would be taken for the reason of a failure.
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise NotMeasuredError(f"{name}: {error.strerror}") from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        reason = lines[-1][:_MAX_TOLD_CHARS]
        raise NotMeasuredError(f"{name} ended with exit code {done.returncode}: {reason}")
    return done.stdout
