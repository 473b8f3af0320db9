"""Requests that are refused: what the sender is told, and the one line that the log gets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from edgeseg import limits
from edgeseg.sync.clock import now, time_text

# Takes one line without its line feed.
Log = Callable[[str], None]


class RefusedError(Exception):
    """A request that is not answered as asked.

    Attributes:
        status: HTTP's status code, 400 or above.
        message: what the sender is told: one sentence, and nothing of this machine's files.
        why: what the log says beyond that.
        headers: to answer with beside it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        why: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message = status, message
        self.why = message if why is None else why
        self.headers = dict(headers or {})


def refusal_line(status: int, why: str, scope: Mapping[str, Any]) -> str:
    """What the log says of a refused request: one JSON object on one line, in ASCII.

    Whatever the request held, no line break and no terminal's escape code gets into the log.

    Args:
        status: that it was answered with.
        why: the reason.
        scope: ASGI's, of the request.
    """
    client = scope.get("client")
    line = {
        "time": time_text(now()),
        "refused": status,
        "why": why[: limits.MAX_LOGGED_CHARS],
        "method": str(scope.get("method", ""))[: limits.MAX_LOGGED_CHARS],
        # Without the query, which may hold the token.
        "path": str(scope.get("path", ""))[: limits.MAX_LOGGED_CHARS],
        "client": str(client[0]) if client else "",
    }
    return json.dumps(line, ensure_ascii=True)
