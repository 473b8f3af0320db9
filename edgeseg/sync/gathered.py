"""What the workers of many devices confirmed: files and folders of it, read within bounds.

It comes from devices, so nobody vouches for it. A line that is no confirmation is passed over and
counted, a file of hardly anything else is given up, and all files together are read up to a bound.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from edgeseg import limits
from edgeseg.errors import DatasetError, EdgesegError, FormatError
from edgeseg.files import read_bounded
from edgeseg.sync.confirmations import SUFFIX, Confirmation

_MAX_NAME_CHARS = 60
# As `sent_name` makes them of the files that `ConfirmationLog.take` leaves to be sent.
_SENT = re.compile(rf"(.+)-confirmations-[0-9a-f]{{12}}-\d-\d+{re.escape(SUFFIX)}", re.DOTALL)


class Gathering:
    """The confirmations of files and folders; iterate it to read them, each with its file.

    The same confirmation may have come twice, and is given once. The order is that of the files'
    names. The counts are of the last iteration, as far as it has come.

    Args:
        paths: files of JSON lines, and folders: all files in them, and below, whose names end so.

    Attributes:
        arrived: confirmations that were given.
        damaged: lines that are none.
        unread: a line for each file that cannot be read, or not to its end.
        beyond: files that were left out, for the others are as much as is read.

    Raises:
        DatasetError: a path is missing.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._files: list[Path] = []
        for path in paths:
            if not path.exists():
                raise DatasetError(f"{path}: there is no such file or folder")
            self._files += sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]
        self._start()

    def __iter__(self) -> Iterator[tuple[Path, Confirmation]]:
        self._start()
        seen: set[str] = set()
        read_bytes = 0
        for file in self._files:
            if read_bytes >= limits.MAX_GATHERED_BYTES:
                self.beyond += 1
                continue
            try:
                data = read_bounded(file, 2 * limits.MAX_CONFIRMATIONS_FILE_BYTES, "confirmations")
            except EdgesegError as error:
                self.unread.append(str(error))
                continue
            read_bytes += len(data)
            for confirmation in self._in(file, data):
                if confirmation.id not in seen:
                    seen.add(confirmation.id)
                    self.arrived += 1
                    yield file, confirmation

    def problems(self) -> list[str]:
        """What was passed over, in a line for each kind of it; empty where nothing was."""
        told = []
        if self.damaged:
            told.append(f"{self.damaged:,} damaged lines of confirmations are passed over")
        if self.unread:
            told.append(
                f"{len(self.unread):,} files of confirmations are not read to their end; the "
                f"first: {self.unread[0]}"
            )
        if self.beyond:
            told.append(
                f"{self.beyond:,} files of confirmations are left out: "
                f"{limits.MAX_GATHERED_BYTES:,} bytes are read at most"
            )
        return told

    def _start(self) -> None:
        self.arrived = self.damaged = self.beyond = 0
        self.unread: list[str] = []

    def _in(self, file: Path, data: bytes) -> Iterator[Confirmation]:
        damaged = 0
        # Not split at once: a file of line feeds would take many times its bytes.
        for line in io.BytesIO(data):
            if not line.strip():
                continue
            try:
                confirmation = Confirmation.from_line(line)
            except FormatError:
                damaged += 1
                self.damaged += 1
                if damaged > limits.MAX_DAMAGED_LINES:
                    self.unread.append(
                        f"{file}: more than {limits.MAX_DAMAGED_LINES:,} are damaged"
                    )
                    return
            else:
                yield confirmation


def file_name(device: str) -> str:
    """A device's name as the names of its files begin in a folder that gathers those of many."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in device)[:_MAX_NAME_CHARS] or (
        "device"
    )


def sent_name(device: str, stem: str, number: int) -> str:
    """The name of a file of confirmations in a folder that gathers those of many devices.

    Args:
        device: whose they are.
        stem: of the file that waited to be sent.
        number: of the batch.
    """
    return f"{file_name(device)}-{stem}-{number}{SUFFIX}"


def sender(file: Path) -> str | None:
    """The :func:`file_name` of the device that sent a file; None where its name does not tell."""
    found = _SENT.fullmatch(file.name)
    return None if found is None else found[1]
