"""The bodies of requests: the only way to read one, with a bound and a deadline."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import Any

import anyio
from starlette.requests import Request

from edgeseg import limits
from edgeseg.errors import FormatError
from edgeseg.formats.document import Fields, parse_object
from edgeseg.web.refusal import RefusedError

_JSON = "application/json"


async def read_body(
    request: Request, limit_bytes: int, types: Collection[str], what: str = "the body"
) -> bytes:
    """Read a request's body; never more than the limit is held, whatever its length is said to be.

    Args:
        request: with the body.
        limit_bytes: the largest to accept.
        types: media types that are wanted, in lower case and without parameters.
        what: it is, for messages.

    Raises:
        RefusedError: it is too large (413), of another type (415), empty (400) or too slow (408).
    """
    stated_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if stated_type not in types:
        raise RefusedError(
            415, f"{what} has to be {' or '.join(sorted(types))}", f"content-type {stated_type}"
        )
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RefusedError(415, f"{what} must not be compressed", "content-encoding")
    too_large = RefusedError(413, f"{what} is larger than {_told(limit_bytes)}")
    stated = request.headers.get("content-length")
    if stated is not None and (not stated.isdecimal() or int(stated[:20]) > limit_bytes):
        raise too_large
    pieces: list[bytes] = []
    length = 0
    try:
        with anyio.fail_after(limits.MAX_BODY_S):
            async for piece in request.stream():
                length += len(piece)
                if length > limit_bytes:
                    raise too_large
                pieces.append(piece)
    except TimeoutError as error:
        raise RefusedError(408, f"{what} came too slowly") from error
    if not length:
        raise RefusedError(400, f"{what} is empty")
    return b"".join(pieces)


async def read_fields(request: Request, limit_bytes: int, what: str = "the body") -> Fields:
    """Read a body that is one JSON object, to be taken apart inside :func:`refusing`.

    Raises:
        RefusedError: as :func:`read_body`, or it is no JSON object (400).
    """
    data = await read_body(request, limit_bytes, {_JSON}, what)
    with refusing():
        document: dict[str, Any] = parse_object(data, limit_bytes, what)
    return Fields(document, what)


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Around taking fields: what is wrong with them is the sender's mistake.

    Raises:
        RefusedError: a field is missing or wrong (400).
    """
    try:
        yield
    except FormatError as error:
        raise RefusedError(400, str(error)) from error


def _told(size_bytes: int) -> str:
    return f"{size_bytes >> 20} MiB" if size_bytes >> 20 else f"{size_bytes >> 10} KiB"
