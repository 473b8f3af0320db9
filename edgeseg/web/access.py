"""Who may ask: decided from a request's headers alone.

Three kinds of stranger are kept out. A site in the user's own browser may send requests here, but
the browser says whence they come (``Origin``, ``Sec-Fetch-Site``). It may even call this machine by
a name of its own (DNS rebinding), but then ``Host`` has that name. Whoever else is on the network
has no token.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from edgeseg import limits
from edgeseg.errors import ServeError
from edgeseg.files import PathLike, read_bounded, shown_path, write_atomic
from edgeseg.web.refusal import RefusedError

SAFE_METHODS = frozenset({"GET", "HEAD"})
_TOKEN_BYTES = 32
_KEPT_S = 365 * 24 * 3600
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
_LEAST_TOKEN_CHARS = 24
_TOKEN = re.compile(rb"[A-Za-z0-9_-]{%d,128}" % _LEAST_TOKEN_CHARS)
_BEARER = "Bearer "
_LOCAL_NAMES = frozenset({"localhost"})


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own, which nobody else reaches."""
    if host.lower() in _LOCAL_NAMES:
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def kept_token(path: PathLike) -> str:
    """A token that stays the same from one start to the next, so that browsers need it once.

    Args:
        path: its file; made, for its owner alone, where it is absent.

    Raises:
        ServeError: what it holds is too short for a token, or no plain text.
        EdgesegError: it cannot be read or made.
    """
    if not Path(path).exists():
        write_atomic(path, f"{new_token()}\n".encode(), mode=0o600)
    held = read_bounded(path, limits.MAX_LOGGED_CHARS, "token").strip()
    if not _TOKEN.fullmatch(held):
        raise ServeError(
            f"{shown_path(path)} holds no token: at least {_LEAST_TOKEN_CHARS} letters, digits, "
            "hyphens or underscores; remove it, and one is made"
        )
    return held.decode("ascii")


@dataclass(frozen=True)
class Access:
    """What a request has to show.

    Attributes:
        names: by which this machine may be called, lower case, beside its addresses.
        local: only loopback addresses are served.
        token: that has to be shown; None where only this machine is served.
        cookie: the name of the cookie that keeps it. A browser sends cookies to every port of a
            machine, so each server has a name of its own.
    """

    names: frozenset[str]
    local: bool
    token: str | None
    cookie: str

    @classmethod
    def to(cls, host: str, port: int, token: str | None = None) -> Access:
        """For a server at an address: beyond loopback there is always a token.

        Args:
            host: address or name that is listened at.
            port: that is listened at.
            token: to use; None makes one where one is needed.
        """
        local = is_loopback(host)
        names = set(_LOCAL_NAMES)
        if not local:
            own = socket.gethostname().lower()
            names |= {own, f"{own}.local", host.lower()}
            token = token or new_token()
        return cls(frozenset(names), local, token, f"edgeseg-{port}")

    def check(self, method: str, headers: Mapping[str, str]) -> None:
        """Let a request in as far as the browser's word goes; the token is another matter.

        Args:
            method: HTTP's.
            headers: by lower-case name.

        Raises:
            RefusedError: it calls this machine by a strange name, or comes from another site.
        """
        host = headers.get("host", "").lower()
        self._check_host(host)
        site = headers.get("sec-fetch-site", "")
        origin = headers.get("origin")
        if method in SAFE_METHODS:
            # A link from elsewhere may open the page; nothing else may be embedded or read.
            opens = headers.get("sec-fetch-mode") == "navigate"
            if site in ("cross-site", "same-site") and not opens:
                raise RefusedError(403, "another site asked for this", f"sec-fetch-site {site}")
            if origin is not None and not _same_origin(origin, host):
                raise RefusedError(403, "another site asked for this", f"origin {origin}")
            return
        if site not in ("", "same-origin"):
            raise RefusedError(403, "another site sent this", f"sec-fetch-site {site}")
        # Every browser says it with a post, so that whoever does not is no browser's page.
        if origin is None:
            raise RefusedError(403, "a post has to say where it comes from", "no origin")
        if not _same_origin(origin, host):
            raise RefusedError(403, "another site sent this", f"origin {origin}")

    def knows(self, headers: Mapping[str, str], shown: str | None = None) -> bool:
        """Whether the token was shown, in a cookie, as a bearer's or as ``shown``."""
        if self.token is None:
            return True
        told = headers.get("authorization", "")
        offered = [
            shown,
            _cookie(headers.get("cookie", ""), self.cookie),
            told[len(_BEARER) :] if told.startswith(_BEARER) else None,
        ]
        # All are compared, in a time that does not tell how much of one was right.
        right = [
            secrets.compare_digest(each.encode("utf-8", "replace"), self.token.encode())
            for each in offered
            if each is not None
        ]
        return any(right)

    def kept(self, secure: bool) -> str:
        """The ``Set-Cookie`` that keeps the token in a browser, out of reach of any script."""
        rules = f"Path=/; HttpOnly; SameSite=Strict; Max-Age={_KEPT_S}"
        return f"{self.cookie}={self.token}; {rules}" + ("; Secure" if secure else "")

    def _check_host(self, host: str) -> None:
        found = _HOST.fullmatch(host)
        if found is None:
            raise RefusedError(400, "the Host header is missing or malformed", f"host {host}")
        name = found[1].strip("[]")
        address = _address(name)
        known = name in self.names if address is None else address.is_loopback or not self.local
        if not known:
            raise RefusedError(421, "this machine has another name", f"host {host}")


def _same_origin(origin: str, host: str) -> bool:
    """Whether an origin is this very server, whichever of HTTP and HTTPS leads to it."""
    scheme, mark, authority = origin.lower().partition("://")
    return bool(mark) and scheme in ("http", "https") and authority == host


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _cookie(header: str, name: str) -> str | None:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return None if found is None else found.value
