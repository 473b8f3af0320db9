"""Ways in which a device cannot be used, each with the words that have to tell it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.device_bench.remote.sshd import Device, free_port

THIS_PYTHON = ["--remote-python", sys.executable]


@dataclass(frozen=True)
class Fault:
    """A fault, and how it comes about.

    Attributes:
        name: of the fault.
        words: a regular expression that occurs in the one line that is told.
        arguments: of ``edgeseg bench run``, given a device and a model.
        kind: of the device, see ``sshd.device``.
    """

    name: str
    words: str
    arguments: Callable[[Device, Path], list[str]]
    kind: Mapping[str, Any] = field(default_factory=dict)


def _old_python(device: Device, _model: Path) -> list[str]:
    old = device.tools / "python3"
    old.write_text("#!/bin/sh\necho Python 3.7.3\n")
    old.chmod(0o755)
    return device.arguments()


def _no_space(device: Device, _model: Path) -> list[str]:
    disk = device.small_disk()
    return device.arguments(*THIS_PYTHON, *([] if disk is None else ["--remote-tmp", str(disk)]))


def _damaged(device: Device, model: Path) -> list[str]:
    damaged = device.folder / "damaged.tflite"
    damaged.write_bytes(model.read_bytes()[:200])
    return device.arguments(*THIS_PYTHON, "--samples", "1", "--", str(damaged))


FAULTS = (
    Fault(
        "no such host",
        r"ssh://no-such-host\.invalid: there is no such host",
        lambda _device, _model: ["--on", "ssh://no-such-host.invalid"],
    ),
    Fault(
        "nobody listens",
        "it refuses the connection: is sshd running",
        lambda _device, _model: ["--on", f"ssh://127.0.0.1:{free_port()}"],
    ),
    Fault(
        "a host key that is not known",
        r"its host key is not known here: log in once by hand .* \(ssh -p",
        lambda device, _model: device.arguments(knows=None),
    ),
    Fault(
        "a host key that has changed",
        r"its host key is not the one known here: .*ssh-keygen -R '\[127",
        lambda device, _model: device.arguments(knows="other_key"),
    ),
    Fault(
        "no key that is accepted",
        "it accepts none of your keys, .*ssh-copy-id",
        lambda device, _model: device.arguments(key="other_key"),
    ),
    Fault(
        "no Python",
        r"it has no Python 3\.10 to 3\.13 on its PATH: install one, or name one",
        lambda device, _model: device.arguments(),
        {"bare": True},
    ),
    Fault(
        "a Python that is too old",
        r"no Python 3\.10 to 3\.13 on its PATH \(python3 is Python 3\.7\.3\): install",
        _old_python,
        {"bare": True},
    ),
    Fault(
        "a Python that is not there",
        r"/opt/no/python is no Python 3\.10 to 3\.13 there",
        lambda device, _model: device.arguments("--remote-python", "/opt/no/python"),
    ),
    Fault(
        "no folder",
        r"no folder can be made there \(/proc: mktemp: .*name one with --remote-tmp DIR",
        lambda device, _model: device.arguments(*THIS_PYTHON, "--remote-tmp", "/proc"),
    ),
    Fault(
        "no space",
        # On a small disk where one can be mounted, else for files that may not grow.
        r"(No space left on device|File too large) in /.*MB: free some, or name another folder",
        _no_space,
        {"prelude": "ulimit -f 3000"},
    ),
    Fault(
        "a bench that fails there",
        r"ssh://\S+: .*damaged\.tflite",
        _damaged,
    ),
)
