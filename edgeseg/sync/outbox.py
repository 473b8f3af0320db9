"""Sends what waits to wherever a fleet is watched: sync reports, and what workers confirmed."""

from __future__ import annotations

import json
from pathlib import Path

from edgeseg import limits
from edgeseg.errors import EdgesegError
from edgeseg.files import read_bounded, write_atomic
from edgeseg.sync import confirmations
from edgeseg.sync.gathered import file_name, sent_name
from edgeseg.sync.report import SUFFIX, decode_report
from edgeseg.sync.transfer.caps import Caps
from edgeseg.sync.transfer.web import Web, is_web

_MAX_SECONDS, _SILENCE_S = 60.0, 15.0


def send(outbox: Path, to: str, device: str) -> int:
    """Send what waits in the outbox; what cannot be sent waits on.

    Args:
        outbox: the folder.
        to: ``http(s)://`` to post to, each report as one JSON document and confirmations as some of
            ``{"device": ..., "confirmations": [...]}``, or a folder to put them in.
        device: this one's name.

    Returns:
        How many reports were sent.

    Raises:
        DownloadError: where they go is not reached.
        EdgesegError: the folder cannot be written.
    """
    web = Web(to, Caps(max_seconds=_MAX_SECONDS, silence_s=_SILENCE_S)) if is_web(to) else None
    sent = _send_reports(outbox, to, web)
    for path in sorted(outbox.glob(f"*{confirmations.SUFFIX}")):
        _send_confirmations(path, to, web, device)
    return sent


def _send_reports(outbox: Path, to: str, web: Web | None) -> int:
    sent = 0
    for path in sorted(outbox.glob(f"*{SUFFIX}")):
        try:
            data = read_bounded(path, limits.MAX_REPORT_FILE_BYTES, "report")
            device = decode_report(data).device
        except EdgesegError:
            # One that cannot be read now never will be, and must not keep the others.
            path.unlink(missing_ok=True)
            continue
        if web is not None:
            web.post(data)
        else:
            # Named by the device, for a folder gathers those of many.
            write_atomic(Path(to) / f"{file_name(device)}-{path.name}", data)
        path.unlink(missing_ok=True)
        sent += 1
    return sent


def _send_confirmations(path: Path, to: str, web: Web | None, device: str) -> None:
    """Send a file of them; cut short, all of it is sent again, and each has its id."""
    for number, batch in enumerate(confirmations.batches(path)):
        if web is not None:
            told = {"device": device, "confirmations": [json.loads(line) for line in batch]}
            web.post(json.dumps(told, sort_keys=True).encode())
        else:
            name = sent_name(device, path.stem, number)
            write_atomic(Path(to) / name, b"".join(line + b"\n" for line in batch))
    path.unlink(missing_ok=True)
