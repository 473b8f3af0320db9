"""What stands between the network and every handler, whatever page it belongs to."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgeseg import limits
from edgeseg.errors import EdgesegError
from edgeseg.sync.report import one_line
from edgeseg.web.access import SAFE_METHODS, Access
from edgeseg.web.refusal import Log, RefusedError, refusal_line

# No inline script or style, nothing from elsewhere; blob: is a photo before it is sent.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}
_TOKEN_PARAMETER = "token"


class Guard:
    """ASGI middleware: checks each request, caps what is under way, and tells what it refuses.

    Args:
        app: what is guarded.
        access: who may ask.
        log: takes one line for each refusal.
    """

    def __init__(self, app: ASGIApp, access: Access, log: Log) -> None:
        self._app, self._access, self._log = app, access, log
        self._uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection's scope, as ASGI asks."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        large = _is_large(scope)
        self._uploads += large
        try:
            handed = self._checked(scope, large)
            if handed is not None:
                await handed(scope, receive, answer.send)
            else:
                await self._app(scope, receive, answer.send)
        except ClientDisconnect:
            self._tell(499, "the sender went away", scope)
        except RefusedError as refused:
            self._tell(refused.status, refused.why, scope)
            told = JSONResponse({"error": refused.message}, refused.status, refused.headers)
            await answer.instead(told, scope, receive)
        except Exception as error:  # noqa: BLE001 (the boundary: every failure becomes one answer)
            self._tell(500, f"{type(error).__name__}: {one_line(error)}", scope)
            await answer.instead(_failed(error), scope, receive)
        finally:
            self._uploads -= large

    def _checked(self, scope: Scope, large: bool) -> Response | None:
        """Refuse what may not come in; an answer where the token is handed over by the address."""
        _require_single(scope)
        headers = Headers(scope=scope)
        self._access.check(scope["method"], headers)
        shown = None
        if scope["method"] in SAFE_METHODS and scope["path"] == "/":
            shown = _shown_token(scope)
        if not self._access.knows(headers, shown):
            raise RefusedError(
                401,
                "open this page by the address that the server printed: it holds the token",
                "a wrong token" if shown or "cookie" in headers else "no token",
                {"www-authenticate": "Bearer"},
            )
        if large and self._uploads > limits.MAX_UPLOADS_AT_ONCE:
            raise RefusedError(503, "too much is being sent at once", headers={"retry-after": "1"})
        if shown is None or self._access.token is None:
            return None
        # No redirect: where another site's link led here, it would still count as that site's, and
        # go without the cookie. A page that goes on by itself is this one's.
        secure = scope.get("scheme") == "https"
        return HTMLResponse(
            _page("edgeseg", "Opening the page…", '<meta http-equiv="refresh" content="0;url=/">'),
            headers={"set-cookie": self._access.kept(secure), "cache-control": "no-store"},
        )

    def _tell(self, status: int, why: str, scope: Mapping[str, Any]) -> None:
        self._log(refusal_line(status, why, scope))


@dataclass
class _Answer:
    """An answer under way: with the headers that all have, and whether it has begun."""

    onward: Send
    begun: bool = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
        await self.onward(message)

    async def instead(self, response: Response, scope: Scope, receive: Receive) -> None:
        """Answer with this, unless an answer has begun: then it stays cut short."""
        if not self.begun:
            await response(scope, receive, self.send)


def _failed(error: Exception) -> Response:
    """The answer to what went wrong here: the log knows more, and may name files."""
    if isinstance(error, EdgesegError):
        return JSONResponse({"error": "this failed here; the server's log says why"}, 500)
    return JSONResponse({"error": "an internal error; the server's log says which"}, 500)


def _require_single(scope: Scope) -> None:
    """Refuse headers given twice, of which one reader would believe the first, one the last."""
    names = [name for name, _ in scope["headers"]]
    for name in (b"host", b"origin", b"content-length", b"authorization"):
        if names.count(name) > 1:
            raise RefusedError(400, f"more than one {name.decode()} header")


def _is_large(scope: Scope) -> bool:
    """Whether so much comes with a request that few such may be under way."""
    headers = Headers(scope=scope)
    if "transfer-encoding" in headers:
        return True
    stated = headers.get("content-length", "0")
    return not stated.isdecimal() or int(stated[:20]) > limits.LARGE_BODY_BYTES


def _shown_token(scope: Scope) -> str | None:
    query = scope.get("query_string", b"").decode("latin-1")[: limits.MAX_LOGGED_CHARS]
    found = parse_qs(query, max_num_fields=8).get(_TOKEN_PARAMETER)
    return found[0] if found else None


def _page(title: str, text: str, head: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{head}'
        f"<title>{html.escape(title)}</title><p>{html.escape(text)}</p></html>"
    )
