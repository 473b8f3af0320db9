"""A pretended ``adb``, whose ``shell`` is this machine's: no phone was tried."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from tests.device_bench.remote.sshd import files_below, processes_with, wait_until

# It knows one serial number, and of adb's commands the one that is used.
_PROGRAM = """#!/bin/sh
[ "$1" = -s ] && [ "$3" = shell ] && [ "$4" = -T ] && [ $# = 5 ] || exit 99
[ "$2" = {serial} ] || {{ echo "adb: device '$2' not found" >&2; exit 1; }}
cd / && exec env -i PATH={path} TMPDIR={tmp} sh -c "$5"
"""


class Phone:
    """A device that the pretended adb reaches.

    Args:
        folder: An empty folder.
    """

    serial = "emulator-5554"
    address = f"adb://{serial}"
    python = sys.executable

    def __init__(self, folder: Path) -> None:
        self.tmp = folder / "tmp"
        self.tools = folder / "platform-tools"
        self.tmp.mkdir(parents=True)
        self.tools.mkdir()
        program = self.tools / "adb"
        path = shlex.quote(os.environ["PATH"])
        program.write_text(_PROGRAM.format(serial=self.serial, path=path, tmp=self.tmp))
        program.chmod(0o755)

    def left(self) -> list[str]:
        """Files and processes."""
        return [*files_below(self.tmp), *processes_with(str(self.tmp))]

    def gone(self) -> bool:
        """Whether nothing is left."""
        wait_until(lambda: not self.left())
        return True
