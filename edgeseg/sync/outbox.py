"""Sends the sync reports that wait, to wherever a fleet is watched."""

from __future__ import annotations

import json
from pathlib import Path

import urllib3

from edgeseg import limits
from edgeseg.errors import DownloadError, EdgesegError
from edgeseg.files import read_bounded, write_atomic
from edgeseg.sync.report import SUFFIX

_POST_TIMEOUT_S = 20.0


def send(outbox: Path, to: str) -> int:
    """Send what waits in the outbox; what cannot be sent waits on.

    Args:
        outbox: the folder.
        to: ``http(s)://`` to post to, each report as one JSON document, or a folder to put them in.

    Returns:
        How many were sent.

    Raises:
        DownloadError: where they go is not reached.
        EdgesegError: the folder cannot be written.
    """
    sent = 0
    for path in sorted(outbox.glob(f"*{SUFFIX}")):
        try:
            data = read_bounded(path, limits.MAX_REPORT_FILE_BYTES, "report")
        except EdgesegError:
            # One that cannot be read now never will be, and must not keep the others.
            path.unlink(missing_ok=True)
            continue
        if to.startswith(("http://", "https://")):
            _post(to, data)
        else:
            # Named by the device, for a folder gathers those of many.
            device = json.loads(data).get("device", "device")
            write_atomic(Path(to) / f"{_file_name(device)}-{path.name}", data)
        path.unlink(missing_ok=True)
        sent += 1
    return sent


def _post(url: str, data: bytes) -> None:
    try:
        answer = urllib3.request(
            "POST",
            url,
            body=data,
            headers={"Content-Type": "application/json"},
            timeout=urllib3.Timeout(_POST_TIMEOUT_S),
            retries=False,
            redirect=False,
        )
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise DownloadError(f"reports are not sent: {url} is not reached ({error})") from error
    if not 200 <= answer.status < 300:
        raise DownloadError(f"reports are not sent: {url} answers {answer.status}")


def _file_name(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in text)[:60] or "device"
