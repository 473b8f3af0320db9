"""Sync reports: what each sync came to, one small JSON file each."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from edgeseg import limits
from edgeseg.errors import EdgesegError, FormatError
from edgeseg.files import read_bounded, write_atomic
from edgeseg.formats.document import Fields, parse_object
from edgeseg.sync.clock import time_of, time_text

SUFFIX = ".json"
_MAX_ERROR_CHARS = 500
_RESULTS = ("activated", "current", "failed", "rolled back")


@dataclass(frozen=True)
class SyncReport:
    """What a sync came to.

    Attributes:
        device: its name.
        finished: when, by the device's clock, in UTC.
        result: ``activated``, ``current``, ``failed`` or ``rolled back``.
        from_generation, to_generation: in use before and after it; None for none.
        edgeseg: the version.
        published_generation: the publisher's, as far as it was believed; None where nothing was.
        deltas: how many were applied.
        received_bytes: from the network.
        requests: to the server.
        seconds: it took.
        error_kind: the error's class where it failed, else empty.
        error: its message.
        shard: what is followed; None follows a catalogue that is no shard.
    """

    device: str
    finished: datetime
    result: str
    from_generation: int | None
    to_generation: int | None
    edgeseg: str
    published_generation: int | None = None
    deltas: int = 0
    received_bytes: int = 0
    requests: int = 0
    seconds: float = 0.0
    error_kind: str = ""
    error: str = ""
    shard: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON; without a shard where there is none, as before there were any."""
        document = asdict(self) | {"finished": time_text(self.finished)}
        if self.shard is None:
            del document["shard"]
        return document

    def to_bytes(self) -> bytes:
        """The file, for people and programs."""
        return (json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n").encode()


def read_report(path: Path) -> SyncReport:
    """Read a report.

    Raises:
        FormatError: it is none.
        EdgesegError: it cannot be read.
    """
    return decode_report(
        read_bounded(path, limits.MAX_REPORT_FILE_BYTES, "report"), f"report {path.name}"
    )


def decode_report(data: bytes, what: str = "the report") -> SyncReport:
    """Read a report that is in memory.

    Raises:
        FormatError: it is none.
    """
    fields = Fields(parse_object(data, limits.MAX_REPORT_FILE_BYTES, what), what)
    report = SyncReport(
        device=fields.text("device", limits.MAX_TEXT_CHARS),
        finished=time_of(fields.text("finished"), what),
        result=fields.text("result"),
        from_generation=_generation(fields, "from_generation"),
        to_generation=_generation(fields, "to_generation"),
        published_generation=_generation(fields, "published_generation"),
        deltas=fields.integer("deltas", 0, limits.MAX_DELTAS),
        received_bytes=fields.integer("received_bytes", 0, 2**53 - 1),
        requests=fields.integer("requests", 0, 2**53 - 1),
        seconds=fields.number("seconds"),
        error_kind=fields.text("error_kind"),
        error=fields.text("error"),
        edgeseg=fields.text("edgeseg"),
        shard=fields.text("shard", limits.MAX_SHARD_NAME_CHARS) if fields.has("shard") else None,
    )
    fields.done()
    if report.result not in _RESULTS:
        raise FormatError(f"{what} has a result that is none of {', '.join(_RESULTS)}")
    return report


def last_report(reports: Path) -> SyncReport | None:
    """The newest that can be read; None where there is none."""
    for path in sorted(reports.glob(f"*{SUFFIX}"), reverse=True):
        with contextlib.suppress(EdgesegError):
            return read_report(path)
    return None


def one_line(error: BaseException) -> str:
    """An error's message, short and printable."""
    text = "".join(c if c.isprintable() else " " for c in str(error))
    return text[:_MAX_ERROR_CHARS]


def keep(report: SyncReport, reports: Path, outbox: Path | None) -> None:
    """Write a report; the oldest of very many go.

    Args:
        report: to keep.
        reports: the folder for it.
        outbox: the folder of those to send; None to send none.

    Raises:
        EdgesegError: it cannot be written.
    """
    # In the order in which they were written, also within a second.
    fraction = f"{time.time_ns() % 10**9:09d}"
    name = f"{report.finished:%Y%m%dT%H%M%SZ}-{fraction}-{secrets.token_hex(2)}{SUFFIX}"
    for folder in (reports, outbox):
        if folder is not None:
            write_atomic(folder / name, report.to_bytes())
            for old in sorted(folder.glob(f"*{SUFFIX}"))[: -limits.MAX_KEPT_REPORTS]:
                with contextlib.suppress(OSError):
                    old.unlink()


def _generation(fields: Fields, name: str) -> int | None:
    value = fields.take(name)
    if value is None:
        return None
    return Fields({name: value}, "a report").integer(name, 0, limits.MAX_GENERATION)
